"""Experiments that made films of different samples, compared on those that all have."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.films.info import FilmInfo
from harness.core.job import Job
from harness.results.frame import SHOWN_DIGITS

if TYPE_CHECKING:
    import pandas as pd

    from reports.statistics.info import ReportInfo


def on_shared_samples(
    frame: "pd.DataFrame", info: "ReportInfo", jobs: Sequence[Job]
) -> "tuple[pd.DataFrame, ReportInfo]":
    """Both without the samples that some of the experiments lack, track by track, and with a sentence on it.

    A sample is the same where its films start from the same image and prompts. A track whose samples are all the same, or have
    none in common, stays as it is; so do scores of a whole set of films, which cannot be made of fewer.
    """
    for track in info.tracks:
        starts = [
            {sample.name: sample.start for sample in FilmInfo.read(folder).samples}
            for job in jobs
            for (_, _, made_on), folder in zip(job.settings["rows"], job.inputs["generate"], strict=True)
            if made_on == track
        ]
        shared = {name for name, start in starts[0].items() if start and all(one.get(name) == start for one in starts)}
        if shared and any(shared != one.keys() for one in starts):
            frame = _restricted(frame, track, {name: starts[0][name] for name in shared})
            info = _with_films(info, track, shared, max(map(len, starts)))
    return frame, info


def _restricted(frame: "pd.DataFrame", track: str, shared: Mapping[str, str]) -> "pd.DataFrame":
    digest = hashlib.sha256("".join(shared[name] for name in sorted(shared)).encode()).hexdigest()[:SHOWN_DIGITS]
    here = frame["track"] == track
    frame = frame.assign(samples=frame["samples"].astype(object).where(~here, digest))
    return frame[~here | frame["sample"].isin(shared)]


def _with_films(info: "ReportInfo", track: str, shared: set[str], most: int) -> "ReportInfo":
    """The films of these samples alone, and the first of them in every variant's picture."""
    videos = {
        row: [film for film in films if Path(film).stem in shared] for row, films in info.videos.get(track, {}).items()
    }
    # Arrays of frames are read by a film's row, which the first films alone still have.
    kept = all(films == info.videos[track][row][: len(films)] for row, films in videos.items())
    frames = info.frames.get(track, {}) if kept else {row: films[0] for row, films in videos.items() if films}
    truth = {name: path for name, path in info.truth.items() if kept or name != track}
    said = f"On {track} only the {len(shared)} samples that all have are compared, of up to {most}."
    return replace(
        info,
        videos={**info.videos, track: videos},
        frames={**info.frames, track: frames},
        truth=truth,
        caption=f"{info.caption} {said}",
    )
