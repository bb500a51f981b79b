"""Options that several commands have."""

import math
import os
import shlex
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from harness.core.errors import UseError
from harness.core.store import HARNESS_STORE, Store, default_store, is_store
from harness.declare.numbers import LARGEST
from harness.declare.profiles import DEFAULT

Command = TypeVar("Command", bound=Callable[..., Any])
LONGEST_NUMBER = 40  # letters
MOST_JOBS = 4096  # processes side by side on one machine
ALIKE = 0.8  # of a mistyped option; steps is less than that like seeds
EXISTING_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


class Whole(click.IntRange):
    """A whole number in digits alone, from `least` to `most`."""

    name = "whole number"

    def __init__(self, least: int = 1, most: int = LARGEST) -> None:
        super().__init__(least, most)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return super().convert(_in_digits(self, value, param, ctx), param, ctx)


class Number(click.FloatRange):
    """A finite number in digits alone, from `least` to `most`."""

    name = "number"

    def __init__(self, least: float = 0.0, most: float = LARGEST, min_open: bool = False) -> None:
        super().__init__(least, most, min_open)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(_in_digits(self, value, param, ctx), param, ctx)
        if math.isnan(number):  # which is in any range, as no comparison with it holds
            self.fail("nan is no number.", param, ctx)
        return number


class Folder(click.Path):
    """A path, which need not be there; an empty text would be the folder of the command."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail("'' names no folder.", param, ctx)
        return super().convert(value, param, ctx)


def _in_digits(kind: click.ParamType[Any], value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
    """The value; Python would read 1_0 as 10."""
    if "_" in (text := str(value)) or len(text) > LONGEST_NUMBER:
        kind.fail(
            f"{text[:LONGEST_NUMBER]!r} is not written in digits alone, at most {LONGEST_NUMBER} of them.", param, ctx
        )
    return value


def opened(root: Path) -> Store:
    """The store in that folder. Raises UseError where there is none."""
    if not is_store(root):
        raise UseError(
            f"--store {root}: no store there (looked in {root.absolute()}); `harness run ablation_eimg` makes one, "
            f"--store or the variable {HARNESS_STORE} names another"
        )
    return Store(root)


_FOLDER: dict[str, Any] = {
    "type": Folder(),
    "default": default_store,  # asked for when a command is called
    "show_default": f"{HARNESS_STORE}, else runs",
    "help": "folder of all results",
}
STORE = click.option("--store", **_FOLDER)  # a Path, which need not exist
OPENED_STORE = click.option("--store", callback=lambda _, __, root: opened(root), **_FOLDER)  # a Store, which is there
JOBS = click.option(
    "--jobs",
    type=Whole(most=MOST_JOBS),
    default=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
    show_default="cores",
    help="stages side by side, one thread each",
)


def names_of(section: str) -> Callable[[click.Context, click.Parameter, str], list[CompletionItem]]:
    """What a shell completes: the names of a section of `harness list`, else files."""

    def complete(_context: click.Context, _parameter: click.Parameter, begun: str) -> list[CompletionItem]:
        from harness.commands.sections import SECTIONS

        listed = SECTIONS[section].listed().items()
        return [CompletionItem(name, help=about) for name, about in listed if name.startswith(begun)] or [
            CompletionItem(begun, type="file")
        ]

    return complete


PROFILE = click.option(
    "--profile",
    default=DEFAULT,
    show_default=True,
    shell_complete=names_of("profiles"),
    help="scale: backbone, sizes and the recipe to start from",
)
RECIPES = click.option(
    "--recipe",
    "recipes",
    multiple=True,
    shell_complete=names_of("recipes"),
    help="recipe laid over the profile's own; may be given again",
)
LIMIT = click.option("--limit", type=Whole(), default=None, help="take only so many samples, the first ones")


def verbosity_options(command: Command) -> Command:
    """-q and -v, as one number that the console reads."""
    quiet = click.option(
        "-q", "--quiet", "verbosity", flag_value=-1, type=int, help="say only what failed, and the result"
    )
    loud = click.option(
        "-v",
        "--verbose",
        "verbosity",
        flag_value=1,
        type=int,
        default=0,
        help="say how far it is more often, and where",
    )
    return quiet(loud(command))


def overrides_argument(*words: str) -> Callable[[Command], Command]:
    """KEY=VALUE, dotted settings; `words`: keys without a section that the command knows beside them."""

    def check(context: click.Context, _parameter: click.Parameter, texts: tuple[str, ...]) -> tuple[str, ...]:
        """Raises UseError for an option that was typed like a setting: seeds=3 for --seeds 3."""
        options = [name for one in context.command.params if isinstance(one, click.Option) for name in one.opts]
        ways = {**{name.lstrip("-"): f"{name} {{}}" for name in options}, **{word: f"{word}={{}}" for word in words}}
        for text in texts:
            key, equals, value = text.partition("=")
            if equals and "." not in key and key not in words and (near := get_close_matches(key, ways, 1, ALIKE)):
                raise UseError(f"{key} is no setting: did you mean {ways[near[0]].format(shlex.quote(value))}?")
        return texts

    return click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...", callback=check)


JSON = click.option("--json", "as_json", is_flag=True, help="print JSON")
