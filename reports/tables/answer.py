"""The answer to an experiment's question, in one sentence a track, computed from the differences to the baseline."""

import math
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from reports.statistics.bootstrap import FEWEST
from reports.statistics.lead_pairs import hanging
from reports.statistics.measures import decimals
from reports.statistics.power import POWER
from reports.statistics.view import TrackView
from reports.tables.labels import measure_label, unit_suffix
from reports.tables.notes import interval_name
from reports.tables.numbers import between, number, signed, telling

NAMED = 6  # variants that one clause names
ONCE = "each was trained once, and nothing tells how far another training would end: more seeds do"


def answer(view: TrackView) -> str:
    """Which variants end worse or better than the baseline on the lead measure, and which are undecided, with intervals.

    Trivial baselines are left out: what stands still does not drift.

    Empty where only one variant was scored, and nothing trained: nothing was asked.

    A difference is claimed where its paired 95 % interval (`reports.statistics.bootstrap`) excludes 0, and it does so still
    once the number of variants is accounted for (Holm). Where nothing tells how far trainings differ, the sentence says that
    each variant was trained once; where a claim hangs on two films, it names them.
    """
    info, lead = view.info, view.lead
    if not info.trained and view.rows["variant"].nunique() < 2:
        return ""
    if lead is None:
        return f"On {view.track}, no metric with a better direction was measured: no variant can be called better."
    compared = differences(view)
    subject, name = f"On {measure_label(lead)} ({view.track})", info.baseline
    if len(info.compared) == 1 and not info.trivial:
        return f"{subject}, only {name} was run: there is nothing to compare it with."
    if len(info.compared) == 1:
        return f"{subject}, only trivial baselines stand beside {name}: there is nothing to compare it with."
    twins = [name for name in info.compared if name in info.twins(view.track)]
    alike = f"{in_words(twins, len(twins))} {'is' if len(twins) == 1 else 'are'} {name} itself here." if twins else ""
    if compared.empty and twins:
        return f"{subject}, there is nothing to compare: {alike}"
    if compared.empty:
        return f"{subject}, no variant shares a scored film with {name}: no difference can be stated."
    clauses = "; ".join(_clauses(compared, decimals(view.summary, lead.metric), name))
    told = [f"{subject}, {clauses}.", *_once(compared), *_hanging(view, kinds(compared)), alike]
    return " ".join(filter(None, told))


class Kinds(NamedTuple):
    """Rows of a summary by what their differences to the baseline show; `same` has none in any film, `unsure` is not once all
    comparisons are accounted for."""

    worse: pd.DataFrame
    better: pd.DataFrame
    same: pd.DataFrame
    unsure: pd.DataFrame
    alike: pd.DataFrame
    few: pd.DataFrame


def differences(view: TrackView) -> pd.DataFrame:
    """The rows of the lead measure of compared variants that share films with the baseline, the largest difference first."""
    if view.lead is None:
        return view.rows.iloc[:0]
    rows = view.rows_of(view.lead)
    rows = rows[(rows["variant"] != view.info.baseline) & (rows["delta_n"] > 0)]
    rows = rows[rows["variant"].isin(view.info.compared)]
    return rows.loc[rows["delta"].abs().sort_values(ascending=False, kind="stable").index]


def kinds(rows: pd.DataFrame) -> Kinds:
    """`differences`, told apart."""
    few = rows["delta_low"].isna()
    above, below = rows["delta_low"] > 0, rows["delta_high"] < 0
    shown = (above | below) & (rows["delta_holm"] < rows["alpha"])
    worse, better = (below, above) if (rows["direction"] == "higher").all() else (above, below)
    same = (rows[["delta", "delta_low", "delta_high"]] == 0).all(axis=1)
    masks = (worse & shown, better & shown, same, (above | below) & ~shown, ~(above | below | same | few), few)
    return Kinds(*(rows[mask] for mask in masks))


def _clauses(rows: pd.DataFrame, digits: int, name: str) -> list[str]:
    """What is said of each kind of difference that there is."""
    found = kinds(rows)
    counted = len(rows) - len(found.few)
    unsure = f"from {name}, but not once {counted} comparisons are accounted for"
    level = (
        f"power {100 * POWER:g} %, {100 * rows['alpha'].iloc[0]:.3g} % over {counted} comparison{'s' * (counted > 1)}"
    )
    smallest = f"{_detectable(found.alike, digits)} ({level})"
    undecided = f"undecided: the smallest difference these films could have shown is {smallest}"
    told = [
        (found.worse, ("ends", "end"), f"worse than {name}"),
        (found.better, ("ends", "end"), f"better than {name}"),
        (found.same, ("ends", "end"), f"exactly as {name} does"),
        (found.unsure, ("differs", "differ"), unsure),
        (found.alike, ("is", "are"), undecided),
        (found.few, ("cannot be", "cannot be"), f"told apart from {name}: an interval needs {FEWEST} samples"),
    ]
    return [_clause(kind, digits, verb, says) for kind, verb, says in told if len(kind)]


def _clause(rows: pd.DataFrame, digits: int, verb: tuple[str, str], says: str) -> str:
    """`a (-3.1 dB, 95 % interval -3.6 to -2.7) and b (...) end worse than ...`, the largest first; the table has all."""
    named = [_named(row, digits, first=rank == 0) for rank, row in enumerate(rows[:NAMED].to_dict("records"))]
    return f"{in_words(named, len(rows))} {verb[len(rows) > 1]} {says}"


def _detectable(rows: pd.DataFrame, digits: int) -> str:
    """0.9 dB, or 0.9 to 1.4 dB where rows differ."""
    if rows.empty:
        return ""
    smallest = (rows["delta_detectable"].min(), rows["delta_detectable"].max())
    ends = dict.fromkeys(number(end, telling(end, digits)) for end in smallest)
    return f"{' to '.join(ends)}{unit_suffix(rows['unit'].iloc[0])}"


def _once(rows: pd.DataFrame) -> Iterator[str]:
    """What one training each leaves open."""
    if (rows["delta_one_training"].astype(bool) & rows["delta_low"].notna()).any():
        yield f"{ONCE[0].upper()}{ONCE[1:]}."


def _hanging(view: TrackView, found: Kinds) -> Iterator[str]:
    """Which claims hang on two films."""
    claimed = [*found.worse["variant"], *found.better["variant"]]
    for name, two in hanging(view).items():
        if name in claimed:
            yield f"The difference of {name} hangs on two films: without {two[0]} and {two[1]} it would be undecided."


def in_words(names: Sequence[str], count: int) -> str:
    """`a, b and c`, or `a, b and 3 more` where `count` are meant."""
    names = [*names, *([f"{count - len(names)} more"] if count > len(names) else [])]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _named(row: Mapping[Hashable, Any], digits: int, first: bool) -> str:
    """The variant with its difference and interval, which the first one of a clause calls by its name."""
    delta = f"{signed(row['delta'], digits)}{unit_suffix(row['unit'])}"
    if math.isnan(row["delta_low"]):
        return f"{row['variant']} ({delta} over {row['delta_n']} sample{'s' * (row['delta_n'] > 1)})"
    if row["delta_low"] == row["delta_high"] == 0:
        return str(row["variant"])
    interval = between(row["delta_low"], row["delta_high"], digits)
    called = f"{interval_name(row['alpha'])} " if first else ""
    return f"{row['variant']} ({delta}, {called}{interval})"
