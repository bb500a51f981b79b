"""What a stage asks for: by its kind, its scale and the settings."""

from typing import Any

import pytest

from harness.core.errors import UseError
from harness.declare.settings import Settings
from harness.declare.spec import resolve
from harness.plan import kinds
from harness.run.slurm.by_kind import KINDS, of_kind
from harness.run.slurm.resources import AT_SIZE, EMBEDDED, check, needs, parameters, words
from tests.harness.run.slurm.fakes import settings, train
from tests.harness.run.stage_functions import node


def test_a_stage_asks_by_its_kind_and_scale() -> None:
    assert needs("train", settings(), embedded=True) == EMBEDDED
    assert needs("train", settings(), embedded=False) == AT_SIZE["train"]
    assert needs("report", settings(), embedded=False).gpus == 0
    assert AT_SIZE.keys() <= set(KINDS)
    assert set(KINDS) == {kind.name for kind in vars(kinds).values() if isinstance(kind, kinds.Kind)}


def test_settings_replace_the_table_for_all_kinds_or_for_some() -> None:
    told = settings(time_min="train=2880, generate=600", gpus=0, mem_gb=7)
    assert needs("train", told, embedded=False).time_min == 2880
    assert needs("generate", told, embedded=False).time_min == 600
    assert needs("data", told, embedded=False) == needs("data", settings(gpus=0, mem_gb=7), embedded=False)
    rest = settings(time_min="60,train=2880")
    assert [needs(kind, rest, embedded=False).time_min for kind in ("train", "score")] == [2880, 60]
    assert (needs("data", told, embedded=False).gpus, needs("report", told, embedded=False).mem_gb) == (0, 7)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"time_min": "trian=5"}, r"slurm\.time_min=trian=5: no stage is of the kind 'trian'; did you mean 'train'"),
        ({"cpus": "train=0"}, r"slurm\.cpus=train=0: expected a number, or kinds with numbers"),
        (
            {"partition": "gpu,trian=cpu"},
            r"slurm\.partition=gpu,trian=cpu: no stage is of the kind 'trian'; did you mean 't",
        ),
        ({"wrap": "sh -c 'x"}, r"slurm\.wrap=sh -c 'x: expected words as in a shell; no closing quotation"),
        ({"signal_s": 300, "time_min": "train=5"}, r"slurm\.signal_s=300: train stages may take 5 min = 300 s"),
    ],
)
def test_what_cannot_be_read_is_refused(values: dict[str, Any], said: str) -> None:
    with pytest.raises(UseError, match=said):
        check(["train"], settings(**values), embedded=True)
    check(["train"], settings(signal_s=299, time_min="train=5"), embedded=True)


@pytest.mark.parametrize("value", ["train=many", "lots", "train=5,5", "5,train"])
def test_what_is_no_number_is_refused_with_the_settings(value: str) -> None:
    with pytest.raises(UseError, match=rf"slurm\.cpus='{value}' \(command line\): expected a number, or kinds with"):
        resolve(Settings, [("command line", {"slurm.cpus": value})])


def test_no_gpu_may_be_asked_for_by_kind() -> None:
    assert needs("score", settings(gpus="score=0"), embedded=False).gpus == 0


def test_one_rank_is_one_task() -> None:
    asked = parameters(train(), settings(partition="gpu", account="lab", qos="high"), embedded=False)
    assert (asked["nodes"], asked["ntasks_per_node"], asked["gpus_per_node"]) == (1, 1, 1)
    assert (asked["partition"], asked["account"], asked["qos"]) == ("gpu", "lab", "high")
    assert (asked["mem"], asked["time"], asked["cpus_per_task"]) == ("96GB", 1440, 8)
    assert "--cpus-per-task=8" in asked["srun_args"]


def test_ranks_are_tasks_over_nodes() -> None:
    asked = parameters(train(16), settings(), embedded=False)
    assert (asked["nodes"], asked["ntasks_per_node"], asked["gpus_per_node"], asked["mem"]) == (2, 8, 8, "768GB")
    assert "--kill-on-bad-exit=1" in asked["srun_args"]
    asked = parameters(train(16), settings(ranks_per_node=4, gpus=0), embedded=False)
    assert (asked["nodes"], asked["ntasks_per_node"], asked["mem"]) == (4, 4, "384GB")
    assert "gpus_per_node" not in asked
    with pytest.raises(UseError, match=r"train\.ranks=9 does not come out even on 2 nodes of at most 8 ranks"):
        parameters(train(9), settings(), embedded=False)


def test_more_options_of_sbatch() -> None:
    asked = parameters(
        train(), settings(extra="constraint=a100 --exclude=n[3-4],n7 exclusive", setup="module load cuda"), True
    )
    assert asked["additional_parameters"] == {
        "requeue": True, "constraint": "a100", "exclude": "n[3-4],n7", "exclusive": True
    }  # fmt: skip
    assert asked["setup"] == ["module load cuda"]
    assert {"partition", "account", "qos", "gpus_per_node"}.isdisjoint(asked)


@pytest.mark.parametrize(
    ("value", "train", "score", "others"),
    [
        ("gpu,big", "gpu,big", "gpu,big", "gpu,big"),
        ("gpu,big,score=cpu", "gpu,big", "cpu", "gpu,big"),
        ("train=gpu,big, score = cpu", "gpu,big", "cpu", None),
        ("constraint=a100 exclude=n[3-4],n7,train=exclusive", "exclusive", *("constraint=a100 exclude=n[3-4],n7",) * 2),
        ("score=module load a; x=1", None, "module load a; x=1", None),
        ("gpu,train=", None, "gpu", "gpu"),
    ],
)
def test_a_text_by_kind(value: str, train: str | None, score: str | None, others: str | None) -> None:
    assert [of_kind(value, kind) for kind in ("train", "score", "report")] == [train, score, others]


def test_each_kind_asks_for_its_own() -> None:
    told = settings(
        partition="gpu,report=cpu", account="score=small", qos="high", extra="train=constraint=a100", setup="report=true",
        srun="train=container-image=a.sqsh no-container-entrypoint", wrap="apptainer exec --nv a.sif,report=env",
    )  # fmt: skip
    training, report = (parameters(node(kind, kind=kind), told, embedded=True) for kind in ("train", "report"))
    assert (training["partition"], report["partition"], report["qos"]) == ("gpu", "cpu", "high")
    assert "account" not in training
    assert (training["additional_parameters"]["constraint"], "constraint" in report["additional_parameters"]) == (
        "a100",
        False,
    )
    assert ("setup" in training, report["setup"]) == (False, ["true"])
    assert training["srun_args"][-2:] == ["--container-image=a.sqsh", "--no-container-entrypoint"]
    assert [words("wrap", told, kind) for kind in ("train", "report")] == [
        ["apptainer", "exec", "--nv", "a.sif"],
        ["env"],
    ]
