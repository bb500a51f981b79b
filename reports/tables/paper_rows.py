"""What stands in a table of the paper: its published rows, and our own of the same tracks and metrics beside them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pandas as pd

from reports.statistics.comparability import require_comparable
from reports.statistics.frame import FILM, WINDOW, typed
from reports.statistics.measures import OFFICIAL
from reports.statistics.summary import Estimate, clip_counts, estimate, sample_statistics
from reports.tables.published import published

SCORED = "scored"
"""The experiment of videos that were scored, not made here; its variants are the methods' names."""
TRIVIAL = ("copy_image", "copy_clips", "ping_pong")
DYNAMIC = "dynamic_degree"
_CONSISTENCIES = {"subject_consistency", "background_consistency"}
_ABLATION = "ablation"
_GENERIC = ("full", "Wan 2.1")  # methods that any experiment has
_PERCENT = ("percent", "%")
_TRACKS = {
    ("consistent", "50"): "consistent-50s",
    ("consistent", "250"): "consistent-250s",
    ("creative", "50"): "creative-50s",
    ("creative", "250"): "creative-250s",
    ("conditional-talk", ""): "talk-300s",
    ("conditional-dance", "50"): "dance-50s",
}
Pair = tuple[str, str]
"""An experiment and its variant."""
MADE = ("suite", "weights", "fps", "resolution", "samples", "track_version", "compared_with")


@dataclass(frozen=True)
class Ours:
    """A variant of ours on one track.

    `method`: of the paper that it answers to, or none. `present`: whether the track has any score of it, in whatever
    metric. `values`: (metric, statistic) -> its estimate, in the paper's unit. By metric: `reasons`, why films were
    skipped; `notes`, what to know of it; `made`, its columns `MADE`. `clipwise`: metrics whose `value` is the mean of their
    clips, as they have no number of the whole film. `clips`: how many clips its films have, and the seconds of each.
    """

    experiment: str
    variant: str
    method: str = ""
    present: bool = False
    values: Mapping[tuple[str, str], Estimate] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)
    made: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    clipwise: frozenset[str] = frozenset()
    clips: tuple[int, float] | None = None

    @property
    def measured(self) -> bool:
        """Whether there is a number of the whole film in at least one of the table's metrics."""
        return any(statistic == "value" for _, statistic in self.values)

    @property
    def why(self) -> str:
        """Why nothing was measured; empty where something was."""
        if self.measured:
            return ""
        if self.reasons:
            return "see below"
        return "no metric of this table" if self.present else "not scored on this track"


@dataclass(frozen=True)
class Part:
    """One track of a table of the paper: `published` has the printed texts by method and metric, in the paper's order.

    `track` is ours that it is set beside, empty where we have none; `units` are the paper's.
    """

    source: str
    where: str
    seconds: str
    track: str
    metrics: tuple[str, ...]
    units: Mapping[str, str]
    published: Mapping[str, Mapping[str, str]]
    ours: tuple[Ours, ...]


def parts(name: str, frame: pd.DataFrame) -> list[Part]:
    """The tracks of a published table, each with our rows of it; of an ablation, with each track of ours in turn.

    `frame` is a results frame of any experiments. The paper's ablations state no track, so all of ours that are measured
    stand beside them, but only of experiments in which a variant answers to one of the table's changes.

    Raises:
        ValueError: no such table, a frame that `reports.statistics.frame.typed` refuses, or rows that were not made alike.
    """
    rows = published(name)
    pairs = _pairs(frame)
    frame = frame if frame.empty else typed(frame)
    found = []
    for (source, where, seconds), group in rows.groupby(["source", "track", "duration_s"], sort=False):
        methods, ablation = list(dict.fromkeys(group["method"])), where == _ABLATION
        answers = {pair: next((m for m in methods if answers_to(pair[1], m, ablation)), "") for pair in pairs}
        tracks = [_TRACKS.get((str(where), str(seconds)), "")]
        if ablation:
            telling = {pair[0] for pair, method in answers.items() if method not in ("", *_GENERIC)}
            answers = {pair: method for pair, method in answers.items() if pair[0] in telling}
            tracks = _measured_tracks(frame, telling) or [""]
        found += [_part(group, (str(source), str(where), str(seconds)), track, frame, answers) for track in tracks]
    return found


def answers_to(variant: str, method: str, ablation: bool) -> bool:
    """Whether a variant is named as a method of the paper: copy_image as Copy Image, no_e_img as without E_img.

    In an ablation `base` answers to the model that was fine-tuned.
    """
    if ablation and (variant, method) == ("base", "Wan 2.1"):
        return True
    return _plain(re.sub("^no_", "without_", variant)) == _plain(method)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9.]", "", name.lower())


def _pairs(frame: pd.DataFrame) -> list[Pair]:
    """In the order of the frame's rows, trivial baselines last."""
    if frame.empty:
        return []
    pairs = frame[["experiment", "variant"]].drop_duplicates().itertuples(index=False, name=None)
    return sorted(
        ((str(experiment), str(variant)) for experiment, variant in pairs), key=lambda pair: pair[1] in TRIVIAL
    )


def _measured_tracks(frame: pd.DataFrame, experiments: set[str]) -> list[str]:
    if frame.empty:
        return []
    of = set(frame.loc[frame["experiment"].isin(experiments) & (frame["status"] == "ok"), "track"].unique())
    return [track for track in _TRACKS.values() if track in of]


def _part(
    rows: pd.DataFrame, key: tuple[str, str, str], track: str, frame: pd.DataFrame, answers: Mapping[Pair, str]
) -> Part:
    metrics = list(dict.fromkeys(rows["metric"]))
    units = dict(zip(rows["metric"], rows["unit"], strict=True))
    texts: dict[str, dict[str, str]] = {}
    for row in rows.to_dict("records"):
        texts.setdefault(row["method"], {})[row["metric"]] = row["value"]
    if _CONSISTENCIES & set(metrics) and DYNAMIC not in metrics:
        # The paper's ablations leave it out; consistency is not to be read without it where it is known.
        metrics.append(DYNAMIC)
        units[DYNAMIC] = "percent"
    ours = [Ours(*pair, method) for pair, method in answers.items()]
    if ours and track:
        here = frame[frame["track"] == track].astype({"metric": object, "variant": object, "experiment": object})
        own = _own(here, metrics, list(answers))
        present = set(zip(here["experiment"], here["variant"], strict=True))
        ours = [_ours(own, row, row_pair in present, track, units) for row_pair, row in zip(answers, ours, strict=True)]
    if not any((DYNAMIC, "value") in row.values or DYNAMIC in row.reasons for row in ours):
        metrics = [metric for metric in metrics if metric in set(rows["metric"])]
    return Part(*key, track, tuple(metrics), units, texts, tuple(ours))


def _own(frame: pd.DataFrame, metrics: list[str], members: list[Pair]) -> pd.DataFrame:
    """The members' rows of these metrics, of the official package's where nothing else scored a metric.

    Raises:
        ValueError: rows that were not made alike; `Ours` of one name are told apart by their experiment.
    """
    scored = set(frame.loc[frame["status"] == "ok", "metric"])
    judged = {metric + OFFICIAL: metric for metric in metrics if metric not in scored and metric + OFFICIAL in scored}
    frame = frame[~frame["metric"].isin(set(judged.values()))].assign(
        metric=lambda rows: rows["metric"].replace(judged)
    )
    belongs = pd.MultiIndex.from_frame(frame[["experiment", "variant"]]).isin(members)
    frame = frame[frame["metric"].isin(metrics) & belongs]
    names = [variant for _, variant in members]
    who = {(e, v): v if names.count(v) == 1 else f"{v} of {e}" for e, v in members}
    pairs = zip(frame["experiment"], frame["variant"], strict=True)
    require_comparable(frame.assign(variant=[who[pair] for pair in pairs]))
    return frame


def _ours(frame: pd.DataFrame, row: Ours, present: bool, track: str, units: Mapping[str, str]) -> Ours:
    """The row with its numbers on a track, `frame` being the scores of all rows there."""
    rows = frame[(frame["experiment"] == row.experiment) & (frame["variant"] == row.variant)]
    ok, skipped = rows[rows["status"] == "ok"], rows[rows["status"] != "ok"]
    clips, seconds = ok[ok["view"] == WINDOW], _seconds(track)
    films = sample_statistics(rows, {track: seconds})
    n_clips = max(clip_counts(rows).values(), default=0)
    clipwise = set(clips["metric"]) - set(ok.loc[ok["view"] == FILM, "metric"])
    means = clips[clips["metric"].isin(clipwise)].groupby(["metric", "seed", "sample"], observed=True)["value"].mean()
    films = pd.concat([films, means.reset_index().assign(statistic="value")], ignore_index=True)
    kinds = ok.drop_duplicates("metric").to_dict("records")
    scales = {str(kind["metric"]): _scale(str(kind["unit"]), units[kind["metric"]]) for kind in kinds}
    values = {}
    indexed = films.set_index(["seed", "sample"])
    for (metric, statistic), group in indexed.groupby(["metric", "statistic"])["value"]:
        found, scale = estimate(group), scales[str(metric)]
        if found.n:
            of_unit = 1.0 if statistic == "vde" else scale  # relative to the metric itself
            values[str(metric), str(statistic)] = found._replace(mean=found.mean * of_unit, se=found.se * of_unit)
    told = ok[ok["reason"] != ""]
    reasons, notes = (
        {str(metric): "; ".join(sorted(set(group))) for metric, group in given.groupby("metric")["reason"]}
        for given in (skipped, told)
    )
    made = {str(kind["metric"]): {key: kind[key] for key in MADE} for kind in kinds}
    return replace(
        row, present=present, values=values, reasons=reasons, notes=notes, made=made, clipwise=frozenset(clipwise),
        clips=(n_clips, seconds / n_clips) if n_clips else None,
    )  # fmt: skip


def _scale(unit: str, of_paper: str) -> float:
    """What a score of ours is multiplied with to stand beside the paper's: raw 0..1 beside percent by 100."""
    return 100.0 if of_paper in _PERCENT and unit not in _PERCENT else 1.0


def _seconds(track: str) -> float:
    """Of film, as the track's name says; the clips of a film divide it evenly."""
    return float(re.findall(r"-(\d+)s$", track)[0])
