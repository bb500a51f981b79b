"""The door: every command stands in the table under the name it is typed with, and none is imported before it is called."""

import subprocess
import sys
from pathlib import Path
from pkgutil import resolve_name

import click
import pytest
from click.testing import CliRunner

from harness.cli import COMMANDS, cli
from harness.commands.sections import SECTIONS
from harness.core.errors import UseError
from harness.core.store import HARNESS_STORE, Store
from tests.harness.small import ROOT


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_called_as_typed_in_a_file_of_that_name(name: str) -> None:
    command = resolve_name(COMMANDS[name])
    assert isinstance(command, click.Command)
    assert command.name == name
    assert COMMANDS[name].partition(":")[0] == (f"harness.commands.{name}" if name != "sweep" else "sweeps.command")


def test_help_has_the_line_of_every_command_in_order() -> None:
    listed = CliRunner().invoke(cli, ["--help"], terminal_width=400, prog_name="harness").output
    lines = [line.split(maxsplit=1) for line in listed.partition("Commands:\n")[2].splitlines()]
    assert lines == [[name, resolve_name(target).get_short_help_str(380)] for name, target in sorted(COMMANDS.items())]


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
    assert done.stderr.startswith(
        "harness: unknown command 'sweeps': did you mean 'sweep'? available: cancel, doctor, "
    )
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
