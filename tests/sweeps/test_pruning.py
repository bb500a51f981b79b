"""A trial goes on while its forecast is among the best quarter."""

from dataclasses import replace

import optuna
import pytest
from optuna.trial import FrozenTrial, TrialState, create_trial

from sweeps.pruning import LATE_FORECAST, default_pruner, doubt, reason_to_prune
from sweeps.slots import KNOWN
from sweeps.sweep import Objective
from tests.sweeps.studies import MIXED


def forecast(value: float) -> dict[str, object]:
    return {LATE_FORECAST: {"value": value, "low": value - 0.1, "high": value + 0.1}}


def judged(
    value: float, others: list[float], directions: tuple[str, ...] = ("maximize",), **attributes: object
) -> str | None:
    """The verdict on a trial with this forecast."""
    study = optuna.create_study(directions=list(directions))
    for place, other in enumerate(others):
        # Pruned ones count as well: a bar of finished ones alone would never rise.
        state = TrialState.PRUNED if place % 2 else TrialState.COMPLETE
        values = None if place % 2 else [0.0] * len(directions)
        study.add_trial(create_trial(state=state, values=values, user_attrs=forecast(other)))
    study.add_trial(create_trial(state=TrialState.RUNNING, user_attrs={**forecast(value), **attributes}))
    trial: FrozenTrial = study.get_trials()[-1]
    return reason_to_prune(study, trial)


OTHERS = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]


@pytest.mark.parametrize(("value", "goes_on"), [(0.5, True), (1.5, True), (2.5, False), (9.0, False)])
def test_the_best_quarter_goes_on(value: float, goes_on: bool) -> None:
    assert (judged(value, OTHERS) is None) == goes_on


def test_the_reason_has_the_numbers() -> None:
    reason = judged(2.5, OTHERS)
    assert reason == "late error forecast 2.5 (2.4 to 2.6): 2 of 7 others have a lower one"


def test_of_several_objectives_the_better_half_goes_on() -> None:
    both = ("maximize", "maximize")
    assert judged(2.5, OTHERS, both) is None
    assert judged(5.5, OTHERS, both) is not None


def test_known_settings_and_the_first_trials_always_go_on() -> None:
    assert judged(9.0, OTHERS, **{KNOWN: True}) is None
    assert judged(9.0, OTHERS[:3]) is None


@pytest.mark.parametrize(
    ("objective", "pruner"),
    [
        (Objective("background_psnr"), "forecast"),
        (Objective("light_drift"), "forecast"),
        (Objective("placed_psnr"), "none"),  # -.62
        (Objective("psnr"), "none"),  # -.49
        (Objective("ssim"), "none"),  # -.53
        (Objective("object_kept"), "none"),
        (Objective("eps"), "none"),
    ],
)
def test_only_what_the_forecast_foretells_is_pruned_by_it_unasked(objective: Objective, pruner: str) -> None:
    sweep = replace(MIXED, objectives=(objective, Objective("motion", "maximize")))
    assert default_pruner(sweep) == pruner
    assert doubt("none", sweep) is None
    assert (doubt("forecast", sweep) is None) == (pruner == "forecast")


def test_lost_trials_do_not_count() -> None:
    study = optuna.create_study(direction="maximize")
    for value in OTHERS:
        study.add_trial(create_trial(state=TrialState.FAIL, user_attrs=forecast(value)))
    study.add_trial(create_trial(state=TrialState.RUNNING, user_attrs=forecast(9.0)))
    assert reason_to_prune(study, study.get_trials()[-1]) is None
