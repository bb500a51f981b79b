"""Experiments side by side, and beside them anybody's scored videos: one results frame, and what a report must know of it."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.core.errors import UseError
from harness.core.job import Job
from harness.core.store import Store
from harness.results.drifts import drifts_of
from harness.results.frame import joined, score_rows
from harness.results.info import SEEDS, costs, forecast_share, report_info, settings_read
from harness.results.reports import report_job
from harness.results.scored_videos import ScoredVideos, scored_videos
from harness.results.shared_samples import on_shared_samples
from harness.results.trainings import with_known

if TYPE_CHECKING:
    import pandas as pd

    from reports.statistics.info import ReportInfo


@dataclass(frozen=True)
class _Part:
    """One experiment of a comparison; `names`: each of its variants -> its row, which another part may have too."""

    job: Job
    info: "ReportInfo"
    names: Mapping[str, str]

    def renamed(self, by_variant: Mapping[str, Any]) -> dict[str, Any]:
        return {row: by_variant[name] for name, row in self.names.items() if name in by_variant}


@dataclass(frozen=True)
class _Row:
    """A row of a comparison: the experiment that has it first, and what its films scored, by track and seed."""

    experiment: str
    scores: dict[tuple[str, int], frozenset[str]]

    def is_of(self, scores: Mapping[tuple[str, int], frozenset[str]]) -> bool:
        """Whether these are the same films wherever both have a track and a seed, and both have one of these at least."""
        both = self.scores.keys() & scores.keys()
        return bool(both) and all(self.scores[key] == scores[key] for key in both)


def compared(store: Store, experiments: Sequence[str], scored: Sequence[str]) -> "tuple[pd.DataFrame, ReportInfo]":
    """The frame and the description of the newest reports of `experiments` together, with rows of `scored` videos.

    A row is called as its variant, or EXPERIMENT/VARIANT where names clash; a variant that two experiments share, made by the
    same stages, is one row with the films of both. Differences are taken to the first experiment's baseline, on the tracks
    and samples that all have.

    Raises UseError for an experiment without a report, none of their tracks in common, a name that is not scored there or is a
    variant's, or scores that were made differently.
    """
    from reports.statistics.frame import validated

    jobs = [report_job(store, name) for name in experiments]
    # Two runs of one experiment are told apart by the runs' names.
    found = [(job, replace(report_info(job), experiment=name)) for job, name in zip(jobs, experiments, strict=True)]
    tracks = _shared_tracks([info for _, info in found])
    parts = _parts(found, tracks)
    info = replace(_joint_info(parts, tracks), experiment=" + ".join(experiments))
    films = _films(parts, tracks)
    joint = joined(
        score_rows(folder, experiment=info.experiment, variant=row, track=track, seed=seed)
        for (row, track, seed), folder in films
    )
    joint, info = on_shared_samples(joint, info, jobs)
    info = with_known(info, jobs[0], joint)
    frames, drifts = [joint], [drifts_of(films)]
    if scored:
        info = replace(info, caption=_caption_beside_seeds(info.caption, parts[0].info.seeds))
    for one in _chosen_videos(store, scored, info):
        # Once, and not beside each seed: films that are the same for all seeds would show no spread at all.
        frames.append(one.rows(store, parts[0].info.seeds[0]))
        info = _info_with_videos(info, one)
        drifts.append(one.drifts(store, parts[0].info.seeds[0]))
    info = replace(info, experiment=" + ".join([*experiments, *scored]), drifts=joined(drifts))
    frame = joined(frame.assign(experiment=info.experiment) for frame in frames)
    try:
        return validated(frame, info), info
    except ValueError as error:
        raise UseError(str(error)) from error


def _shared_tracks(infos: "Sequence[ReportInfo]") -> list[str]:
    tracks = [track for track in infos[0].tracks if all(track in info.tracks for info in infos)]
    if not tracks:
        has = "; ".join(f"{info.experiment} has {', '.join(info.tracks)}" for info in infos)
        raise UseError(f"no track that all experiments have: {has}; run one of them on the other's (tracks=...)")
    return tracks


def _parts(found: "Sequence[tuple[Job, ReportInfo]]", tracks: Sequence[str]) -> list[_Part]:
    """The experiments with the names of their rows."""
    rows: dict[str, list[_Row]] = {}
    of_parts: list[dict[str, _Row]] = []
    for job, info in found:
        of_parts.append({})
        for name in info.variants:
            scores, known = _score_folders(job, name, tracks), rows.setdefault(name, [])
            row = next((row for row in known if row.is_of(scores)), None)
            if row is None:
                known.append(row := _Row(info.experiment, {}))
            row.scores.update(scores)
            of_parts[-1][name] = row
    named = [
        {name: name if len(rows[name]) == 1 else f"{row.experiment}/{name}" for name, row in of_part.items()}
        for of_part in of_parts
    ]
    return [_Part(job, info, names) for (job, info), names in zip(found, named, strict=True)]


def _score_folders(job: Job, variant: str, tracks: Sequence[str]) -> dict[tuple[str, int], frozenset[str]]:
    """The score artifacts of a variant by track and seed."""
    found: dict[tuple[str, int], frozenset[str]] = {}
    for (name, seed, track), folder in zip(job.settings["scored"], job.inputs["score"], strict=True):
        if name == variant and track in tracks:
            found[track, seed] = found.get((track, seed), frozenset()) | {folder.name}
    return found


def _joint_info(parts: Sequence[_Part], tracks: list[str]) -> "ReportInfo":
    first, infos = parts[0], [part.info for part in parts]
    if len(parts) == 1:
        return first.info
    return replace(
        first.info,
        question=_questions(infos),
        profile=_comma_list(info.profile for info in infos),
        backbone=_comma_list(info.backbone for info in infos),
        caption=" ".join(dict.fromkeys(info.caption for info in infos)),
        reproduce="\n".join(info.reproduce for info in infos),
        baseline=first.names[first.info.baseline],
        tracks=tracks,
        seeds=sorted({seed for info in infos for seed in info.seeds}),
        compare_to=tuple(dict.fromkeys(name for info in infos for name in info.compare_to)),
        yes_if=None,
        orderings=None,
        spent=_first_of_each(part.renamed(part.info.spent) for part in parts),
        still=first.names.get(first.info.still or ""),
        costs=costs([part.job for part in parts]),
        forecast_share=forecast_share([part.job for part in parts]),
        variants=_first_of_each(part.renamed(part.info.variants) for part in parts),
        settings=_settings_by_row(parts, tracks),
        errors=_first_of_each(part.renamed(part.info.errors) for part in parts),
        videos=_by_track(parts, tracks, lambda info: info.videos),
        frames=_by_track(parts, tracks, lambda info: info.frames),
        misses=_by_track(parts, tracks, lambda info: info.misses),
        looks=max(info.looks for info in infos),
        trainings=_trainings(parts),
        objects=max(info.objects for info in infos),
        trivial=tuple(dict.fromkeys(row for row in _trivial_rows(parts) if row != first.names[first.info.baseline])),
    )


def _by_track(
    parts: Sequence[_Part], tracks: Sequence[str], of: "Callable[[ReportInfo], Mapping[str, Mapping[str, Any]]]"
) -> dict[str, dict[str, Any]]:
    """Track -> row -> what the first description with that row has of it."""
    return {track: _first_of_each(part.renamed(of(part.info).get(track, {})) for part in parts) for track in tracks}


def _trainings(parts: Sequence[_Part]) -> dict[str, dict[int, str]]:
    """Row -> seed -> its training, of the seeds of all parts."""
    found: dict[str, dict[int, str]] = {}
    for part in parts:
        for row, by_seed in part.renamed(part.info.trainings).items():
            found.setdefault(row, {}).update(by_seed)
    return found


def _questions(infos: "Sequence[ReportInfo]") -> str:
    """Each question once, with the names of those that ask it."""
    asked: dict[str, list[str]] = {}
    for info in infos:
        asked.setdefault(info.question, []).append(info.experiment)
    return " ".join(f"{', '.join(names)}: {question}" for question, names in asked.items())


def _trivial_rows(parts: Sequence[_Part]) -> Iterator[str]:
    return (part.names[name] for part in parts for name in part.info.trivial)


def _settings_by_row(parts: Sequence[_Part], tracks: Sequence[str]) -> dict[str, dict[str, object]]:
    """Row -> the values of all settings that any variant sets, and of those in which any two rows differ."""
    found = _first_of_each(part.renamed(settings_read(part.job, tracks[:1])) for part in parts)
    values: dict[str, set[str]] = {}
    for key, value in [pair for read in found.values() for pair in read.items()]:
        values.setdefault(key, set()).add(repr(value))
    kept = {key for part in parts for sets in part.info.variants.values() for key in sets}
    kept |= {key for key, several in values.items() if len(several) > 1} - set(SEEDS)
    return {row: {key: value for key, value in read.items() if key in kept} for row, read in found.items()}


def _films(parts: Sequence[_Part], tracks: Sequence[str]) -> list[tuple[tuple[str, str, int], Path]]:
    """The score artifacts of all parts by (row, track, seed); what several parts have stands there once."""
    found = (
        ((part.names[name], track, seed), folder)
        for part in parts
        for (name, seed, track), folder in zip(part.job.settings["scored"], part.job.inputs["score"], strict=True)
        if track in tracks
    )
    return list(dict.fromkeys(found))


def _caption_beside_seeds(caption: str, seeds: Sequence[int]) -> str:
    """With what is compared where videos, which have no seed, stand beside the baseline's films of several."""
    if len(seeds) < 2:
        return caption
    return (
        f"{caption} Scored videos have no seed: their differences are to the baseline's films of seed {seeds[0]} alone."
    )


def _chosen_videos(store: Store, names: Sequence[str], info: "ReportInfo") -> Iterator[ScoredVideos]:
    """The records of these names on the comparison's tracks."""
    known = [one for one in scored_videos(store) if one.track in info.tracks]
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


def _info_with_videos(info: "ReportInfo", record: ScoredVideos) -> "ReportInfo":
    """With a row of scored videos, which play beside the variants' films of the same names if they are still there."""
    from benchmarks.films.layouts import videos_of

    folder, beside = Path(record.videos), info.videos.get(record.track, {})
    samples = None if record.by_name else [Path(film).stem for film in beside.get(info.baseline, ())]
    found = videos_of(folder, samples)[0] if folder.is_dir() else {}
    films = {name: str(path.resolve()) for name, path in found.items()}
    # The player knows a sample by its file's name.
    played = [film for name, film in films.items() if Path(film).stem == name]
    videos = {**info.videos, record.track: {**beside, record.name: played}}
    # The sample that the variants' frames show.
    first = next((Path(film).stem for film in beside.get(info.baseline, ())), "")
    shown = {record.name: films[first]} if first in films else {}
    frames = {**info.frames, record.track: {**info.frames.get(record.track, {}), **shown}}
    reproduce = "\n".join(dict.fromkeys([*info.reproduce.splitlines(), record.command]))
    variants = {**info.variants, record.name: {}}
    return replace(info, variants=variants, videos=videos, frames=frames, reproduce=reproduce)


def _first_of_each(parts: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Of what several parts have, the first one's."""
    found: dict[str, Any] = {}
    for part in parts:
        found = {**found, **{name: value for name, value in part.items() if name not in found}}
    return found


def _comma_list(values: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(values))
