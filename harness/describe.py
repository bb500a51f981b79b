"""Answers to `harness show` and `harness status`."""

import json
from collections.abc import Iterator

from filelock import Timeout

from harness.errors import UseError
from harness.experiments import EXPERIMENTS
from harness.profiles import PROFILES
from harness.recipes import RECIPES
from harness.registry import suggestion
from harness.settings import Settings
from harness.signature import flat, leaves
from harness.spec import Experiment, load_experiment
from harness.store import PROGRESS, Store


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
    known = leaves(Settings)
    for key, value in values.items():
        yield f"  {key}={value}".ljust(36) + (f"  {known[key].description}" if explain else "")


def _settings() -> Iterator[str]:
    runtime, section = flat(Settings(), "runtime"), ""
    for key, field in leaves(Settings).items():
        if key.partition(".")[0] != section:
            section = key.partition(".")[0]
            yield section
        yield f"  {key}={field.default}".ljust(36) + f"  {field.description}{' (runtime)' if key in runtime else ''}"


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
    kind, _, signature = stage.rpartition("-")
    try:
        with store.lock(kind, signature).acquire(timeout=0):
            running = False
    except Timeout:
        running = True
    found = store.note(kind, signature, PROGRESS)
    text = f"{found['done']}/{found['total']} {found['unit']}s" if found else None
    return {"stage": stage, "progress": text, "running": running}
