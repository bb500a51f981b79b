"""Pictures of a study that was never run."""

from pathlib import Path

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState
from PIL import Image

from sweeps.figures import draw
from tests.sweeps.studies import space


def drawn(made: optuna.Study, objectives: list[str], folder: Path) -> set[str]:
    """The names of the pictures of all its trials."""
    draw(made.directions, made.trials, made.best_trials if made.trials else [], objectives, folder)
    return {path.stem for path in folder.glob("*.png")}


def study(trials: int, objectives: int) -> optuna.Study:
    """Values that depend on the learning rate, with a pruned trial among them."""
    made = optuna.create_study(directions=["maximize"] * objectives, sampler=optuna.samplers.RandomSampler(seed=0))
    for number in range(trials):
        trial = made.ask(space())
        rate = np.log10(trial.params["train.lr"])
        made.tell(trial, [rate, -rate * trial.params["injection.p_clean"]][:objectives])
        if number == 1:
            made.tell(made.ask(space()), state=TrialState.PRUNED)
    return made


@pytest.mark.parametrize(
    ("objectives", "names"),
    [
        (["psnr late"], {"history", "importance", "slice", "contour"}),
        (
            ["psnr late", "motion late"],
            {f"{kind}-{name}" for kind in ("history", "importance", "slice", "contour") for name in ("psnr", "motion")}
            | {"pareto"},
        ),
    ],
)
def test_every_picture_is_drawn_for_numbers_and_choices(objectives: list[str], names: set[str], tmp_path: Path) -> None:
    assert drawn(study(12, len(objectives)), objectives, tmp_path) == names
    for path in tmp_path.glob("*.png"):
        assert len(np.unique(np.asarray(Image.open(path).convert("L")))) > 10  # something is on it


@pytest.mark.parametrize("trials", [0, 1, 2, 3])
def test_few_trials_draw_what_they_suffice_for(trials: int, tmp_path: Path) -> None:
    expected = {"history", "importance", "slice"} if trials > 1 else set()
    assert drawn(study(trials, 1), ["psnr late"], tmp_path) == expected
