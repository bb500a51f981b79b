"""What each variant cost, and which may fairly be compared with the baseline."""

import math

from reports.statistics.info import ReportInfo
from reports.statistics.spending import MATCHED, SPENT, TOLERANCE, TRAINING_TOKENS, all_alike, unequal, unknown
from reports.tables.answer import in_words
from reports.tables.grid import NONE, Cell, Grid

LABELS = {
    "parameters": "trained parameters",
    "clips": "clips seen",
    "training_tokens": "training token-evaluations",
    "evaluations": "evaluations a second of film",
    "tokens": "token-evaluations a second of film",
    "before_first": "evaluations before the first frame",
    "seconds": "seconds",
}
_PERCENT = f"{TOLERANCE * 100:.0f} %"


def cost_grid(info: ReportInfo) -> Grid | None:
    """A row a compared variant; None where all cost the same, or nothing was counted: `fairness` says it in a sentence."""
    if all_alike(info):
        return None
    shown = [name for name in SPENT if any(name in info.spent.get(variant, {}) for variant in info.compared)]
    rows = [[Cell(variant), *(spent_cell(info, variant, name) for name in shown)] for variant in info.compared]
    heads = ["variant", *(LABELS[name] for name in shown)]
    notes = [
        "An evaluation is one forward pass of the transformer for one film or clip; token-evaluations are these times the "
        "tokens in it, of own rollouts, teachers and critics too. Seconds: of training and filming one seed, on whatever ran here."
    ]
    return Grid("Cost", heads, rows, [fairness(info), *notes])


def fairness(info: ReportInfo) -> str:
    """Which variants may be compared with the baseline at equal cost, which not, by what factor; empty if nothing was counted."""
    base = info.spent.get(info.baseline, {})
    if not any(name in base for name in MATCHED):
        return ""
    others = [name for name in info.compared if name != info.baseline]
    spent = {name: info.spent.get(name, {}) for name in others}
    uncounted = [name for name in others if unknown(spent[name]) or unknown(base)]
    untrained = [name for name in others if spent[name].get(TRAINING_TOKENS) == 0 and base.get(TRAINING_TOKENS)]
    counted = [name for name in others if name not in uncounted and name not in untrained]
    uneven = {name: factors for name in counted if (factors := unequal(spent[name], base))}
    even = [name for name in counted if name not in uneven]
    says = []
    if even:
        says.append(f"fair to compare with {info.baseline}, every cost within {_PERCENT}: {in_words(even, len(even))}")
    if uneven:
        said = [f"{name} ({', '.join(_times(*pair) for pair in factors.items())})" for name, factors in uneven.items()]
        says.append(f"no fair comparison, against {info.baseline}: {in_words(said, len(said))}")
    if untrained:
        says.append(f"{in_words(untrained, len(untrained))} train{'s' * (len(untrained) == 1)} nothing")
    if uncounted:
        says.append(f"costs were not all counted for {in_words(uncounted, len(uncounted))}")
    text = "; ".join(says)
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def spent_cell(info: ReportInfo, variant: str, name: str) -> Cell:
    """What a variant cost, by a name of `spending.SPENT`."""
    return Cell(_text(info.spent.get(variant, {}).get(name, math.nan)))


def _times(name: str, factor: float) -> str:
    if math.isinf(factor):
        return f"{LABELS[name]} where the baseline has none"
    return f"{factor:.2g} x the {LABELS[name]}"


def _text(value: float) -> str:
    """Whole numbers in groups of three, large ones in powers of ten, small ones with one decimal."""
    if math.isnan(value):
        return NONE
    if value >= 1e7:
        digits, exponent = f"{value:.2e}".split("e")
        return f"{digits} · 10^{int(exponent)}"
    return f"{value:,.0f}" if value >= 100 or value == round(value) else f"{value:.1f}"
