"""What a variant cost, beside another: a comparison is fair where no cost of two rows differs by more than a twentieth."""

import math
from collections.abc import Mapping

from reports.statistics.info import ReportInfo

PARAMETERS, CLIPS, TRAINING_TOKENS = "parameters", "clips", "training_tokens"
EVALUATIONS, TOKENS = "evaluations", "tokens"
BEFORE_FIRST, SECONDS = "before_first", "seconds"
MATCHED = (PARAMETERS, TRAINING_TOKENS, EVALUATIONS, TOKENS)
"""What must be alike: trained parameters, token-evaluations of training, and of a second of film the transformer's evaluations
and token-evaluations. Latency and seconds follow from them and from the machine; and at equal token-evaluations a method that
spends some on rollouts or a teacher sees fewer clips, which is its own choice."""
SPENT = (PARAMETERS, CLIPS, TRAINING_TOKENS, EVALUATIONS, TOKENS, BEFORE_FIRST, SECONDS)
TOLERANCE = 0.05
Spent = Mapping[str, float]


def unequal(own: Spent, other: Spent) -> dict[str, float]:
    """Cost -> own / other, of those that both know and that differ by more than `TOLERANCE`; infinite beside nothing."""
    factors = {name: _factor(own[name], other[name]) for name in MATCHED if name in own and name in other}
    return {name: factor for name, factor in factors.items() if not _alike(factor)}


def unknown(own: Spent) -> bool:
    """Whether any cost that must be alike was not counted."""
    return any(name not in own for name in MATCHED)


def all_alike(info: ReportInfo) -> bool:
    """Whether all compared variants cost what the baseline costs; untrained ones aside."""
    known = [info.spent[name] for name in info.compared if name in info.spent]
    trained = [spent for spent in known if spent.get(TRAINING_TOKENS) != 0]
    base = info.spent.get(info.baseline, {})
    return all(not unequal(spent, base) for spent in trained)


def _factor(own: float, other: float) -> float:
    if own == other:
        return 1.0
    return own / other if other else math.inf


def _alike(factor: float) -> bool:
    return 1 / (1 + TOLERANCE) <= factor <= 1 + TOLERANCE
