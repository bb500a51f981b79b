import time

import pytest

from harness.run.pace import Expected, Pace
from harness.run.schedule import Running
from tests.harness.run.stage_functions import node

ONE, OTHER, UNKNOWN = node("one"), node("other"), node("unknown")
EXPECTED = Expected({ONE.signature: 30.0, OTHER.signature: 60.0, UNKNOWN.signature: None}, together=100.0)


def running(done: int, total: int, then: str = "") -> Running:
    return Running(OTHER, 1.0, {"done": done, "total": total, "unit": "step", "then": then})


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_at_first_it_says_what_was_expected(clock: list[float]) -> None:
    assert Pace(EXPECTED).at([]) == (0.0, pytest.approx(100.0))  # the unknown stage is like the others: 45 s


def test_later_it_says_how_fast_it_really_goes(clock: list[float]) -> None:
    pace = Pace(EXPECTED)
    clock[0] = 200.0
    pace.ended(ONE.signature)
    pace.ended(UNKNOWN.signature)
    share, left = pace.at([running(0, 10)]) or (0.0, 0.0)
    assert share == pytest.approx(75 / 135)
    assert left == pytest.approx(60 * (200 + 10) / (75 + 13.5))


def test_what_an_earlier_command_did_of_a_stage_is_no_pace(clock: list[float]) -> None:
    """The plan expects what remains of it: half of that is done at step 9 of 10 that began at step 8."""
    pace = Pace(EXPECTED)
    assert pace.at([running(8, 10)]) == (0.0, pytest.approx(100.0))
    share, _ = pace.at([running(9, 10)]) or (0.0, 0.0)
    assert share == pytest.approx(30 / 135)


def test_an_earlier_part_of_a_stage_is_no_share_of_it(clock: list[float]) -> None:
    pace = Pace(EXPECTED)
    assert pace.at([running(9, 10, then="step")]) == (0.0, pytest.approx(100.0))
    assert pace.at([running(0, 10)]) == (0.0, pytest.approx(100.0))
    share, _ = pace.at([running(5, 10)]) or (0.0, 0.0)
    assert share == pytest.approx(30 / 135)


def test_where_nothing_was_expected_it_says_nothing(clock: list[float]) -> None:
    assert Pace(Expected({ONE.signature: None}, 0.0)).at([]) is None
