"""Clips with settings of their own: a model is opened once for all of them, and a film is joined of what it made."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from harness.core.artifacts import CLIPS_MADE, SINGLE_FILM, TAKEN, TAKES
from harness.core.atomic import write_json
from harness.core.errors import UseError
from harness.core.job import Job
from harness.stages.loading import backbone_of, generator_with, transformers_of
from harness.stages.reading import Reading
from svi.artifacts import VIDEOS
from svi.data.open_video import fit_frames, padded_frames
from svi.data.picture import open_upright
from svi.generation.generator import Generator, Texts
from svi.generation.reel import Script
from svi.generation.takes import Link, Takes, names
from svi.generation.video import join_mp4
from svi.lora.stack import Lora


class Studio:
    """A model, opened once, that makes clips of any settings which leave it the same one."""

    def __init__(self, job: Job) -> None:
        read = Reading(job.settings)
        stacks = [[Lora(Path(path), strength) for path, strength in stack] for stack in job.settings["loras"]]
        self._job, self.base = job, backbone_of(job, read)
        self.models = transformers_of(job, read, self.base, stacks)
        self._texts = Texts(self.base, told=True)

    def maker(self, settings: Mapping[str, Any]) -> Generator:
        """The generation loop with these settings; prompts are encoded once for all."""
        job = replace(self._job, settings=dict(settings))
        maker = generator_with(job, Reading(job.settings), self.base, self.models)
        maker.texts = self._texts
        return maker

    def shoot(self, settings: Mapping[str, Any], links: Sequence[Link], takes: Takes) -> str:
        """The last clip of these, made with `settings` after those before it. Returns the take's name.

        Raises UseError for an image that cannot be read, ValueError where a clip before it is not there: it may have had others.
        """
        for clip, name in enumerate(names(links)[:-1], start=1):
            if name not in takes:
                raise ValueError(
                    f"{takes.folder}: clip {clip} (take {name[:8]}) is not there, though a later one is to follow it: make it first"
                )
        script = script_of(settings, [link.prompt for link in links])
        return list(self.maker(settings).takes(script, links, takes))[-1]


def script_of(settings: Mapping[str, Any], prompts: Sequence[str]) -> Script:
    """What a film of these prompts is made from. Raises UseError for an image that cannot be read."""
    data = Reading(settings).data
    try:
        image = np.asarray(open_upright(Path(settings["image"])))[None]
    except ValueError as error:
        raise UseError(str(error)) from error
    fit = padded_frames if settings.get("image.fit") == "pad" else fit_frames
    return Script(SINGLE_FILM, fit(image, data.height, data.width)[0], tuple(prompts))


def parts_of(clips: Sequence[Mapping[str, Any]]) -> list[slice]:
    """The frames of each clip that a film of clips with these settings shows: all of the last one, the overlap of two clips once,
    the anchor of a later clip never (svi.generation.generator.parts_shown, where all clips are alike)."""
    each = {id(settings): settings for settings in clips}  # most clips of a long film share theirs
    known = {key: Reading(settings) for key, settings in each.items()}
    reads = [known[id(settings)] for settings in clips]
    parts = []
    for clip, read in enumerate(reads):
        from_previous = read.generate.overlap_from == "previous"
        begin = read.condition.overlap if from_previous else int(read.condition.anchor)
        handed_on = 0 if from_previous or clip + 1 == len(reads) else reads[clip + 1].condition.motion_frames
        parts.append(slice(begin if clip else 0, read.data.clip_frames - handed_on))
    return parts


def join(file: Path, clips: Sequence[Mapping[str, Any]], wanted: Sequence[str], takes: Takes) -> None:
    """The film of these takes, made with these settings, as an mp4; written whole or not at all."""
    read = Reading(clips[0])
    fps = read.generate.film_fps(read.data)
    with TemporaryDirectory(prefix=".", dir=file.parent) as work:
        segments = [Path(work) / f"{clip:05d}.mp4" for clip in range(len(wanted))]
        for segment, name, part in zip(segments, wanted, parts_of(clips), strict=True):
            segment.hardlink_to(takes.segment(name, part, fps))
        join_mp4(file, segments)


def film(job: Job) -> None:
    """A film whose clips each have their own settings; only those are made that are not there. Raises UseError."""
    clips, takes = job.settings[CLIPS_MADE], Takes(Path(job.settings[TAKES]))
    links = [Link(*link) for link, _ in clips]
    settings, wanted = [made_with for _, made_with in clips], names(links)
    progress = job.counting("clip")
    takes.tidy()
    write_json(job.folder / TAKEN, wanted)  # from now on they are a film's
    progress(0, len(clips))
    studio: Studio | None = None
    for clip, name in enumerate(wanted, start=1):
        if name not in takes:
            studio = studio or Studio(replace(job, settings=settings[0]))
            studio.shoot(settings[clip - 1], links[:clip], takes)
        progress(clip, len(clips))
    (job.folder / VIDEOS).mkdir(exist_ok=True)
    join(job.folder / VIDEOS / f"{SINGLE_FILM}.mp4", settings, wanted, takes)
