"""The worker: what a manifest says of its stage's time, and which command's end it looks for."""

import threading
from pathlib import Path

import pytest

from harness.core.store import Store
from harness.run.worker import HARNESS_PID, run_job, watch_command
from tests.harness.run.stage_functions import CLOCK, node


def manifest(function: str, root: Path) -> dict[str, object]:
    """Of a stage that was carried out."""
    one = node("a", function)
    run_job(str(root), one.fields(), {}, now=lambda: CLOCK[0])
    return Store(root).manifest(one.kind, one.signature)


def test_what_is_loaded_once_is_told_from_what_every_step_takes(tmp_path: Path) -> None:
    found = manifest("timed", tmp_path)
    assert (found["seconds"], found["fixed"]) == (21.5, 20.0)


def test_an_earlier_part_that_counts_for_itself_is_fixed(tmp_path: Path) -> None:
    found = manifest("timed_in_two_parts", tmp_path)
    assert (found["seconds"], found["fixed"]) == (41.5, 40.0)


def test_of_a_stage_that_counts_nothing_that_is_not_known(tmp_path: Path) -> None:
    assert manifest("write", tmp_path)["fixed"] is None


def test_a_rank_on_another_machine_does_not_look_for_the_command_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """srun hands the environment on; what has that process id elsewhere is something else, or nothing."""
    monkeypatch.setenv(HARNESS_PID, "some-other-host:1")
    before = threading.active_count()
    watch_command()
    assert threading.active_count() == before
