"""Who a process is, from what Slurm tells it."""

import pytest

from svi.training import ranks

STEP = {
    "SLURM_JOB_ID": "4711",
    "SLURM_STEP_ID": "2",
    "SLURM_STEP_NUM_TASKS": "16",
    "SLURM_STEP_NODELIST": "gpu[07-08]",
    "SLURM_NTASKS": "16",
    "SLURM_PROCID": "9",
    "SLURM_LOCALID": "1",
}


def test_a_task_of_srun() -> None:
    told = ranks.by_slurm(STEP)
    port = int(told.pop("MASTER_PORT"))
    assert told == {"RANK": "9", "WORLD_SIZE": "16", "LOCAL_RANK": "1", "MASTER_ADDR": "gpu07"}
    assert 20000 <= port < 40000
    assert ranks.by_slurm({**STEP, "SLURM_PROCID": "3"})["MASTER_PORT"] == str(port)
    assert ranks.by_slurm({**STEP, "SLURM_STEP_ID": "3"})["MASTER_PORT"] != str(port)


def test_a_launcher_goes_before_slurm() -> None:
    assert ranks.by_slurm({**STEP, "WORLD_SIZE": "2", "RANK": "0"}) == {}


@pytest.mark.parametrize("step", [{}, {"SLURM_STEP_ID": "0", "SLURM_STEP_NUM_TASKS": "1"}])
def test_a_batch_script_and_a_step_of_one_task_are_alone(step: dict[str, str]) -> None:
    batch = {"SLURM_JOB_ID": "4711", "SLURM_NTASKS": "16", "SLURM_PROCID": "0", "SLURM_LOCALID": "0"}
    assert ranks.by_slurm({**batch, **step}) == {}


@pytest.mark.parametrize(
    ("nodes", "first"),
    [
        ("node", "node"),
        ("a1,b[2-3]", "a1"),
        ("node[01-04,7]", "node01"),
        ("node[7,9-12],gpu1", "node7"),
        ("rack[2-3]node[04-05]", "rack2node04"),
        ("cloud-[003]-gpu,cloud-x", "cloud-003-gpu"),
    ],
)
def test_the_first_host(nodes: str, first: str) -> None:
    assert ranks.first_host(nodes) == first
