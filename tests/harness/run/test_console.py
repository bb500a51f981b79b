"""What a run shows, on a terminal and elsewhere."""

import re
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console as Terminal

from harness.commands.progress import console_of
from harness.commands.session import Session
from harness.run import console as module
from harness.run.console import QUIET, VERBOSE, Console
from harness.run.pace import Expected
from harness.run.schedule import Event, Running
from tests.harness.run.stage_functions import node

ONE, OTHER = node("one"), node("other")
EXPECTED = Expected({ONE.signature: 600.0, OTHER.signature: 600.0}, together=1200.0)
HALF = {"done": 5, "total": 10, "unit": "step", "then": "", "pace": 2.0}


def shown(monkeypatch: pytest.MonkeyPatch, terminal: bool, verbosity: int = 0) -> str:
    """What is written while one stage is done, another runs and fails."""
    out = StringIO()
    monkeypatch.setattr(module, "LINE_EVERY", 0.0)
    monkeypatch.setattr(module, "OFTEN", 0.0)
    monkeypatch.setattr(
        module, "Terminal", lambda file: Terminal(file=out, force_terminal=terminal, width=100, legacy_windows=False)
    )
    with Console(3, EXPECTED, verbosity) as console:
        console.event(Event(node("cached"), "cached"))
        console.event(Event(ONE, "started"))
        console.event(Event(ONE, "finished", seconds=40.0))
        console.event(Event(OTHER, "started"))
        console.tick([Running(OTHER, 1.0, HALF)])
        if terminal:
            console.bars.refresh()
        console.event(Event(OTHER, "failed", "the loss is nan"))
    return out.getvalue()


def test_elsewhere_it_writes_plain_lines_with_the_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = shown(monkeypatch, terminal=False).splitlines()
    assert lines[0] == "[1/3] make one"
    assert lines[1] == "[2/3] make one: finished, 40 s"
    assert lines[2] == "[2/3] make other"
    assert re.fullmatch(r"    make other: step 5/10, about .* left", lines[3])
    assert re.fullmatch(r"    all stages: 2 of 3, about \d+ (s|min) left", lines[4])
    assert lines[5] == "[3/3] make other: failed, the loss is nan"
    assert lines[6] == "1 of 3 stages were done already"
    assert len(lines) == 7


def test_a_pace_that_is_not_known_leaves_the_time_left_out() -> None:
    assert module._text({**HALF, "pace": None}) == "step 5/10"


def test_of_a_stage_in_two_parts_it_says_what_follows() -> None:
    assert module._text({**HALF, "unit": "codec step", "then": "step"}) == "codec step 5/10, about 10 s, then step"


def test_on_a_terminal_there_is_a_bar_for_all_stages_and_one_a_stage_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown(monkeypatch, terminal=True))
    assert re.search(r"all stages +\S+ +2 of 3, about \d+ (s|min) left", text)
    assert re.search(r"make other +\S+ +step 5/10", text)
    assert "[1/3] make one\n" not in text  # its bar says that it has begun


def test_a_report_is_not_called_report_twice() -> None:
    assert node("report of bank_size", kind="report").name == "report of bank_size"
    assert node("full, seed 0", kind="train").name == "train full, seed 0"


def test_a_run_of_the_embedded_model_knows_from_the_start_how_long_it_takes(tmp_path: Path) -> None:
    session = Session.open("ablation_eimg", (), "tiny", (), None, None, tmp_path / "runs", 2)
    console = console_of(session.pipeline.graph, session.store, 2, session.embedded, 0)
    console.tick([])
    assert re.fullmatch(r"0 of 60, about \d+ min left", console.bars.tasks[0].fields["text"])


def test_quiet_says_only_what_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown(monkeypatch, terminal=False, verbosity=QUIET) == "[3/3] make other: failed, the loss is nan\n"


def test_verbose_says_where_a_stage_works(monkeypatch: pytest.MonkeyPatch) -> None:
    said = shown(monkeypatch, terminal=True, verbosity=VERBOSE)
    assert f"make one in partial/make-{ONE.signature[:16]}" in said
