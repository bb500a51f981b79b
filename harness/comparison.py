"""Experiments side by side, and beside them anybody's scored videos: one results frame, and what a report must know of it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.compare import report_job
from harness.errors import UseError
from harness.results import costs, joined, report_info, results_frame
from harness.scored import Record, records
from harness.store import Store
from harness.worker import Job

if TYPE_CHECKING:
    import pandas as pd

    from reports.info import ReportInfo


@dataclass(frozen=True)
class _Part:
    """One experiment of a comparison; `names`: each of its variants -> its row, None where another part has the same films."""

    job: Job
    info: "ReportInfo"
    names: Mapping[str, str | None]

    def renamed(self, by_variant: Mapping[str, Any]) -> dict[str, Any]:
        return {row: by_variant[name] for name, row in self.names.items() if row is not None and name in by_variant}


def compared(store: Store, experiments: Sequence[str], scored: Sequence[str]) -> "tuple[pd.DataFrame, ReportInfo]":
    """The frame and the description of the newest reports of `experiments` together, with rows of `scored` videos.

    A row is called as its variant, or EXPERIMENT/VARIANT where names clash; a variant that two experiments share, made by the
    same stages, is one row. Differences are taken to the first experiment's baseline, on the tracks that all have.

    Raises UseError for an experiment without a report, none of their tracks in common, a name that is not scored there or is a
    variant's, or scores that were made differently.
    """
    from reports.frame import validated

    jobs = [report_job(store, name) for name in experiments]
    parts = _named([(job, report_info(job)) for job in jobs])
    info = replace(_together(parts), experiment=" + ".join(experiments))
    frames = [_rows(part, info.tracks) for part in parts]
    for one in _found(store, scored, info):
        frames.append(one.rows(store))
        info = _with_videos(info, one)
    info = replace(info, experiment=" + ".join([*experiments, *scored]))
    frame = joined(frame.assign(experiment=info.experiment) for frame in frames)
    try:
        return validated(frame, info), info
    except ValueError as error:
        raise UseError(str(error)) from error


def _named(found: "Sequence[tuple[Job, ReportInfo]]") -> list[_Part]:
    """The experiments with the names of their rows."""
    same: dict[str, set[frozenset[str]]] = {}
    for job, info in found:
        for name in info.variants:
            same.setdefault(name, set()).add(_made_by(job, name))
    seen: set[tuple[str, frozenset[str]]] = set()
    parts = []
    for job, info in found:
        names: dict[str, str | None] = {}
        for name in info.variants:
            key = (name, _made_by(job, name))
            row = name if len(same[name]) == 1 else f"{info.experiment}/{name}"
            names[name] = None if key in seen else row
            seen.add(key)
        parts.append(_Part(job, info, names))
    return parts


def _made_by(job: Job, variant: str) -> frozenset[str]:
    """The score artifacts of a variant: two experiments that have the same ones share it."""
    keys = zip(job.settings["scored"], job.inputs["score"], strict=True)
    return frozenset(folder.name for (name, _, _), folder in keys if name == variant)


def _together(parts: Sequence[_Part]) -> "ReportInfo":
    first, infos = parts[0], [part.info for part in parts]
    tracks = [track for track in first.info.tracks if all(track in info.tracks for info in infos)]
    if not tracks:
        has = "; ".join(f"{info.experiment} has {', '.join(info.tracks)}" for info in infos)
        raise UseError(f"no track that all experiments have: {has}; run one of them on the other's (tracks=...)")
    if len(parts) == 1:
        return first.info
    return replace(
        first.info,
        question=" ".join(f"{info.experiment}: {info.question}" for info in infos),
        profile=_listed(info.profile for info in infos),
        backbone=_listed(info.backbone for info in infos),
        caption=" ".join(dict.fromkeys(info.caption for info in infos)),
        reproduce="\n".join(info.reproduce for info in infos),
        baseline=str(first.names[first.info.baseline]),
        tracks=tracks,
        seeds=sorted({seed for info in infos for seed in info.seeds}),
        compare_to=tuple(dict.fromkeys(name for info in infos for name in info.compare_to)),
        costs=costs([part.job for part in parts]),
        variants=_union(part.renamed(part.info.variants) for part in parts),
        settings=_union(part.renamed(part.info.settings) for part in parts),
        errors=_union(part.renamed(part.info.errors) for part in parts),
        videos={track: _union(part.renamed(part.info.videos.get(track, {})) for part in parts) for track in tracks},
        frames={track: _union(part.renamed(part.info.frames.get(track, {})) for part in parts) for track in tracks},
        trivial=tuple(row for part in parts for name in part.info.trivial if (row := part.names[name]) is not None),
    )


def _rows(part: _Part, tracks: Sequence[str]) -> "pd.DataFrame":
    frame = results_frame(part.job)
    kept = {name: row for name, row in part.names.items() if row is not None}
    frame = frame[frame["track"].isin(tracks) & frame["variant"].isin(list(kept))]
    return frame.assign(variant=frame["variant"].map(kept))


def _found(store: Store, names: Sequence[str], info: "ReportInfo") -> Iterator[Record]:
    """The records of these names on the comparison's tracks."""
    known = [one for one in records(store) if one.track in info.tracks]
    for name in names:
        found = [one for one in known if one.name == name]
        if not found:
            listed = ", ".join(dict.fromkeys(one.name for one in known)) or "none"
            raise UseError(
                f"--with {name}: not scored on {', '.join(info.tracks)}; scored there: {listed}. "
                f"`harness score DIR --track {info.tracks[0]} --name {name}` scores it"
            )
        if name in info.variants:
            raise UseError(
                f"--with {name}: {info.experiment} has a variant of that name; score the videos under another one: "
                f"harness score {found[0].videos} --track {found[0].track} --name OTHER"
            )
        yield from found


def _with_videos(info: "ReportInfo", record: Record) -> "ReportInfo":
    """With a row of scored videos, which play beside the variants' films of the same names if they are still there."""
    from benchmarks.mp4 import mp4s

    folder = Path(record.videos)
    films = [str(path.resolve()) for path in mp4s(folder).values()] if folder.is_dir() else []
    videos = {**info.videos, record.track: {**info.videos.get(record.track, {}), record.name: films}}
    frames = {
        **info.frames,
        record.track: {**info.frames.get(record.track, {}), **({record.name: films[0]} if films else {})},
    }
    reproduce = "\n".join(dict.fromkeys([*info.reproduce.splitlines(), record.command]))
    return replace(info, variants={**info.variants, record.name: {}}, videos=videos, frames=frames, reproduce=reproduce)


def _union(parts: Iterable[dict[str, Any]]) -> dict[str, Any]:
    return {name: value for part in parts for name, value in part.items()}


def _listed(values: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(values))
