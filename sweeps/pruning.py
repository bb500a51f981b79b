"""Which trials are not worth their films: those whose forecast is clearly worse than that of enough others."""

from collections.abc import Sequence
from typing import TypedDict

from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from sweeps.places import KNOWN

FORECAST = "harness.forecast"  # of a trial: error forecast at the film's late clips, in latent units
PRUNED = "harness.pruned"  # why
FIRST = 4  # forecasts that a rank says something among
BEST = 0.25  # share of forecasts whose films are made
BEST_OF_FRONT = 0.5  # with several objectives, of which the forecast tells but one


class Late(TypedDict):
    """An error forecast and its interval."""

    value: float
    low: float
    high: float


def verdict(study: Study, trial: FrozenTrial) -> str | None:
    """Why the trial is not worth its films; None if it is. Known settings always are.

    Each forecast is measured on one clip, and the lowest are the best: a trial goes on while its own is among the best quarter of
    all (half, for several objectives). Their values decide and not their intervals, which are over scenes that all trials share
    and so are wider than what two trials may differ by. Optuna's own pruners know but one objective and forget pruned trials, so
    that their bar would stay where the finished ones put it.
    """
    if KNOWN in trial.user_attrs or FORECAST not in trial.user_attrs:
        return None
    mine: Late = trial.user_attrs[FORECAST]
    others = _forecasts(study, trial)
    better = sum(other < mine["value"] for other in others)
    best = BEST if len(study.directions) == 1 else BEST_OF_FRONT
    if len(others) < FIRST or better < best * (len(others) + 1):
        return None
    interval = f"{mine['low']:.3g} to {mine['high']:.3g}"
    return f"late error forecast {mine['value']:.3g} ({interval}): {better} of {len(others)} others have a lower one"


def _forecasts(study: Study, trial: FrozenTrial) -> Sequence[float]:
    others = study.get_trials(deepcopy=False)
    return [
        other.user_attrs[FORECAST]["value"]
        for other in others
        if other.number != trial.number and other.state != TrialState.FAIL and FORECAST in other.user_attrs
    ]
