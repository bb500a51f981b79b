"""Statistics of the results frame: means, standard errors, and paired differences to the baseline.

A film's curve over clips gives four statistics: `first` (its first clip), `late` (mean over the last 20 % of clips),
`drop` (first minus late) and `contrast` (|mean of the first 15 % - mean of the last 15 %|, as in FramePack). A metric
with one value a film keeps it as `value`.
"""

import itertools
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import stdtrit  # type: ignore[import-untyped]

from reports.frame import PER_FILM, validated
from reports.info import ReportInfo

LATE_SHARE = 0.20
CONTRAST_SHARE = 0.15
CURVE_STATISTICS = ("first", "late", "drop", "contrast")
_FILM = ["track", "variant", "metric", "seed", "sample"]
_NO_VALUES = pd.Series(dtype=float, index=pd.MultiIndex.from_arrays([[], []], names=["seed", "sample"]))


class Estimate(NamedTuple):
    """A mean, its standard error (NaN below two values), the number of values, and what they are."""

    mean: float
    se: float
    n: int
    over: str


def estimate(values: "pd.Series[float]") -> Estimate:
    """Of values indexed by (seed, sample): over the means of seeds if there are several seeds, else over samples."""
    values = values.dropna()
    if values.empty:
        return Estimate(np.nan, np.nan, 0, "")
    by_seed = values.groupby(level="seed").mean()
    units, over = (by_seed, "seeds") if len(by_seed) > 1 else (values, "samples")
    return Estimate(float(units.mean()), float(units.std(ddof=1)) / np.sqrt(len(units)), len(units), over)


def half_width(se: float, n: int) -> float:
    """Half of the two-sided 95 % interval of a mean of n values by Student's t; NaN below two values."""
    return float(stdtrit(n - 1, 0.975)) * se if n > 1 else float("nan")


def summarise(frame: pd.DataFrame, info: ReportInfo) -> pd.DataFrame:
    """One row a (track, variant, metric, statistic), variants in declared order, metrics as in `statistics_of`.

    Columns: mean, se, n and over (`seeds` or `samples`); delta, delta_se, delta_n, delta_low and delta_high: the
    difference to the baseline paired over seed x sample, with its 95 % interval; direction (of better, for that
    statistic), unit, version, status and reason. A skipped metric keeps its rows, without numbers.

    Raises:
        ValueError: a frame that `validated` refuses.
    """
    frame = validated(frame, info)
    values = _values(sample_statistics(frame))
    about = frame.drop_duplicates("metric").set_index("metric")[["direction", "unit", "version"]].to_dict("index")
    reasons = _reasons(frame)
    rows = []
    for track in info.tracks:
        statistics = statistics_of(frame[frame["track"] == track])
        for variant, (metric, statistic) in itertools.product(info.variants, statistics):
            reason = reasons.get((track, variant, metric))
            own = values.get((track, variant, metric, statistic))
            if own is None and reason is None:
                continue
            base = values.get((track, info.baseline, metric, statistic)) if variant != info.baseline else None
            row = _numbers(_NO_VALUES if own is None else own, _NO_VALUES if base is None else base)
            row |= {"track": track, "variant": variant, "metric": metric, "statistic": statistic}
            row |= {"unit": about[metric]["unit"], "version": about[metric]["version"]}
            row["direction"] = _direction(about[metric]["direction"], statistic)
            row["status"] = "ok" if row["n"] else "skipped"
            row["reason"] = reason or ("" if row["n"] else "undefined for every sample")
            rows.append(row)
    return pd.DataFrame(rows, columns=list(_SUMMARY_COLUMNS))


_SUMMARY_COLUMNS = (
    "track", "variant", "metric", "statistic", "direction", "unit", "version", "mean", "se", "n", "over",
    "delta", "delta_se", "delta_n", "delta_low", "delta_high", "status", "reason",
)  # fmt: skip


def statistics_of(frame: pd.DataFrame) -> list[tuple[str, str]]:
    """The (metric, statistic) pairs of a track; a metric that is skipped everywhere has the statistic `value`."""
    ok = frame[frame["status"] == "ok"]
    curves = set(ok.loc[ok["clip"] != PER_FILM, "metric"])
    pairs: list[tuple[str, str]] = []
    for metric in sorted(set(frame["metric"])):
        pairs += [(metric, statistic) for statistic in (CURVE_STATISTICS if metric in curves else ("value",))]
    return pairs


def sample_statistics(frame: pd.DataFrame) -> pd.DataFrame:
    """Columns track, variant, metric, seed, sample, statistic, value: every film's, undefined clips left out."""
    ok = frame[frame["status"] == "ok"]
    clips = ok[ok["clip"] != PER_FILM]
    clip, value = clips["clip"], clips["value"]
    n_clips = clips.groupby(_FILM)["clip"].transform("max") + 1
    late, edge = ((n_clips * share).round().clip(lower=1) for share in (LATE_SHARE, CONTRAST_SHARE))
    parts = clips.assign(
        first=value.where(clip == 0),
        late=value.where(clip >= n_clips - late),
        head=value.where(clip < edge),
        tail=value.where(clip >= n_clips - edge),
    )
    means = parts.groupby(_FILM)[["first", "late", "head", "tail"]].mean()
    means["drop"] = means["first"] - means["late"]
    means["contrast"] = (means["head"] - means["tail"]).abs()
    curves = means[list(CURVE_STATISTICS)].reset_index().melt(_FILM, var_name="statistic")
    films = ok[ok["clip"] == PER_FILM][[*_FILM, "value"]].assign(statistic="value")
    return pd.concat([films, curves], ignore_index=True)[[*_FILM, "statistic", "value"]]


def curves(frame: pd.DataFrame, track: str, metric: str) -> dict[str, pd.DataFrame]:
    """Variant -> its mean curve: index clip, columns mean and se (over seeds, or over the samples of one seed)."""
    rows = frame[(frame["track"] == track) & (frame["metric"] == metric) & (frame["status"] == "ok")]
    found = {}
    for variant, films in rows[rows["clip"] != PER_FILM].groupby("variant"):
        by_seed = films.groupby(["clip", "seed"])["value"].mean().groupby(level="clip")
        several = films["seed"].nunique() > 1
        units = by_seed if several else films.groupby("clip")["value"]
        found[str(variant)] = pd.DataFrame({"mean": by_seed.mean(), "se": units.std(ddof=1) / np.sqrt(units.count())})
    return found


def _values(statistics: pd.DataFrame) -> dict[tuple[str, ...], "pd.Series[float]"]:
    """(track, variant, metric, statistic) -> the values, indexed by (seed, sample)."""
    indexed = statistics.set_index(["seed", "sample"])
    groups = indexed.groupby(["track", "variant", "metric", "statistic"])["value"]
    return {tuple(map(str, key)): group for key, group in groups}


def _numbers(own: "pd.Series[float]", base: "pd.Series[float]") -> dict[str, object]:
    own_estimate, delta = estimate(own), estimate((own - base).dropna())
    width = half_width(delta.se, delta.n)
    return {
        **own_estimate._asdict(),
        "delta": delta.mean,
        "delta_se": delta.se,
        "delta_n": delta.n,
        "delta_low": delta.mean - width,
        "delta_high": delta.mean + width,
    }


def _direction(of_metric: str, statistic: str) -> str:
    if of_metric == "none":
        return "none"
    if statistic == "contrast":
        return "lower"
    if statistic == "drop":
        return "lower" if of_metric == "higher" else "higher"
    return of_metric


def _reasons(frame: pd.DataFrame) -> dict[tuple[str, ...], str]:
    skipped = frame[frame["status"] == "skipped"]
    grouped = skipped.groupby(["track", "variant", "metric"])["reason"]
    return {tuple(map(str, key)): "; ".join(sorted(set(reasons))) for key, reasons in grouped}
