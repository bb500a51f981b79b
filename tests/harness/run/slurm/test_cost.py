"""What a command says it will ask of a cluster."""

from harness.run.slurm.cost import asked_for
from tests.harness.run.slurm.fakes import settings, train
from tests.harness.run.stage_functions import node


def test_jobs_and_hours_are_said() -> None:
    stages = [(train(2), 7200.0), (node("report", kind="report"), 3600.0), (node("films", kind="generate"), None)]
    assert asked_for(stages, settings(time_min="generate=600"), embedded=False) == (
        "Slurm: 3 jobs to submit, about 4.0 GPU-hours and 34.0 core-hours; nobody knows how long 1 of them take, "
        "with up to 10.0 GPU-hours an attempt by slurm.time_min"
    )
    assert asked_for(stages[2:], settings(), embedded=True) == (
        "Slurm: 1 job to submit; nobody knows how long they take"
    )
