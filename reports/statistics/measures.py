"""Measures (a metric and its statistic): which lead a report, and which belong in the main table."""

from collections.abc import Iterable
from typing import NamedTuple

import pandas as pd

MAIN_MEASURES = 7
"""With the variant's name and the difference to the baseline: nine columns, about as wide as a terminal."""
OFFICIAL = ".official"
"""Ends the name of a metric of VBench that its official package judged."""


class Measure(NamedTuple):
    """A metric and one of its statistics, as in `reports.statistics.summary`."""

    metric: str
    statistic: str


# A still film flatters every measure of consistency and of drift, so dynamic degree and motion stand right behind the
# consistencies, and motion stays in the main table, whatever else is measured.
_MOTION = Measure("motion", "late")
CONSISTENCIES = ("subject_consistency", "background_consistency")
_MOVES = ("dynamic_degree",)
_LOOKS = ("imaging_quality", "aesthetic_quality", "motion_smoothness")
VBENCH = (*CONSISTENCIES, *_MOVES, *_LOOKS)
_DRIFT = tuple(Measure(name, "late") for name in ("colour_drift", "contrast_drift", "sharpness_drift"))
_PROBE = (Measure("gain", "value"), Measure("eps", "value"))


def _values(names: Iterable[str], label: str = "") -> tuple[Measure, ...]:
    return tuple(Measure(name + label, statistic) for name in names for statistic in ("value", "late"))


_JUDGED = (*_values((*CONSISTENCIES, *_MOVES)), _MOTION, *_values(_LOOKS), *_values(VBENCH, OFFICIAL))
# A film that loses its object has the better background, so the whole frame leads, unless films of older code are among the rows:
# they have the background alone.
_TRUE = ("placed_psnr", "background_psnr")


SEEN = (
    "speed_kept",
    "heading_error",
    "switch_latency",
    "identity",
    "seam",
    "repetition",
    "overexposed",
    "flow_kept",
    "flow_seam",
)
"""What people see and complain of, in one table: prompts that are not followed, seams, loops, glare."""


def _with_truth(lead: str) -> tuple[Measure, ...]:
    return (
        *(Measure(lead, statistic) for statistic in ("first", "late", "drop")),
        Measure("subject_similarity", "late"),
        Measure("object_kept", "late"),
        Measure("speed_kept", "late"),  # the lead metric forgives a film that stands still
        _MOTION,
        *_PROBE,
        *(Measure(name, "late") for name in (*_TRUE, "ssim", "psnr")),
        Measure("colour_drift", "contrast"),
        *_DRIFT,
        *_JUDGED,
    )


# Of films that follow a signal: whether they do says more than whether their background is still there.
_FOLLOWS = tuple(
    Measure(name, statistic) for name in ("sync_correlation", "pose_error") for statistic in ("first", "late")
)


def _followed(lead: str) -> tuple[Measure, ...]:
    told = (Measure("sync_slip", "late"), Measure("place_error", "late"), Measure(lead, "late"))
    return (*_FOLLOWS, *told, Measure("object_kept", "late"), _MOTION, *_with_truth(lead))


_WITHOUT_TRUTH = (_DRIFT[0], *_JUDGED, *_DRIFT[1:], *_PROBE, Measure("colour_drift", "contrast"))
_LEADS = ("sync_correlation", "pose_error", *_TRUE, "colour_drift", "imaging_quality", "aesthetic_quality")

_LEVELS = ("first", "late", "drop", "value")  # statistics on the scale of the metric itself
_WIDEST = 8


def measured(summary: pd.DataFrame, track: str) -> list[Measure]:
    """The measures that at least one variant of the track has, the most telling first.

    Of a metric with a number of the whole film that number: what its curve says stands in the drift grid below.
    """
    found = _found(summary, track)
    return [
        measure for measure in found if measure.statistic != "late" or Measure(measure.metric, "value") not in found
    ]


def lead_measure(summary: pd.DataFrame, track: str) -> Measure | None:
    """The measure that answers the question: the late value of the first metric with a better direction.

    A metric with a curve goes before one with a value a film; None if nothing with a direction was measured.
    """
    rows = summary[(summary["track"] == track) & (summary["direction"] != "none")]
    directed = set(rows["metric"])
    candidates = [measure for measure in _found(summary, track) if measure.metric in directed]
    true = _true(rows[rows["status"] == "ok"])
    rank = {metric: index for index, metric in enumerate(_LEADS) if metric not in _TRUE or metric == true}
    candidates.sort(key=lambda measure: rank.get(measure.metric, len(_LEADS)))
    for statistic in ("late", "value"):
        for measure in candidates:
            if measure.statistic == statistic:
                return measure
    return None


def split_measures(summary: pd.DataFrame, track: str) -> tuple[list[Measure], list[Measure]]:
    """The measures of the main table, with the lead among them, and the further ones."""
    measures, lead = measured(summary, track), lead_measure(summary, track)
    if lead is not None and lead not in measures[:MAIN_MEASURES]:
        measures = [lead, *(measure for measure in measures if measure != lead)]
    end = MAIN_MEASURES
    # VBench's dimensions stand together: consistency without dynamic degree would reward a still film.
    while any(map(_of_vbench, measures[:end])) and any(map(_of_vbench, measures[end:])):
        end += 1
    return measures[:end], measures[end:]


def further_chunks(summary: pd.DataFrame, track: str) -> list[list[Measure]]:
    """The further measures in chunks of one table each: what people see, the others, and VBench's dimensions."""
    _, measures = split_measures(summary, track)
    seen = sorted((measure for measure in measures if measure.metric in SEEN), key=lambda one: SEEN.index(one.metric))
    chunks: list[list[Measure]] = []
    for kind in (
        seen,
        [one for one in measures if one not in seen and not _of_vbench(one) and not _official(one)],
        [measure for measure in measures if _of_vbench(measure)],
        [measure for measure in measures if _official(measure)],
    ):
        chunks += [kind[start : start + _WIDEST] for start in range(0, len(kind), _WIDEST)]
    return chunks


def rewards_stillness(measures: Iterable[Measure]) -> bool:
    """Whether consistency is among them and dynamic degree is not."""
    names = {measure.metric.removesuffix(OFFICIAL) for measure in measures}
    return bool(names & set(CONSISTENCIES)) and not names & set(_MOVES)


def _found(summary: pd.DataFrame, track: str) -> list[Measure]:
    rows = summary[(summary["track"] == track) & (summary["status"] == "ok")]
    found = list(dict.fromkeys(Measure(*pair) for pair in rows[["metric", "statistic"]].itertuples(index=False)))
    true = _true(rows)
    preferred = _with_truth(true) if true else _WITHOUT_TRUTH
    preferred = _followed(true or _TRUE[0]) if set(_FOLLOWS) & set(found) else preferred
    known = [measure for measure in dict.fromkeys(preferred) if measure in found]
    known_metrics = {measure.metric for measure in known}
    others = [measure for measure in found if measure.metric not in known_metrics]
    return known + [measure for measure in others if measure.statistic in ("late", "value")]


def _true(rows: pd.DataFrame) -> str | None:
    """The first of `_TRUE` that as many rows and seeds have as any other of them, so that each can be held against the baseline;
    None if none has any."""
    late = rows[rows["statistic"] == "late"]
    seeds = late["n"].where(late["over"] == "seeds", 1).groupby(late["metric"]).sum()
    return max((name for name in _TRUE if name in seeds), key=lambda name: int(seeds[name]), default=None)


def _of_vbench(measure: Measure) -> bool:
    return measure.statistic == "value" and measure.metric in VBENCH


def _official(measure: Measure) -> bool:
    return measure.metric.endswith(OFFICIAL)


def skipped_metrics(summary: pd.DataFrame, track: str) -> dict[str, list[str]]:
    """Reason -> the metrics that no variant of the track has."""
    rows = summary[summary["track"] == track]
    known = {measure.metric for measure in measured(summary, track)}
    absent = rows[~rows["metric"].isin(known)]
    found: dict[str, list[str]] = {}
    for metric, group in absent.groupby("metric", sort=True):
        found.setdefault("; ".join(sorted(set(group["reason"]))), []).append(str(metric))
    return found


def decimals(summary: pd.DataFrame, metric: str) -> int:
    """Decimals that show the first digit of the metric's typical standard error, the same in every table of a report.

    Without standard errors, two digits below the largest value's first.
    """
    return digits_of(summary[(summary["metric"] == metric) & summary["statistic"].isin(_LEVELS)])


def digits_of(rows: pd.DataFrame) -> int:
    """`decimals` of some rows of a summary."""
    scale = rows.loc[rows["se"] > 0, "se"].median()
    if pd.isna(scale):
        size = rows["mean"].abs().max()
        scale = size / 100 if size > 0 else 0.01
    exponent = f"{scale:.0e}".partition("e")[2]
    return min(max(-int(exponent), 1), 4)
