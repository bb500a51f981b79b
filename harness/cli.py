"""The `harness` command: a table of its commands, each imported when it is called."""

import ast
import os
import signal
import sys
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, NoReturn

import click

from harness.core.errors import Interrupted, UseError
from harness.core.registry import suggestion

# Names, not imports: nothing in harness imports sweeps.
COMMANDS = {
    "cancel": "harness.commands.cancel:cancel",
    "doctor": "harness.commands.doctor:doctor",
    "forecast": "harness.commands.forecast:forecast",
    "generate": "harness.commands.generate:generate",
    "list": "harness.commands.list:list_",
    "lora": "harness.commands.lora:lora",
    "plan": "harness.commands.plan:plan",
    "prompts": "harness.commands.prompts:prompts",
    "report": "harness.commands.report:report",
    "run": "harness.commands.run:run",
    "runs": "harness.commands.runs:runs",
    "score": "harness.commands.score:score",
    "show": "harness.commands.show:show",
    "status": "harness.commands.status:status",
    "sweep": "sweeps.command:sweep",
    "ui": "harness.commands.ui:ui",
}


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
        """An interrupt is one line too, and not click's "Aborted!"; exit code 130 for Ctrl-C, 143 for SIGTERM."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as end:
            number = end.signal if isinstance(end, Interrupted) else signal.SIGINT
            name = "Ctrl-C" if number == signal.SIGINT else number.name
            so_far = str(end) or "what is finished is kept"
            click.echo(f"harness: ended by {name}; {so_far}. The same command goes on from there.", err=True)
            sys.exit(128 + number)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        limit = formatter.width - 6 - max(map(len, COMMANDS))
        described = {name: click.Command(name, help=_docstring(target)) for name, target in COMMANDS.items()}
        with formatter.section("Commands"):
            formatter.write_dl([(name, one.get_short_help_str(limit)) for name, one in described.items()])


def _docstring(target: str) -> str | None:
    """What a function given as "module:function" says it does, without importing its module."""
    module, _, function = target.partition(":")
    source = Path(__file__).parents[1].joinpath(*module.split(".")).with_suffix(".py")
    tree = ast.parse(source.read_text(encoding="utf-8"))
    found = (node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == function)
    return ast.get_docstring(next(found))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="svi-harness")
def cli() -> None:
    """Which part of error recycling stops the drift of long videos, and by how much?

    Start with: harness run ablation_eimg
    """


def _terminated(number: int, _: object) -> NoReturn:
    """End as Ctrl-C does: nothing is left half written, and no process behind."""
    raise Interrupted(number)


def main() -> None:
    """Entry point: an error of use is one message and exit code 2."""
    os.environ.setdefault("PYTHONWARNINGS", "ignore")
    signal.signal(signal.SIGTERM, _terminated)
    try:
        cli(prog_name="harness")
    except UseError as error:
        click.echo(f"harness: {error}", err=True)
        sys.exit(2)
