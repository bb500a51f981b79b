"""How ranks are started."""

from harness.plan.launch import launcher


def test_one_machine() -> None:
    words = launcher(2, None, 0, {})
    assert "deepspeed.launcher.runner" in words
    assert words[words.index("--num_accelerators") + 1] == "2"
    assert words[-1] == "--module"


def test_a_hostfile() -> None:
    words = launcher(16, "hosts.txt", 0, {"SLURM_NTASKS": "1"})
    assert words[words.index("--hostfile") + 1] == "hosts.txt"
    assert "--num_accelerators" not in words


def test_slurm_starts_its_own_tasks() -> None:
    words = launcher(16, None, 0, {"SLURM_NTASKS": "16"})
    assert words[:3] == ("srun", "--ntasks", "16")


def test_every_stage_of_a_command_has_a_port_of_its_own() -> None:
    ports = {words[words.index("--master_port") + 1] for words in (launcher(2, None, n, {}) for n in range(8))}
    assert len(ports) == 8
