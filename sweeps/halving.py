"""Shorter trainings of a trial before its own: most trials end with an eighth of the steps, by Optuna's successive halving.

They are trainings of their own, each with its whole schedule: what stands in the middle of another's is a model at a high rate.
"""

from optuna.pruners import SuccessiveHalvingPruner
from optuna.trial import Trial

from harness.declare.settings import Settings
from sweeps.slots import KNOWN

SHARES = (1 / 8, 1 / 4)  # of the trial's steps, one rung after the other
KEPT = 4  # of so many trials on a rung one goes on
CLIMBED = "harness.rungs"  # of a trial: the late error forecast of each rung that it was on


def pruner() -> SuccessiveHalvingPruner:
    """Of rungs at `resource(0)`, `resource(1)` and so on (arXiv 1810.05934); pruned trials are compared with as well."""
    return SuccessiveHalvingPruner(min_resource=1, reduction_factor=KEPT)


def resource(rung: int) -> int:
    """What Optuna knows a rung by, 0 the lowest; the trial's own training is the one above the last."""
    return int(KEPT**rung)


def shorter(steps: int) -> list[int]:
    """Steps of each rung's training."""
    return [max(1, round(share * steps)) for share in SHARES]


def why_not(settings: Settings, objectives: int) -> str | None:
    """Why trials of these settings cannot be halved; None if they can."""
    train = settings.train
    if objectives > 1:
        return f"received {objectives} objectives, expected one (Optuna takes no reports of several)"
    if not train.enabled or train.epochs is not None or train.budget != "steps":
        return (
            f"received train.enabled={train.enabled}, train.epochs={train.epochs}, train.budget={train.budget}; "
            "expected trainings whose length is train.steps"
        )
    return None


def reason_to_stop(trial: Trial, steps: int) -> str | None:
    """Why the trial, which has just reported the rung with so many steps, ends there; None if it does not. Known settings never."""
    stopped = trial.should_prune()  # asked of all: it is what notes the value for others
    if not stopped or KNOWN in trial.user_attrs:
        return None
    late = trial.user_attrs[CLIMBED][-1]
    return f"late error forecast {late:.3g} after a training of {steps} steps: not among the best of {KEPT}"
