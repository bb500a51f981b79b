"""The answer to an experiment's question, in one sentence a track, computed from the differences to the baseline."""

import pandas as pd

from reports.grid import signed, with_error
from reports.info import ReportInfo
from reports.measures import decimals, lead_measure, measure_label, unit_suffix


def answer(summary: pd.DataFrame, info: ReportInfo, track: str) -> str:
    """Which variants end worse or better than the baseline on the lead measure, and which show no difference.

    Trivial baselines are left out: what stands still does not drift.

    Empty where only one variant was scored, and nothing trained: nothing was asked.

    A difference is shown where its 95 % interval (paired, Student's t, one comparison at a time) excludes 0.
    """
    if not info.trained and summary.loc[summary["track"] == track, "variant"].nunique() < 2:
        return ""
    lead = lead_measure(summary, track)
    if lead is None:
        return f"On {track}, no metric with a better direction was measured: no variant can be called better."
    rows = summary[(summary["metric"] == lead.metric) & (summary["statistic"] == lead.statistic)]
    rows = rows[(rows["track"] == track) & (rows["delta_n"] > 0) & rows["variant"].isin(info.compared)]
    subject, name = f"On {measure_label(lead)} ({track})", info.baseline
    if rows.empty:
        return f"{subject}, no variant shares a scored film with {name}: no difference can be stated."
    single = rows["delta_n"] == 1
    above, below = rows["delta_low"] > 0, rows["delta_high"] < 0
    worse, better = (below, above) if rows["direction"].iloc[0] == "higher" else (above, below)
    digits = decimals(summary, lead.metric)
    clauses = [
        _clause(rows[worse], digits, ("ends", "end"), f"worse than {name}", "excludes 0"),
        _clause(rows[better], digits, ("ends", "end"), f"better than {name}", "excludes 0"),
        _clause(rows[~(above | below | single)], digits, ("is", "are"), f"not told apart from {name}", "includes 0"),
        _clause(rows[single], digits, ("is", "are"), f"one value beside one of {name}", "cannot be given"),
    ]
    return f"{subject}, {'; '.join(clause for clause in clauses if clause)}."


def _clause(rows: pd.DataFrame, digits: int, verb: tuple[str, str], says: str, interval: str) -> str:
    """`a (-3.1 ± 0.2 dB) and b (...) end worse than ...`, the largest difference first; empty without rows."""
    if rows.empty:
        return ""
    ranked = rows.loc[rows["delta"].abs().sort_values(ascending=False, kind="stable").index]
    named = []
    for row in ranked.to_dict("records"):
        delta = with_error(signed(row["delta"], digits), row["delta_se"], digits)
        named.append(f"{row['variant']} ({delta}{unit_suffix(row['unit'])})")
    if len(named) == 1:
        return f"{named[0]} {verb[0]} {says} (the 95 % interval {interval})"
    return f"{', '.join(named[:-1])} and {named[-1]} {verb[1]} {says} (each 95 % interval {interval})"
