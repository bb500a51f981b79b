"""The `harness` command: a table of its commands, each imported when it is called."""

import ast
import errno
import os
import re
import signal
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, NoReturn

import click
from click.shell_completion import CompletionItem

from harness.core.errors import GOES_ON, Interrupted, UseError
from harness.core.registry import suggestion
from harness.core.text import one_line

# Names, not imports: nothing in harness imports sweeps.
GROUPS = {
    "Experiments": {
        "run": "harness.commands.run:run",
        "plan": "harness.commands.plan:plan",
        "forecast": "harness.commands.forecast:forecast",
        "sweep": "sweeps.command:sweep",
        "list": "harness.commands.list:list_",
        "show": "harness.commands.show:show",
    },
    "Results": {
        "report": "harness.commands.report:report",
        "results": "harness.commands.results:results",
        "runs": "harness.commands.runs:runs",
        "ui": "harness.commands.ui:ui",
        "status": "harness.commands.status:status",
        "logs": "harness.commands.logs:logs",
        "check": "harness.commands.check:check",
        "gc": "harness.commands.gc:gc",
    },
    "Films and weights": {
        "generate": "harness.commands.generate:generate",
        "desk": "harness.commands.desk:desk",
        "score": "harness.commands.score:score",
        "validate": "harness.commands.validate:validate",
        "prompts": "harness.commands.prompts:prompts",
        "lora": "harness.commands.lora:lora",
        "data": "harness.commands.data:data",
    },
    "Machines": {
        "doctor": "harness.commands.doctor:doctor",
        "cancel": "harness.commands.cancel:cancel",
    },
}
UNWRITABLE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS}  # full, over a quota or limit, read-only
COMMANDS = {name: target for commands in GROUPS.values() for name, target in commands.items()}
# What a system says of a name that a person gave: too long, a circle of links, no folder on its way, not theirs to read.
NO_SUCH_NAMES = (errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR, errno.EACCES, errno.EPERM)
EXAMPLES = """\b
Examples:
  harness run ablation_eimg               the main ablation, on a toy world
  harness plan ablation_eimg --seeds 3    what a run would do, and how long
  harness run ablation_eimg --only 'full,no_*' train.steps=1000
  harness report ablation_eimg            its tables, and where its page is
  harness generate film.mp4 --image start.png --prompts prompts.txt
"""


class LazyGroup(click.Group):
    """The commands of the table. One is imported when it is called; to list them, their sources are read."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        command: click.Command | None = resolve_name(COMMANDS[cmd_name]) if cmd_name in COMMANDS else None
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Raises UseError for an unknown command."""
        if args[0] not in COMMANDS and not ctx.resilient_parsing:
            raise UseError(f"unknown command {args[0]!r}: {suggestion(args[0], COMMANDS)}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """An interrupt is one line too, and not click's "Aborted!"; exit code 130 for Ctrl-C, 143 for SIGTERM.

        Raises UseError for a setting that was typed like an option: --train.steps for train.steps=.
        """
        try:
            return super().invoke(ctx)
        except click.NoSuchOption as wrong:
            name = wrong.option_name.lstrip("-")
            set_here = wrong.ctx is not None and any(one.name == "overrides" for one in wrong.ctx.command.params)
            if set_here and ("." in name or name in ("track", "tracks")):
                key = "tracks" if "." not in name else name
                raise UseError(f"{wrong.option_name} is no option: did you mean {key}=VALUE?") from wrong
            raise
        except KeyboardInterrupt as end:
            number = end.signal if isinstance(end, Interrupted) else signal.SIGINT
            name = "Ctrl-C" if number == signal.SIGINT else number.name
            so_far = str(end) or f"what is finished is kept. {GOES_ON}"
            click.echo(f"harness: ended by {name}; {so_far}", err=True)
            sys.exit(128 + number)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(map(len, COMMANDS))
        for title, commands in GROUPS.items():
            with formatter.section(title):
                limit = formatter.width - 6 - width
                formatter.write_dl([(name.ljust(width), _about(target, limit)) for name, target in commands.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The names of commands, of which none is imported."""
        found = [CompletionItem(name, help=_about(COMMANDS[name])) for name in COMMANDS if name.startswith(incomplete)]
        return found + (click.Command.shell_complete(self, ctx, incomplete) if incomplete.startswith("-") else [])


def _about(target: str, limit: int = 80) -> str:
    """What a command is for: the first clause of its docstring, at most so long."""
    clause = re.split(r"[;:.](?=\s|$)", _docstring(target))[0]
    return click.Command(None, help=clause).get_short_help_str(limit)


def _docstring(target: str) -> str:
    """What a function given as "module:function" says it does, without importing its module."""
    module, _, function = target.partition(":")
    source = Path(__file__).parents[1].joinpath(*module.split(".")).with_suffix(".py")
    tree = ast.parse(source.read_text(encoding="utf-8"))
    found = (node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == function)
    return ast.get_docstring(next(found)) or ""


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]}, epilog=EXAMPLES)
@click.version_option(package_name="svi-harness")
def cli() -> None:
    """Which part of error recycling stops the drift of long videos, and by how much?

    harness COMMAND --help says more of a command.
    """


def interrupt(number: int, _: object) -> NoReturn:
    """End as Ctrl-C does: nothing is left half written, and no process behind."""
    raise Interrupted(number)


def main() -> None:
    """Entry point: an error of use is one message and exit code 2, a disk that takes no more is one and exit code 1."""
    os.environ.setdefault("PYTHONWARNINGS", "ignore")
    signal.signal(signal.SIGTERM, interrupt)
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # tables have arrows, which not every terminal can write
    try:
        check_words(sys.argv[1:])
        cli(prog_name="harness")
    except UseError as error:
        click.echo(f"harness: {one_line(str(error))}", err=True)
        sys.exit(2)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        if error.errno in UNWRITABLE:
            kept = (
                "what is finished is kept: make room, or choose another folder, and the same command goes on from there"
            )
            click.echo(f"harness: {one_line(f'{where}{error.strerror}')}; {kept}", err=True)
            sys.exit(1)
        if error.errno not in NO_SUCH_NAMES or error.filename is None:  # else no name is to blame
            raise
        expected = "a name that this system can hold and that you may read; choose another, or change its rights"
        click.echo(f"harness: {one_line(f'{error.filename}: {error.strerror}; expected {expected}')}", err=True)
        sys.exit(2)


def check_words(words: Sequence[str]) -> None:
    """Raises UseError for one that is no text: a name in another encoding, which no record could hold."""
    for word in words:
        if "\0" in word or not _is_text(word):
            raise UseError(f"received {word!a}, expected text in UTF-8; rename the file, or type the word anew")


def _is_text(word: str) -> bool:
    try:
        word.encode()
    except UnicodeEncodeError:
        return False
    return True
