"""Answers to `harness show` and `harness status`."""

import json
from collections.abc import Iterator

from filelock import Timeout

from harness.core.errors import UseError
from harness.core.registry import suggestion
from harness.core.signature import flat, leaves
from harness.core.store import PROGRESS, Store
from harness.declare.family import FAMILY, rows
from harness.declare.profiles import PROFILES
from harness.declare.recipes import RECIPES
from harness.declare.settings import Settings
from harness.declare.spec import Experiment, load_experiment
from harness.experiments import EXPERIMENTS
from harness.plan.model import TINY
from harness.run.slurm.status import JobState, job_states
from svi.backbones.catalogue import FOLDER, MODELS
from sweeps.sweep import SWEEPS


def describe(name: str) -> str:
    """An experiment, a sweep, a profile, a recipe, every setting, or the backbones. Raises UseError for an unknown name."""
    if name == "settings":
        return "\n".join(_settings())
    if name == "backbones":
        return "\n".join(_backbones())
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
        return "\n".join(_recipe(name))
    if name in EXPERIMENTS.names() or ".py" in name:
        return "\n".join(_experiment(load_experiment(name, EXPERIMENTS)))
    if name in SWEEPS.names():
        return "\n".join(_sweep(name))
    known = [*EXPERIMENTS.names(), *SWEEPS.names(), *PROFILES.names(), *RECIPES.names(), "settings", "backbones"]
    raise UseError(f"nothing is called {name!r}: {suggestion(name, known)}")


def _experiment(experiment: Experiment) -> Iterator[str]:
    yield f"{experiment.name}: {experiment.question}"
    tracks, seeds = ", ".join(experiment.tracks), ", ".join(map(str, experiment.seeds))
    yield f"tracks {tracks}; seeds {seeds}; deltas against {experiment.baseline}"
    width = max(len(variant.name) for variant in experiment.variants)
    for variant in experiment.variants:
        sets = ", ".join(f"{key}={value}" for key, value in variant.set.items()) or "the recipe as it is"
        yield f"  {variant.name:<{width}} {sets}"


def _sweep(name: str) -> Iterator[str]:
    sweep = SWEEPS.get(name)
    yield f"{name}: {sweep.question}"
    objectives = ", ".join(f"{objective.direction} {objective.name}" for objective in sweep.objectives)
    yield f"track {sweep.track}; {objectives}"
    yield from (f"  {key:<24} {dimension}" for key, dimension in sweep.space.items())
    for settings in sweep.known:
        yield "  known first: " + ", ".join(f"{key}={value}" for key, value in settings.items())


def _backbones() -> Iterator[str]:
    yield f"{TINY:<22} trained here from scratch, on the embedded world or data.path"
    for name, model in MODELS.items():
        shape = model.geometry
        yield (
            f"{name:<22} {model.repository}, {model.parameters} billion parameters, about {model.download} GB; "
            f"sides in multiples of {shape.side}, {shape.frames_a_latent} k + 1 frames; {shape.conditioning}"
            + (f"; two experts, boundary {shape.boundary}" if shape.boundary else "")
        )
    yield f"{FOLDER:<22} any Wan image-to-video model in diffusers' layout: backbone.weights=FOLDER"


def _recipe(name: str) -> Iterator[str]:
    recipe = RECIPES.get(name)
    yield f"recipe {name}: {recipe.about}"
    if name in FAMILY:
        yield from _sides(name)
    elif recipe.sources:
        yield from (f"  {f'{key}={value}':<34} {recipe.sources[key]}" for key, value in recipe.values.items())
    else:
        yield from _values(recipe.values, explain=True)
    yield from (f"  note: {note}" for note in recipe.notes)


def _sides(name: str) -> Iterator[str]:
    """Both sides of a member beside each other: a value alone where they agree."""
    paper, code = rows(name, "paper"), rows(name, "code")
    yield f"  {'setting':<24} {'/paper':<12} {'/code (as released)':<20} source"
    for key in dict.fromkeys([*code, *paper]):
        cells = [side.get(key, (leaves(Settings)[key].default, "default")) for side in (paper, code)]
        sources = "; ".join(dict.fromkeys(source for _, source in cells))
        yield f"  {key:<24} {cells[0][0]!s:<12} {cells[1][0]!s:<20} {sources}"


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
    jobs = job_states(store)
    queued = {stage for stage, job in jobs.items() if job.waits}
    begun = {folder.name for folder in (store.root / "partial").glob("*-*")}
    partial = [_partial(store, stage, jobs.get(stage)) for stage in sorted(begun | queued)]
    if as_json:
        return json.dumps({"store": str(store.root), "finished": finished, "partial": partial}, indent=1)
    lines = [f"store {store.root}", *(f"  {kind:<10} {count} finished" for kind, count in finished.items())]
    for row in partial:
        waits = row["stage"] in queued
        state = "running" if row["running"] else "queued" if waits else "stopped; the same command goes on with it"
        begin = "not begun" if row["stage"] not in begun else "started"
        lines.append(f"  {row['stage']}  {row['progress'] or begin}  {state}")
        lines += [f"      {jobs[stage]}" for stage in jobs if stage == row["stage"]]
    return "\n".join([*lines, *([] if kinds or partial else ["  empty"])])


def _partial(store: Store, stage: str, job: JobState | None) -> dict[str, object]:
    kind, _, signature = stage.rpartition("-")
    try:
        with store.lock(kind, signature).acquire(timeout=0):
            running = False
    except Timeout:
        running = True
    found = store.note(kind, signature, PROGRESS)
    text = f"{found['done']}/{found['total']} {found['unit']}s" if found else None
    return {"stage": stage, "progress": text, "running": running, "slurm": job.to_json() if job else None}
