"""The door: every command stands in the table under the name it is typed with, and none is imported before it is called."""

import errno
import os
import re
import subprocess
import sys
from pathlib import Path
from pkgutil import resolve_name

import click
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from harness.cli import COMMANDS, GROUPS, cli, main
from harness.commands.options import verbosity_options
from harness.commands.sections import SECTIONS
from harness.core.errors import UseError
from harness.core.store import HARNESS_STORE, Store
from harness.experiments import EXPERIMENTS
from tests.harness.small import ROOT


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_called_as_typed_in_a_file_of_that_name(name: str) -> None:
    command = resolve_name(COMMANDS[name])
    assert isinstance(command, click.Command)
    assert command.name == name
    assert COMMANDS[name].partition(":")[0] == (f"harness.commands.{name}" if name != "sweep" else "sweeps.command")


def test_help_has_the_line_of_every_command_in_its_group_and_examples() -> None:
    listed = CliRunner().invoke(cli, ["--help"], terminal_width=400, prog_name="harness").output
    for title, commands in GROUPS.items():
        lines = listed.partition(f"\n{title}:\n")[2].partition("\n\n")[0].splitlines()
        helps = {name: " ".join((resolve_name(target).help or "").split()) for name, target in commands.items()}
        told = [[name, re.split(r"[;:.](?=\s|$)", text)[0]] for name, text in helps.items()]
        assert [line.split(maxsplit=1) for line in lines] == told
    examples = [line.split() for line in listed.partition("Examples:\n")[2].splitlines()]
    assert {words[1] for words in examples} <= set(COMMANDS)
    assert len(examples) >= 4


def test_no_line_of_help_is_longer_than_a_screen() -> None:
    listed = CliRunner().invoke(cli, ["--help"], terminal_width=78, prog_name="harness").output
    assert max(map(len, listed.splitlines())) <= 80


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["ru"], ["run", "runs"]),
        (["run", "ablation_"], [name for name in EXPERIMENTS.names() if name.startswith("ablation_")]),
        (["run", "ablation_eimg", "--profile", "wan2.1-i2v"], ["wan2.1-i2v-14b-480p", "wan2.1-i2v-14b-720p"]),
        (["runs", ""], ["list", "open", "remove", "show"]),
        (["sweep", "inj"], ["injection", "injection_front"]),
        (["run", "mine.py"], ["mine.py"]),  # a file, says its type
    ],
)
def test_a_shell_completes_names(words: list[str], offered: list[str]) -> None:
    complete = ShellComplete(cli, {}, "harness", "_HARNESS_COMPLETE").get_completions
    assert [item.value for item in complete(words[:-1], words[-1])] == offered


def test_a_shell_asks_for_names_by_a_variable() -> None:
    """As the script does that click gives to bash (docs/terminal.md)."""
    asked = {"_HARNESS_COMPLETE": "bash_complete", "COMP_WORDS": "harness fore", "COMP_CWORD": "1"}
    words = [sys.executable, "-c", "from harness.cli import main; main()"]
    done = subprocess.run(words, env={**os.environ, **asked, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert done.stdout == "plain,forecast\n"


@pytest.mark.parametrize(("words", "told"), [([], "0"), (["-q"], "-1"), (["--verbose"], "1")])
def test_how_much_is_said_is_one_number(words: list[str], told: str) -> None:
    command = click.command()(verbosity_options(lambda verbosity: click.echo(verbosity)))
    assert CliRunner().invoke(command, words).output.strip() == told


def test_help_imports_no_command() -> None:
    code = """
import sys
sys.argv = ["harness", "--help"]
from harness.cli import main
try:
    main()
except SystemExit:
    print(sorted(name for name in sys.modules if name.split(".")[0] in ("sweeps", "svi", "benchmarks", "reports") or
                 name.startswith("harness.commands")))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_python_m_harness_names_the_command_and_suggests_one_like_an_unknown() -> None:
    done = subprocess.run([sys.executable, "-m", "harness", "sweeps"], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 2
    assert done.stderr.startswith("harness: unknown command 'sweeps': did you mean 'sweep'? available: run, plan, ")
    assert "Traceback" not in done.stderr


def test_a_faulty_option_is_said_by_the_command_it_was_given_to() -> None:
    done = CliRunner().invoke(cli, ["plan", "--jobs", "0"], prog_name="harness")
    assert done.exit_code == 2
    assert "Usage: harness plan" in done.output
    with pytest.raises(UseError, match=r"no store there"):
        CliRunner().invoke(cli, ["status", "--store", "/no/such/store"], catch_exceptions=False)


def test_the_store_is_the_one_of_the_environment_unless_one_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, other = Store(tmp_path / "mine"), Store(tmp_path / "other")
    monkeypatch.setenv(HARNESS_STORE, str(mine.root))
    assert CliRunner().invoke(cli, ["status"]).output.startswith(f"store {mine.root}\n")
    assert CliRunner().invoke(cli, ["status", "--store", str(other.root)]).output.startswith(f"store {other.root}\n")


@pytest.mark.parametrize("title", SECTIONS)
def test_whatever_is_listed_can_be_shown(title: str) -> None:
    listed = SECTIONS[title].listed()
    assert listed
    for name, about in listed.items():
        first = next(iter(SECTIONS[title].lines(name)))
        assert first.endswith(f"{name}: {about}")


def test_an_error_of_the_system_that_names_no_file_is_no_wrong_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(**_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted", *named)

    monkeypatch.setattr("harness.cli.cli", refused)
    monkeypatch.setattr("harness.cli.signal.signal", lambda *_: None)
    monkeypatch.setattr("sys.argv", ["harness"])
    named = ["a-file"]
    with pytest.raises(SystemExit, match="2"):
        main()
    named = []
    with pytest.raises(PermissionError):
        main()
