"""One stage in this process: what its manifest says of its time."""

from pathlib import Path

from harness.core.store import Store
from harness.run.worker import run_job
from tests.harness.run.stage_functions import CLOCK, node


def manifest(function: str, root: Path) -> dict[str, object]:
    """Of a stage that was carried out."""
    one = node("a", function)
    run_job(str(root), one.fields(), {}, now=lambda: CLOCK[0])
    return Store(root).manifest(one.kind, one.signature)


def test_what_is_loaded_once_is_told_from_what_every_step_takes(tmp_path: Path) -> None:
    found = manifest("timed", tmp_path)
    assert (found["seconds"], found["fixed"]) == (21.5, 20.0)


def test_of_a_stage_that_counts_nothing_that_is_not_known(tmp_path: Path) -> None:
    assert manifest("write", tmp_path)["fixed"] is None
