"""Answers to `harness show` and `harness status`."""

import json
from collections.abc import Iterator

from harness.errors import UseError
from harness.experiments import EXPERIMENTS
from harness.profiles import PROFILES
from harness.recipes import RECIPES
from harness.registry import suggestion
from harness.settings import Settings
from harness.spec import Experiment, load_experiment
from harness.store import Store


def describe(name: str) -> str:
    """An experiment, a profile, a recipe, or every setting. Raises UseError for an unknown name."""
    if name == "settings":
        return "\n".join(_settings())
    if name in PROFILES.names():
        profile = PROFILES.get(name)
        real = ["with data.path:", *_values(profile.real_videos)]
        return "\n".join(
            [
                f"profile {name}: {profile.about}",
                f"starts from recipe {profile.recipe}",
                *_values(profile.values),
                *real,
            ]
        )
    if name in RECIPES.names():
        recipe = RECIPES.get(name)
        return "\n".join([f"recipe {name}: {recipe.about}", *_values(recipe.values, explain=True)])
    if name in EXPERIMENTS.names() or ".py" in name:
        return "\n".join(_experiment(load_experiment(name, EXPERIMENTS)))
    known = [*EXPERIMENTS.names(), *PROFILES.names(), *RECIPES.names(), "settings"]
    raise UseError(f"nothing is called {name!r}: {suggestion(name, known)}")


def _experiment(experiment: Experiment) -> Iterator[str]:
    yield f"{experiment.name}: {experiment.question}"
    tracks, seeds = ", ".join(experiment.tracks), ", ".join(map(str, experiment.seeds))
    yield f"tracks {tracks}; seeds {seeds}; deltas against {experiment.baseline}"
    for variant in experiment.variants:
        sets = ", ".join(f"{key}={value}" for key, value in variant.set.items()) or "the recipe as it is"
        yield f"  {variant.name:<12} {sets}"


def _values(values: dict[str, object], explain: bool = False) -> Iterator[str]:
    about = {key: text for key, _, _, text in _fields()}
    for key, value in values.items():
        yield f"  {key}={value}".ljust(36) + (f"  {about[key]}" if explain else "")


def _settings() -> Iterator[str]:
    section = ""
    for key, default, role, about in _fields():
        if key.partition(".")[0] != section:
            section = key.partition(".")[0]
            yield section
        yield f"  {key}={default}".ljust(36) + f"  {about}{' (runtime)' if role == 'runtime' else ''}"


def _fields() -> Iterator[tuple[str, object, object, str]]:
    """(dotted key, default, role, description) of every setting."""
    for section, outer in Settings.model_fields.items():
        model = outer.annotation
        for name, field in getattr(model, "model_fields", {}).items():
            extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
            yield f"{section}.{name}", field.default, extra.get("role"), field.description or ""


def store_status(store: Store, as_json: bool) -> str:
    """Finished artifacts by kind, and every partial stage with its progress and whether a process works on it."""
    kinds = sorted(p.name for p in (store.root / "artifacts").glob("*") if p.is_dir())
    finished = {kind: len(list(store.manifests(kind))) for kind in kinds}
    partial = [_partial(store, folder.name) for folder in sorted((store.root / "partial").glob("*-*"))]
    if as_json:
        return json.dumps({"store": str(store.root), "finished": finished, "partial": partial}, indent=1)
    lines = [f"store {store.root}", *(f"  {kind:<10} {count} finished" for kind, count in finished.items())]
    for row in partial:
        state = "running" if row["running"] else "stopped; the same command goes on with it"
        lines.append(f"  {row['stage']}  {row['progress'] or 'started'}  {state}")
    return "\n".join([*lines, *([] if kinds or partial else ["  empty"])])


def _partial(store: Store, stage: str) -> dict[str, object]:
    progress = store.root / "partial" / stage / "progress.json"
    found = json.loads(progress.read_text()) if progress.is_file() else None
    kind, _, signature = stage.rpartition("-")
    lock = store.lock(kind, signature)
    free = not (store.root / "locks" / f"{stage}.lock").exists()
    if not free:
        try:
            with lock.acquire(timeout=0):
                free = True
        except TimeoutError:
            free = False
    text = f"{found['done']}/{found['total']} {found['unit']}s" if found else None
    return {"stage": stage, "progress": text, "running": not free}
