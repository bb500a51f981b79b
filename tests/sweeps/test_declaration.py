"""What a sweep may declare, and what is said of what it may not."""

import importlib.util
import sys
from pathlib import Path

import pytest

from harness.cli import main
from harness.core.errors import UseError
from sweeps.space import Choice, Float, Int, contains
from sweeps.sweep import SWEEPS, Direction, Objective, Sweep, load_sweep
from tests.sweeps.studies import MIXED

MINE = """
from sweeps.space import Choice, Float, Int
from sweeps.sweep import Objective, Sweep

mine = Sweep(
    question="Which learning rate?",
    space={"train.lr": Float(1e-4, 1e-2, log=True), "train.adapter": Choice("lora", "full")},
    track="consistent-50s",
    objectives=(Objective("background_psnr"), Objective("colour_drift", "minimize")),
)
wide = Sweep(question="?", space={"injection.p_img": Float(0, 1.5)}, track="consistent-50s", objectives=(Objective("psnr"),))
blind = Sweep(question="?", space={"injection.p_img": Float(0, 1)}, track="consistent-50s", objectives=(Objective("psnrr"),))
wrong = Sweep(
    question="?", space={"injection.p_img": Float(0, 1)}, track="consistent-50s", objectives=(Objective("eps", "maximize"),)
)
lost = Sweep(question="?", space={"injection.p_img": Float(0, 1)}, track="consistent", objectives=(Objective("psnr"),))
"""


def declare(**changed: object) -> Sweep:
    """A sweep that is fine but for what is changed."""
    fine = {"question": "?", "space": MIXED.space, "track": MIXED.track, "objectives": MIXED.objectives}
    return Sweep(**{**fine, **changed})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "make",
    [
        lambda: Float(1.0, 1.0),
        lambda: Float(0.0, 1.0, log=True),
        lambda: Int(5, 1),
        lambda: Int(1.5, 3),  # type: ignore[arg-type]
        lambda: Choice("l2"),
        lambda: Choice("l2", "l2"),
        lambda: Choice([1], [2]),  # type: ignore[arg-type]
        lambda: Objective("motion"),  # declares no better direction
        lambda: Objective("motion", "maximise"),  # type: ignore[arg-type]
        lambda: Objective("motion", statistic="first"),  # type: ignore[arg-type]
        lambda: declare(space={}),
        lambda: declare(objectives=()),
        lambda: declare(objectives=(Objective("motion", "maximize"), Objective("motion", "maximize"))),
        lambda: declare(space={"train.lr": (1e-4, 1e-2)}),
    ],
)
def test_what_cannot_be_searched_is_refused(make: object) -> None:
    with pytest.raises(UseError):
        make()  # type: ignore[operator]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"space": {"injection.p_imgg": Float(0, 1)}}, "injection.p_img"),
        ({"space": {"bank.folder": Choice("a", "b")}}, "changes no result"),
        ({"known": ({"bank.capacty": 5},)}, "bank.capacity"),
        ({"known": ({"bank.capacity": 5000},)}, "outside"),
        ({"known": ({"bank.replacement": "lru"},)}, "outside"),
    ],
)
def test_the_message_says_what_was_meant(changed: dict[str, object], said: str) -> None:
    with pytest.raises(UseError, match=said):
        declare(**changed)


@pytest.mark.parametrize(
    ("metric", "better", "worse"),
    [("eps", "minimize", "maximize"), ("psnr", "maximize", "minimize"), ("imaging_quality", "maximize", "minimize")],
)
def test_an_objective_goes_the_way_that_its_metric_declares(metric: str, better: Direction, worse: Direction) -> None:
    assert Objective(metric).direction == better
    Objective(metric, better).check_direction()
    with pytest.raises(UseError, match=f"is to {better}"):
        Objective(metric, worse).check_direction()


def test_one_is_not_true() -> None:
    assert not contains(Choice(1, 2), True)
    assert not contains(Int(0, 5), True)
    assert contains(Choice(True, False), False)
    assert contains(Float(0, 1), 1)
    assert not contains(Int(0, 5), 2.0)


def test_built_in_sweeps_load_and_say_what_they_ask() -> None:
    for name in SWEEPS.names():
        assert SWEEPS.get(name).question.endswith("?")
        for objective in SWEEPS.get(name).objectives:
            objective.check_direction()
    assert len(SWEEPS.get("injection").objectives) == 1
    assert len(SWEEPS.get("injection_front").objectives) == 2


def test_a_users_file(tmp_path: Path) -> None:
    file = tmp_path / "my_sweep.py"
    file.write_text(MINE)
    name, sweep = load_sweep(f"{file}:mine")
    assert (name, list(sweep.space)) == ("mine", ["train.lr", "train.adapter"])
    with pytest.raises(UseError, match=r"no sweep 'mien'.*mine, wide"):
        load_sweep(f"{file}:mien")
    with pytest.raises(UseError, match="injection"):
        load_sweep("injektion")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["injektion"], "injection"),
        (["injection", "injection.p_img=0.3"], "injection.p_img"),
        (["injection", "train.stepz=3"], "train.steps"),
        (["injection", "--sampler", "tpee"], "tpe"),
        (["injection", "--sampler", "cmaes"], "pip install cmaes"),
        (["injection", "--sampler", "bruteforce"], "cannot search this space"),
        (["injection", "--storage", "nonsense"], "journal:PATH"),
        (["injection", "--profile", "wan2.1-i2v-14b-480p"], "placed_psnr"),
        (["my_sweep.py:wide"], "injection.p_img=1.5"),
        (["my_sweep.py:blind"], "'psnr'"),
        (["my_sweep.py:wrong"], "eps: maximize"),
        (["my_sweep.py:lost"], "consistent-50s"),
    ],
)
def test_the_command_refuses_before_a_study_is_made(
    words: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if "cmaes" in words and importlib.util.find_spec("cmaes") is not None:
        pytest.skip("cmaes is installed here")
    (tmp_path / "my_sweep.py").write_text(MINE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONWARNINGS", "ignore")  # as the command sets it
    monkeypatch.setattr(sys, "argv", ["harness", "sweep", *words, "--store", str(tmp_path / "runs")])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "runs" / "optuna.db").exists()
