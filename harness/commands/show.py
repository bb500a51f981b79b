"""`harness show`: what a name of `harness list` sets, and what settings mean."""

from collections.abc import Iterator

import click

from harness.commands.sections import SECTIONS
from harness.core.errors import UseError
from harness.core.registry import suggestion
from harness.core.signature import flat, leaves
from harness.declare.family import FAMILY, rows
from harness.declare.profiles import PROFILES
from harness.declare.recipes import RECIPES
from harness.declare.settings import Settings
from harness.declare.spec import load_experiment
from harness.experiments import EXPERIMENTS
from svi.backbones.catalogue import FOLDER, MODELS
from svi.settings import TINY


@click.command()
@click.argument("name")
def show(name: str) -> None:
    """An experiment, a sweep, a profile, a recipe, or `settings`: what it sets, and what each setting means."""
    click.echo(describe(name))


def describe(name: str) -> str:
    """An experiment, a sweep, a profile, a recipe, every setting, or the backbones. Raises UseError for an unknown name."""
    if name == "settings":
        return "\n".join(_settings())
    if name == "backbones":
        return "\n".join(_backbones())
    if ".py" in name:
        return "\n".join(experiment_lines(name))
    for section in SECTIONS.values():
        if name in section.names():
            return "\n".join(section.lines(name))
    known = [name for section in SECTIONS.values() for name in section.names()]
    raise UseError(f"nothing is called {name!r}: {suggestion(name, [*known, 'settings', 'backbones'])}")


def experiment_lines(name: str) -> Iterator[str]:
    """Its question, and what each variant sets. A name, or file.py:name; raises UseError for a file without it."""
    experiment = load_experiment(name, EXPERIMENTS)
    yield f"{experiment.name}: {experiment.question}"
    tracks, seeds = ", ".join(experiment.tracks), ", ".join(map(str, experiment.seeds))
    yield f"tracks {tracks}; seeds {seeds}; deltas against {experiment.baseline}"
    width = max(len(variant.name) for variant in experiment.variants)
    for variant in experiment.variants:
        sets = ", ".join(f"{key}={value}" for key, value in variant.set.items()) or "the recipe as it is"
        yield f"  {variant.name:<{width}} {sets}"


def profile_lines(name: str) -> Iterator[str]:
    """What a profile sets, and what it sets on real videos."""
    profile = PROFILES.get(name)
    yield f"profile {name}: {profile.about}"
    yield f"starts from recipe {profile.recipe}"
    yield from _values(profile.values)
    yield "with data.path:"
    yield from _values(profile.real_videos)


def _backbones() -> Iterator[str]:
    """A line a backbone: where it comes from, its size and shapes."""
    yield f"{TINY:<22} trained here from scratch, on the embedded world or data.path"
    for name, model in MODELS.items():
        shape = model.geometry
        yield (
            f"{name:<22} {model.repository}, {model.parameters} billion parameters, about {model.download} GB; "
            f"sides in multiples of {shape.side}, {shape.frames_a_latent} k + 1 frames; {shape.conditioning}"
            + (f"; two experts, boundary {shape.boundary}" if shape.boundary else "")
        )
    yield f"{FOLDER:<22} any Wan image-to-video model in diffusers' layout: backbone.weights=FOLDER"


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


def _settings() -> Iterator[str]:
    """Every setting below its section, with its default and what it means."""
    runtime, section = flat(Settings(), "runtime"), ""
    for key, field in leaves(Settings).items():
        if key.partition(".")[0] != section:
            section = key.partition(".")[0]
            yield section
        yield f"  {key}={field.default}".ljust(36) + f"  {field.description}{' (runtime)' if key in runtime else ''}"
