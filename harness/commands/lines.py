"""What there is to know of everything that `harness list` names, for `harness show`."""

from collections.abc import Iterator, Mapping
from functools import partial

from benchmarks.suites import OTHERS, VBENCH
from benchmarks.vbench.files import FILES
from harness.core.signature import leaves
from harness.declare.doors import DIGITS, DOORS, Found, version_of
from harness.declare.family import FAMILY, rows
from harness.declare.parts import chosen, first_line
from harness.declare.profiles import PROFILES
from harness.declare.recipes import RECIPES
from harness.declare.settings import Settings
from harness.declare.spec import load_experiment
from harness.declare.tracks import track_of
from harness.experiments import EXPERIMENTS
from harness.plan.scoring import metric_of
from svi.backbones.catalogue import FOLDER, MODELS, Geometry
from svi.parts import SETTING, Axis
from svi.settings import TINY


def experiment_lines(name: str) -> Iterator[str]:
    """Its question, and what each variant sets. A name, or file.py:name; raises UseError for a file without it."""
    experiment = load_experiment(name, EXPERIMENTS)
    yield f"{experiment.name}: {experiment.question}"
    if experiment.published:
        yield f"published: {experiment.published}"
    tracks, seeds = ", ".join(experiment.tracks), ", ".join(map(str, experiment.seeds))
    yield f"tracks {tracks}; seeds {seeds}; deltas against {experiment.baseline}"
    if experiment.settings:
        yield f"all variants: {_joined(experiment.settings)}"
    width = max(len(variant.name) for variant in experiment.variants)
    for variant in experiment.variants:
        yield f"  {variant.name:<{width}} {_joined(variant.set) or 'the recipe as it is'}"
    yield f"every setting of one of them: harness show {name} --variant {experiment.baseline}"


def profile_lines(name: str) -> Iterator[str]:
    """What a profile sets, and what it sets on real videos."""
    profile = PROFILES.get(name)
    yield f"profile {name}: {profile.about}"
    yield f"starts from recipe {profile.recipe}"
    yield from _values(profile.values)
    if profile.real_videos:
        yield "with data.path:"
        yield from _values(profile.real_videos)
    yield f"every setting: harness show settings --profile {name}"


def built_in_backbones() -> Mapping[str, str]:
    """Name -> where it comes from, its size and shapes, in a line."""
    published = {
        name: f"{model.repository}, {model.parameters} billion parameters, about {model.download} GB; {_shapes(model.geometry)}"
        for name, model in MODELS.items()
    }
    ours = {TINY: "trained here from scratch, on the embedded world or data.path"}
    return ours | published | {FOLDER: "any Wan image-to-video model in diffusers' layout: backbone.weights=FOLDER"}


def backbones_lines() -> Iterator[str]:
    """A line a built-in backbone."""
    yield from (f"{name:<22} {about}" for name, about in built_in_backbones().items())


def backbone_lines(name: str) -> Iterator[str]:
    """A backbone of a file or an installed package, or the line of one that is built in."""
    built_in = built_in_backbones()
    if name in built_in:
        yield f"backbone.name={name}: {built_in[name]}"
        return
    found = DOORS["backbone"].find(name, built_in, "backbone.name")
    yield f"backbone.name={name}: {first_line(found.value)}"
    yield from _whence(version_of(found), found.target, found)
    yield _shapes(found.value.geometry)
    yield f"train it and make films with it: harness run EXPERIMENT backbone.name={name}"


def _shapes(shape: Geometry) -> str:
    """What a model can take, in words."""
    frames = "any number of" if shape.frames_a_latent == 1 else f"{shape.frames_a_latent} k + 1"
    experts = f"; two experts, boundary {shape.boundary}" if shape.boundary else ""
    return f"sides in multiples of {shape.side}, {frames} frames; {shape.conditioning}{experts}"


def recipe_lines(name: str) -> Iterator[str]:
    """What a recipe sets, and where each value comes from."""
    recipe = RECIPES.get(name)
    yield f"recipe {name}: {recipe.about}"
    if name in FAMILY:
        yield from _sides(name)
    elif recipe.sources:
        yield from (f"  {f'{key}={value}':<34} {recipe.sources[key]}" for key, value in recipe.values.items())
    else:
        yield from _values(recipe.values, explain=True)
    yield from (f"  note: {note}" for note in recipe.notes)


def _part_lines(axis: Axis, name: str) -> Iterator[str]:
    """What a part of a method is, what it goes with, and its settings."""
    found = chosen(axis, name)
    part = found.part
    yield f"{SETTING[axis]}={name}: {part.about}"
    yield from _whence(part.version, part.target, found.found)
    for title, words in (("needs", part.needs), ("gives", part.gives)):
        if words:
            yield f"{title}: {', '.join(words)}"
    if part.sets:
        yield f"sets: {_joined(part.sets)}"
    for key, field in leaves(Settings).items():
        if key in part.reads or key.partition(".")[0] in part.reads:
            yield f"  {f'{key}={field.get_default(call_default_factory=True)}':<34} {field.description}"


objective_lines = partial(_part_lines, "objective")
generation_lines = partial(_part_lines, "generation")
memory_lines = partial(_part_lines, "memory")
signal_lines = partial(_part_lines, "signal")


def built_in_metrics() -> Mapping[str, str]:
    """Name -> what it is, in a line."""
    from benchmarks.suites.derived import METRICS  # they load numpy
    from benchmarks.suites.driven import WORLD_METRICS

    others = {name: f"by the suite {suite}" for suite, names in {VBENCH: FILES, **OTHERS}.items() for name in names}
    return {name: metric.about for name, metric in (WORLD_METRICS | METRICS).items()} | others


def metric_lines(name: str) -> Iterator[str]:
    """What a metric means, or those of a scorer of one's own."""
    from benchmarks.suites.driven import WORLD_METRICS

    built_in = built_in_metrics()
    found = None if name in built_in else metric_of(name)
    yield f"metric {name}: {first_line(found.value) if found else built_in[name]}"
    if found:
        yield from _whence(version_of(found), found.target, found)
    declared = found.value.metrics if found else [WORLD_METRICS[name]] if name in WORLD_METRICS else []
    for one in declared:
        better = "neither way is better" if one.direction == "none" else f"{one.direction} is better"
        needs = f", needs {', '.join(one.needs)}" if one.needs else ""
        yield f"  {one.name}: {better}, {one.unit}, a number a {one.per}{needs}, version {one.version}. {one.about}"
    if found:
        yield f"score films with it: harness run EXPERIMENT score.metrics={name}"


def _whence(version: int, target: str, found: Found | None) -> Iterator[str]:
    """Where something comes from, as a signature knows it."""
    yield f"version {version}; {target or 'settings alone'}"
    if found:
        yield f"source {found.source[:DIGITS]}{f', of {found.package}' if found.package else ''}"


def track_lines(name: str) -> Iterator[str]:
    """What a track's films are like, and what makes or scores them."""
    track = track_of(name)
    yield f"track {name}: {track.about}"
    rate = "any frame rate" if track.fps is None else f"{track.fps:g} frames a second"
    yield f"{track.seconds:g} s, {rate}; {track.paper_clips} windows of 5 s; version {track.version} of the track"
    used = [one for one in EXPERIMENTS.names() if name in EXPERIMENTS.get(one).tracks]
    if used:
        yield f"experiments: {', '.join(used)}"
    follows = f" condition.signal={track.condition}" if track.condition else ""
    yield f"make its films: harness run EXPERIMENT tracks={name}{follows}"
    yield f"score anybody's: harness score VIDEOS --track {name}"


def table_lines(name: str) -> Iterator[str]:
    """A table as the paper prints it."""
    from reports.tables.paper import nothing, paper_table

    yield f"table {name}: {table_about(name)}"
    yield ""
    yield paper_table(name, nothing(), {}, "md").rstrip()
    yield ""
    yield f"with all that the store has measured: harness report --table {name}"


def table_about(name: str) -> str:
    """Which table of which paper."""
    return f"Table {name.partition('-')[2]} of arXiv 2510.09212"


def _sides(name: str) -> Iterator[str]:
    """Both sides of a member beside each other: a value alone where they agree."""
    paper, code = rows(name, "paper"), rows(name, "code")
    yield f"  {'setting':<24} {'/paper':<12} {'/code (as released)':<20} source"
    for key in dict.fromkeys([*code, *paper]):
        cells = [side.get(key, (leaves(Settings)[key].default, "default")) for side in (paper, code)]
        sources = "; ".join(dict.fromkeys(source for _, source in cells))
        yield f"  {key:<24} {_cut(cells[0][0], 12):<12} {_cut(cells[1][0], 20):<20} {sources}"


def _cut(value: object, width: int) -> str:
    """A value that fits its column; `harness show NAME/code` prints a negative prompt whole."""
    text = str(value)
    return text if len(text) <= width else f"{text[: width - 3]}..."


def _values(values: dict[str, object], explain: bool = False) -> Iterator[str]:
    """A line a value, with the setting's description if `explain`."""
    known = leaves(Settings)
    for key, value in values.items():
        yield f"  {key}={value}".ljust(36) + (f"  {known[key].description}" if explain else "")


def _joined(values: Mapping[str, object]) -> str:
    return ", ".join(f"{key}={value}" for key, value in values.items())
