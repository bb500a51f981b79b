"""How a process that failed is told, and who its ranks are."""

import signal
from pathlib import Path

from svi.card.process import free_port, rank_of, wrong
from svi.training.ranks import by_slurm


def test_an_end_is_told_by_its_signal_or_code_and_its_last_line(tmp_path: Path) -> None:
    said = tmp_path / "said.txt"
    said.write_text("Traceback\nRuntimeError: no kernel\n\n")
    assert wrong(1, said) == "exit code 1: RuntimeError: no kernel"
    said.write_text("")
    assert wrong(-signal.SIGSEGV, said) == "ended by SIGSEGV: nothing was said"


def test_ranks_are_who_they_are_told_to_be_also_within_a_slurm_step() -> None:
    environment = {"SLURM_STEP_NUM_TASKS": "8", **rank_of(1, 2, free_port())}
    assert by_slurm(environment) == {}
    assert (environment["RANK"], environment["WORLD_SIZE"]) == ("1", "2")
