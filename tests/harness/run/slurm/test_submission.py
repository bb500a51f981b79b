"""What sbatch is given, and what is refused before it is called."""

import sys
from pathlib import Path

import pytest

from harness.core.errors import UseError
from harness.core.store import Store
from tests.harness.run.slurm.fakes import program, settings, submitter, train
from tests.harness.run.stage_functions import node
from tests.harness.small import ONE_TRACK, SMALL, harness


def test_the_script_that_sbatch_is_given(store: Store, programs: Path) -> None:
    program(programs, "sbatch", 'cat "$1" > "$(dirname "$0")/given.sh"; echo Submitted batch job 77')
    said: list[str] = []
    told = settings(partition="gpu", time_min=30, signal_s=60, extra="constraint=a100", setup="module load cuda")
    records = submitter(told, said).send(store, [train(2), train(2)], after="afterok:12:13_0")
    script = (programs / "given.sh").read_text()
    for option in (
        "partition=gpu", "time=30", "signal=USR2@60", "constraint=a100", "requeue", "array=0-1%2", "nodes=1",
        "ntasks-per-node=2", "cpus-per-task=1", "mem=8GB", "dependency=afterok:12:13_0", "kill-on-invalid-dep=yes",
        "open-mode=append",
    ):  # fmt: skip
        assert f"#SBATCH --{option}\n" in script
    assert "\nmodule load cuda\n" in script
    assert "\nsrun --unbuffered" in script
    assert f"{sys.executable} -u -m submitit.core._submit" in script
    assert [(record.job, record.index) for record in records] == [("77_0", 0), ("77_1", 1)]
    assert said == [f"Slurm job 77: 2 x train; logs in {store.root / 'slurm' / records[0].name}"]


def test_an_allocation_that_the_command_runs_in_is_not_handed_on(
    store: Store, programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(programs, "sbatch", 'env > "$(dirname "$0")/given.txt"; echo Submitted batch job 77')
    for name in ("SLURM_JOB_ID", "SLURM_NTASKS", "SLURM_MEM_PER_NODE", "SLURM_CONF"):
        monkeypatch.setenv(name, "1")
    submitter().send(store, [train()])
    given = (programs / "given.txt").read_text()
    assert "SLURM_CONF=1" in given
    assert "SLURM_NTASKS" not in given
    assert "SLURM_MEM_PER_NODE" not in given


def test_a_machine_without_slurm(tmp_path: Path) -> None:
    words = ("run", "ablation_eimg", ONE_TRACK, *SMALL, "--executor", "slurm")
    done = harness(*words, store=tmp_path / "runs", variables={"PATH": ""})
    assert done.returncode == 2
    assert "--executor slurm: no sbatch, squeue, scancel, srun, sinfo, scontrol on PATH" in done.stderr
    assert "Traceback" not in done.stderr


def test_detach_is_for_slurm(tmp_path: Path) -> None:
    words = ("run", "ablation_eimg", ONE_TRACK, *SMALL, "--detach")
    done = harness(*words, store=tmp_path / "runs", variables={"PATH": ""})
    assert done.returncode == 2
    assert "--detach goes with --executor slurm" in done.stderr


def test_settings_are_checked_before_anything_is_submitted(programs: Path) -> None:
    program(programs, "sinfo", "printf 'gpu\\nshort\\ngpu\\n'")
    submitter(settings(partition="short,gpu")).check([train()])
    with pytest.raises(
        UseError, match=r"slurm\.partition=gpus: no such partition; did you mean 'gpu'\? available: gpu, short"
    ):
        submitter(settings(partition="gpus")).check([train()])
    with pytest.raises(UseError, match=r"slurm\.time_min=trian=5"):
        submitter(settings(time_min="trian=5")).check([train()])
    with pytest.raises(UseError, match=r"train\.hostfile=hosts and --executor slurm"):
        submitter().check([node("wide", kind="train", ranks=2, runtime={"train.hostfile": "hosts"})])
    program(programs, "sinfo", "echo 'slurm_load_partitions: Unable to contact slurm controller' >&2; exit 1")
    with pytest.raises(UseError, match=r"Unable to contact slurm controller; is Slurm's controller up"):
        submitter().check([train()])


def test_submitit_may_be_missing(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(programs, "sinfo", "echo gpu")
    monkeypatch.setitem(sys.modules, "submitit", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "submitit" else ...)
    with pytest.raises(UseError, match=r"--executor slurm needs submitit: pip install 'svi-harness\[slurm\]'"):
        submitter().check([train()])


def test_the_plan_refuses_a_warning_before_the_job_begins(tmp_path: Path) -> None:
    done = harness("plan", "ablation_eimg", "slurm.signal_s=300", "slurm.time_min=score=5", store=tmp_path / "runs")
    assert done.returncode == 2
    assert "slurm.signal_s=300: score stages may take 5 min = 300 s" in done.stderr
