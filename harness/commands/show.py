"""`harness show`: what a name of `harness list` sets, and what every setting is."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import click
from click.core import ParameterSource

from harness.commands.lines import backbones_lines
from harness.commands.options import PROFILE, RECIPES, overrides_argument
from harness.commands.resolved import settings_lines, variant_lines
from harness.commands.sections import SECTIONS, title_in_file
from harness.core.errors import UseError
from harness.core.registry import suggestion
from harness.declare.files import of_file
from harness.declare.profiles import DEFAULT
from harness.declare.spec import parse_overrides

SETTINGS, BACKBONES = "settings", "backbones"


@click.command()
@click.argument("name")
@overrides_argument()
@click.option(
    "--variant", default=None, help="of an experiment: every setting of that variant, and where it comes from"
)
@PROFILE
@RECIPES
@click.pass_context
def show(context: click.Context, /, name: str, overrides: Sequence[str], **asked: Any) -> None:
    """What a name of `harness list` or FILE.py:NAME stands for: an experiment, a profile, a part, ...; also settings, backbones.

    With --variant, --profile, --recipe or KEY=VALUE: every setting of an experiment's variant, with the layer that it comes from.
    `show settings`: what each setting means, with the values of a profile.
    """
    given = {key for key in asked if context.get_parameter_source(key) == ParameterSource.COMMANDLINE}
    click.echo(describe(name, parse_overrides(overrides), **asked, resolved=bool(given or overrides)))


def describe(
    name: str,
    values: Mapping[str, object] = MappingProxyType({}),
    variant: str | None = None,
    profile: str = DEFAULT,
    recipes: Sequence[str] = (),
    resolved: bool = False,
) -> str:
    """What there is to know of a name; of an experiment, if `resolved`, all that one variant runs with. Raises UseError."""
    if name == SETTINGS and variant is None:
        return "\n".join(settings_lines(profile, recipes, values))
    titles = [name] if name in (SETTINGS, BACKBONES) else _titles(name)
    if resolved and "experiments" in titles:
        return "\n".join(variant_lines(name, variant, profile, recipes, values))
    if resolved:
        raise UseError(
            f"{name} is listed under {' and '.join(titles)}: --variant, --profile, --recipe and KEY=VALUE go with an experiment; "
            f"all but --variant with {SETTINGS}"
        )
    if name == BACKBONES:
        return "\n".join(backbones_lines())
    return "\n\n".join("\n".join(SECTIONS[title].lines(name)) for title in titles)


def _titles(name: str) -> list[str]:
    """The sections that know the name (an objective and the loop made for it share one), or what a file declares by it.

    Raises UseError for neither.
    """
    if of_file(name):
        return [title_in_file(name)]
    if titles := [title for title, section in SECTIONS.items() if name in section.listed()]:
        return titles
    known = [name for section in SECTIONS.values() for name in section.listed()]
    raise UseError(f"nothing is called {name!r}: {suggestion(name, [*known, SETTINGS, BACKBONES])}")
