"""Statistics of the results frame: means, standard errors, intervals, paired differences to the baseline, and which is best.

A film's curve over clips (view `window`) gives the statistics of `reports.statistics.drift`; a number of the whole film, or of a
set of films, is kept as `value`. A metric may have both.
"""

import itertools
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import stdtrit  # type: ignore[import-untyped]

from reports.statistics.bootstrap import FEWEST, holm
from reports.statistics.drift import CURVE_STATISTICS, curve_statistics
from reports.statistics.frame import FILM, WINDOW, validated
from reports.statistics.info import ReportInfo
from reports.statistics.paired import Pairs, films_of, of_set, pairs
from reports.statistics.power import detectable
from reports.statistics.run_trainings import between, run_trainings
from reports.statistics.trainings import Trainings

UNDEFINED = "undefined for every sample"
_FILM = ["track", "variant", "metric", "seed", "sample"]
_NO_VALUES = pd.Series(dtype=float, index=pd.MultiIndex.from_arrays([[], []], names=["seed", "sample"]))


class Estimate(NamedTuple):
    """A mean, its standard error (NaN below two values), the number of values, and what they are."""

    mean: float
    se: float
    n: int
    over: str


def estimate(values: "pd.Series[float]") -> Estimate:
    """Of values indexed by (seed, sample): over the means of seeds if there are several seeds, else over samples.

    What has one value for a set of films is always over seeds.
    """
    values = values.dropna()
    if values.empty:
        return Estimate(np.nan, np.nan, 0, "")
    found = values.to_numpy(dtype=np.float64)
    seeds = films_of(values).codes[values.index.names.index("seed")]
    several = len(set(seeds.tolist())) > 1
    if several or of_set(values):
        # Of each seed, in the order in which they are known.
        units, over = np.array([found[seeds == seed].mean() for seed in np.unique(seeds)]), "seeds"
    else:
        units, over = found, "samples"
    spread = float(units.std(ddof=1)) if len(units) > 1 else np.nan
    return Estimate(float(units.mean()), spread / np.sqrt(len(units)), len(units), over)


def half_width(se: float, n: int) -> float:
    """Half of the two-sided 95 % interval of a mean of n values by Student's t; NaN below two values."""
    return float(stdtrit(n - 1, 0.975)) * se if n > 1 else float("nan")


def too_few(values: "pd.Series[float]") -> bool:
    """Whether these, indexed by (seed, sample), are of too few films for any interval; what a set of films has is of many."""
    values = values.dropna()
    return len(values) < FEWEST and not of_set(values)


def summarise(frame: pd.DataFrame, info: ReportInfo) -> pd.DataFrame:
    """One row a (track, variant, metric, statistic), variants as in `info.rows`, metrics as in `statistics_of`.

    Columns: mean, se, n and over (`seeds` or `samples`), low and high: the mean's 95 % interval by Student's t, of six films at
    least. delta,
    delta_se, delta_n, delta_low, delta_high and delta_p: the difference to the baseline, of films paired by seed and
    sample, as `reports.statistics.bootstrap` says; delta_holm: that p, corrected for as many variants as are compared;
    delta_detectable: the smallest difference that so many films and seeds would have shown, see `reports.statistics.power`.
    delta_seeds: seeds that are paired; trainings_sd: how far trainings of one row differ (the difference of two rows of the
    same trainings), NaN where nothing tells or nothing was trained; delta_one_training: of one training each, and nothing tells.
    alpha: how often a claim may be false; intervals of differences are of 1 - alpha.
    best: whether it is better than every other compared variant, each paired interval excluding 0 (all must, so that this
    needs no correction), and known to outlast another training.
    direction (of better, for that statistic), unit, version, status, reason and note (what a reader
    must know). A skipped metric keeps its rows, without numbers. clips and clip_seconds: how many clips the variant's films
    have on the track (0 without any curve there) and how much film each adds, which the slope goes by: films of a track
    last equally long, see `ReportInfo`.

    Raises:
        ValueError: a frame that `validated` refuses.
    """
    return summary_of(validated(frame, info), info)


def summary_of(frame: pd.DataFrame, info: ReportInfo) -> pd.DataFrame:
    """`summarise`, of a frame that `validated` has returned."""
    counts, seconds = clip_counts(frame), film_seconds(frame, info)
    values = values_by_statistic(sample_statistics(frame, seconds))
    trainings = run_trainings(values, info)
    # Scored rows first: a skipped one may know less of its metric.
    kinds = frame[["metric", "direction", "unit", "version", "status"]].drop_duplicates()
    known = kinds.sort_values("status", kind="stable").drop_duplicates("metric")
    about = known.astype(str).set_index("metric").to_dict("index")
    reasons, noted = (_reasons(frame, status) for status in ("skipped", "ok"))
    rows = []
    for track in info.tracks:
        statistics = statistics_of(frame.loc[frame["track"] == track, ["metric", "view", "status"]])
        alone = (info.baseline, *info.twins(track))  # compared with nothing
        best = {
            pair: _best(values, trainings, track, pair, _direction(about[pair[0]]["direction"], pair[1]), info)
            for pair in statistics
        }
        for variant, (metric, statistic) in itertools.product(info.rows, statistics):
            reason = reasons.get((track, variant, metric))
            own = values.get((track, variant, metric, statistic))
            if own is None and reason is None:
                continue
            base = None if variant in alone else values.get((track, info.baseline, metric, statistic))
            shift = trainings.get((track, metric, statistic))
            row = _numbers(_NO_VALUES if own is None else own)
            paired = pairs(own, base)
            row |= _delta(paired, *between(paired, shift, info, variant, info.baseline), info.alpha)
            row["alpha"] = info.alpha
            row |= {"track": track, "variant": variant, "metric": metric, "statistic": statistic}
            row |= {"unit": _unit(about[metric]["unit"], statistic), "version": about[metric]["version"]}
            row["direction"] = _direction(about[metric]["direction"], statistic)
            row["best"] = variant == best[metric, statistic]
            row["status"] = "ok" if row["n"] else "skipped"
            row["reason"] = reason or ("" if row["n"] else UNDEFINED)
            row["note"] = noted.get((track, variant, metric), "")
            clips = row["clips"] = counts.get((track, variant), 0)
            row["clip_seconds"] = seconds[track] / clips if clips else np.nan
            rows.append(row)
    return _corrected(pd.DataFrame(rows, columns=list(_SUMMARY_COLUMNS)), info)


_SUMMARY_COLUMNS = (
    "track", "variant", "metric", "statistic", "direction", "unit", "version", "mean", "se", "n", "over",
    "low", "high",
    "delta", "delta_se", "delta_n", "delta_low", "delta_high", "delta_p", "delta_freedom", "delta_holm", "delta_detectable",
    "delta_seeds", "delta_one_training", "trainings_sd", "alpha", "best", "status", "reason", "note", "clips", "clip_seconds",
)  # fmt: skip


def statistics_of(frame: pd.DataFrame) -> list[tuple[str, str]]:
    """The (metric, statistic) pairs of a track; a metric that is skipped everywhere has the statistic `value`."""
    ok = frame["status"] == "ok"
    films, curves = (set(frame.loc[ok & (frame["view"] == view), "metric"].unique()) for view in (FILM, WINDOW))
    pairs: list[tuple[str, str]] = []
    for metric in sorted(frame["metric"].unique()):
        if metric in films or metric not in curves:
            pairs.append((metric, "value"))
        if metric in curves:
            pairs += [(metric, statistic) for statistic in CURVE_STATISTICS]
    return pairs


def clip_counts(frame: pd.DataFrame) -> dict[tuple[str, str], int]:
    """(track, variant) -> the number of clips of its films; those without any curve are left out."""
    clips = frame[(frame["status"] == "ok") & (frame["view"] == WINDOW)]
    last = clips.groupby(["track", "variant"], observed=True)["clip"].max()
    keys = last.index.tolist()
    return {(str(track), str(variant)): int(last[track, variant]) + 1 for track, variant in keys}


def film_seconds(frame: pd.DataFrame, info: ReportInfo) -> dict[str, float]:
    """Track -> how long its films are, by the clips of the baseline, or where it has none of the first that has some."""
    counts, order = clip_counts(frame), (info.baseline, *info.rows)
    known = {
        track: [counts[track, variant] for variant in order if (track, variant) in counts] for track in info.tracks
    }
    return {track: info.clip_seconds * clips[0] for track, clips in known.items() if clips}


def sample_statistics(frame: pd.DataFrame, seconds: Mapping[str, float]) -> pd.DataFrame:
    """Columns track, variant, metric, seed, sample, statistic, value: every film's, undefined clips left out.

    `seconds`: how long the films of each track with curves are, whatever number of clips a variant divides them into.
    """
    ok = frame.loc[frame["status"] == "ok", [*_FILM, "view", "clip", "value"]]
    clips = ok[ok["view"] == WINDOW]
    films = clips.groupby(_FILM, observed=True, sort=False)
    number, clip = films.ngroup().to_numpy(), clips["clip"].to_numpy()
    curves = np.full((films.ngroups, int(clip.max(initial=-1)) + 1), np.nan)
    curves[number, clip] = clips["value"].to_numpy()
    lengths = np.zeros(films.ngroups, dtype=np.int64)
    np.maximum.at(lengths, number, clip + 1)
    of_curves = clips.loc[~films.cumcount().astype(bool), _FILM]
    counts, pairs = clip_counts(frame), zip(of_curves["track"], of_curves["variant"], strict=True)
    clip_seconds = np.array([seconds[track] / counts[track, variant] for track, variant in pairs])
    parts = [ok.loc[ok["view"] == FILM, [*_FILM, "value"]].assign(statistic="value")]
    for statistic, value in curve_statistics(curves, lengths, clip_seconds).items() if len(curves) else ():
        parts.append(of_curves.assign(statistic=statistic, value=value))
    return pd.concat(parts, ignore_index=True)[[*_FILM, "statistic", "value"]]


def curves(frame: pd.DataFrame, track: str, metric: str, view: str = WINDOW) -> dict[str, pd.DataFrame]:
    """Variant -> its mean curve: index clip, columns mean and se (over seeds, or over the samples of one seed; NaN of fewer than
    six films)."""
    ok = (frame["track"] == track) & (frame["metric"] == metric) & (frame["status"] == "ok") & (frame["view"] == view)
    rows = frame.loc[ok, ["variant", "seed", "clip", "value"]]
    by_seed = rows.groupby(["variant", "clip", "seed"], observed=True)["value"].mean()
    films = rows.groupby(["variant", "clip"], observed=True)["value"]
    of_seeds, of_films = by_seed.groupby(level=["variant", "clip"], observed=True), films
    both = pd.DataFrame({"mean": of_seeds.mean(), "films": films.size()})
    for name, units in (("seeds", of_seeds), ("samples", of_films)):
        both[name] = units.std(ddof=1) / np.sqrt(units.count())
    seeds, found = rows.groupby("variant", observed=True)["seed"].nunique().to_dict(), {}
    for variant, curve in both.groupby(level="variant", observed=True):
        se = curve["seeds" if seeds[variant] > 1 else "samples"] if curve["films"].max() >= FEWEST else np.nan
        found[str(variant)] = pd.DataFrame({"mean": curve["mean"], "se": se}).droplevel("variant")
    return found


def values_by_statistic(statistics: pd.DataFrame) -> dict[tuple[str, ...], "pd.Series[float]"]:
    """(track, variant, metric, statistic) -> the values, indexed by (seed, sample)."""
    indexed = statistics.set_index(["seed", "sample"])
    groups = indexed.groupby(["track", "variant", "metric", "statistic"], observed=True)["value"]
    return {tuple(map(str, key)): group for key, group in groups}


def _numbers(own: "pd.Series[float]") -> dict[str, object]:
    found = estimate(own)
    width = float("nan") if too_few(own) else half_width(found.se, found.n)
    return {**found._asdict(), "low": found.mean - width, "high": found.mean + width}


def _delta(paired: Pairs, trainings: Trainings | None, trained: int, alpha: float) -> dict[str, object]:
    """The difference to the baseline, and what it knows of trainings."""
    delta = paired.difference(trainings, trained, 1 - alpha)
    told = {"delta" if name == "mean" else f"delta_{name}": value for name, value in delta._asdict().items()}
    return told | {
        "delta_seeds": paired.seeds,
        "trainings_sd": trainings.sd if trainings and trained else np.nan,
        "delta_one_training": _told_by_one(paired, trainings, trained),
    }


def _best(
    values: Mapping[tuple[str, ...], "pd.Series[float]"],
    trainings: Mapping[tuple[str, str, str], Trainings],
    track: str,
    pair: tuple[str, str],
    direction: str,
    info: ReportInfo,
) -> str | None:
    """The compared variant that is better than each other one, or None where no such can be shown: of one training each, not
    unless it is known how far trainings differ."""
    found = {name: own for name in info.apart(track) if (own := values.get((track, name, *pair))) is not None}
    means = {name: own.mean() for name, own in found.items() if own.notna().any()}
    if direction == "none" or len(means) < 2:
        return None
    sign = 1 if direction == "higher" else -1
    best = max(means, key=lambda name: sign * means[name])
    shift = trainings.get((track, *pair))
    for other in means.keys() - {best}:
        paired = pairs(found[best], found[other])
        told = between(paired, shift, info, best, other)
        delta = paired.difference(*told, 1 - info.alpha)
        if not (delta.significant and delta.mean * sign > 0) or _told_by_one(paired, *told):
            return None
    return best


def _told_by_one(paired: Pairs, trainings: Trainings | None, trained: int) -> bool:
    """Whether one training a row is all that is known of how trainings differ."""
    return trainings is None and bool(trained) and paired.seeds == 1 and not paired.of_set


def _corrected(summary: pd.DataFrame, info: ReportInfo) -> pd.DataFrame:
    """With delta_holm, over the compared variants of each track, metric and statistic."""
    compared = summary[summary["variant"].isin(info.compared)]
    for _, rows in compared.groupby(["track", "metric", "statistic"], observed=True):
        p, se, freedom = (rows[f"delta_{name}"].to_numpy(dtype=np.float64) for name in ("p", "se", "freedom"))
        summary.loc[rows.index, "delta_holm"] = holm(p)
        level = info.alpha / max(int((~np.isnan(p)).sum()), 1)
        summary.loc[rows.index, "delta_detectable"] = detectable(se, freedom, level)
    return summary


def _direction(of_metric: str, statistic: str) -> str:
    if of_metric == "none":
        return "none"
    if statistic in ("contrast", "vde"):
        return "lower"
    if statistic == "drop":
        return "lower" if of_metric == "higher" else "higher"
    return of_metric


def _unit(of_metric: str, statistic: str) -> str:
    return {"vde": "relative", "slope": f"{of_metric} per minute".strip()}.get(statistic, of_metric)


def _reasons(frame: pd.DataFrame, status: str) -> dict[tuple[str, ...], str]:
    """(track, variant, metric) -> what its rows of that status say: why they were skipped, or what to know of them."""
    given = frame.loc[(frame["status"] == status) & (frame["reason"] != ""), ["track", "variant", "metric", "reason"]]
    grouped = given.drop_duplicates().groupby(["track", "variant", "metric"], observed=True)["reason"]
    return {tuple(map(str, key)): "; ".join(sorted(set(reasons))) for key, reasons in grouped}
