"""Which trials are not worth their films: those whose forecast is not among the best quarter of forecasts so far."""

from collections.abc import Sequence
from typing import TypedDict

from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from sweeps.slots import KNOWN
from sweeps.sweep import Sweep

LATE_FORECAST = "harness.forecast"  # of a trial: error forecast at the film's late clips, in latent units
PRUNED = "harness.pruned"  # why
FIRST = 4  # forecasts that a rank says something among
BEST = 0.25  # share of forecasts whose films are made
BEST_OF_FRONT = 0.5  # with several objectives, of which the forecast tells but one

# What the forecast ranks well: late means whose rank correlation with it over 40 trainings is .8 at least, the right way round
# (docs/sweeps.md). The forecast is of errors of the frame, not of what is in it.
FORETOLD = ("background_psnr", "contrast_drift", "detail_kept", "hue_drift", "light_drift")


class Late(TypedDict):
    """An error forecast and its interval."""

    value: float
    low: float
    high: float


def default_pruner(sweep: Sweep) -> str:
    """The forecast where it speaks of the first objective."""
    return "forecast" if sweep.objectives[0].metric in FORETOLD else "none"


def doubt(pruner: str, sweep: Sweep) -> str | None:
    """What there is to say against pruning this sweep; None if nothing."""
    if pruner == "none" or (metric := sweep.objectives[0].metric) in FORETOLD:
        return None
    return (
        f"--pruner {pruner}: the forecast ranks {', '.join(FORETOLD)} well; for {metric} that is not known to hold, and it "
        "may prune the best trials (docs/sweeps.md)"
    )


def reason_to_prune(study: Study, trial: FrozenTrial) -> str | None:
    """Why the trial is not worth its films; None if it is. Known settings always are.

    Each forecast is measured on one clip, and the lowest are the best: a trial goes on while its own is among the best quarter of
    all (half, for several objectives). Their values decide and not their intervals, which are over scenes that all trials share
    and so are wider than what two trials may differ by. Optuna's own pruners know but one objective and forget pruned trials, so
    that their bar would stay where the finished ones put it.
    """
    if KNOWN in trial.user_attrs or LATE_FORECAST not in trial.user_attrs:
        return None
    mine: Late = trial.user_attrs[LATE_FORECAST]
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
        other.user_attrs[LATE_FORECAST]["value"]
        for other in others
        if other.number != trial.number and other.state != TrialState.FAIL and LATE_FORECAST in other.user_attrs
    ]
