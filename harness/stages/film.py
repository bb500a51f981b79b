"""The stages that make one film, from an image and prompts, with LoRA files from anywhere."""

import shutil
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
from torch import nn

from benchmarks.told import told_in
from benchmarks.track import film_frames
from harness.core.artifacts import CARDS, EACH, LINES, MOST, PATIENCE, ROOT, SINGLE_FILM, STREAM, TAKEN, TAKES
from harness.core.atomic import write_json
from harness.core.errors import UseError
from harness.core.job import Job
from harness.stages.loading import backbone_of, generator_with, signal_of, transformers_of
from harness.stages.reading import Reading
from harness.stages.scripts import followed
from svi.artifacts import VIDEOS
from svi.backbones import cards
from svi.backbones.adapters import adapters_of
from svi.backbones.backbone import Backbone
from svi.backbones.wrapped import bare
from svi.course import Course
from svi.data.open_video import fit_frames, padded_frames
from svi.data.picture import open_upright
from svi.frames import Frames
from svi.generation.generator import Generator, Texts, parts_shown
from svi.generation.opening import Opening
from svi.generation.reel import WORK, Script
from svi.generation.sound import Sound
from svi.generation.takes import Link, Takes, links_of, names, seed_of
from svi.generation.video import join_mp4, shown_size, stream_mp4, write_mp4
from svi.lora.stack import Lora
from svi.training import ranks


def film(job: Job) -> None:
    """The film of its takes, of which only those are made that are not there. Raises UseError."""
    together = job.settings.get(CARDS, 1) > 1
    if together:
        ranks.join()
    if job.first_rank:
        _made(job)
        if together:
            cards.dismiss()
    elif cards.called():
        read = Reading(job.settings)
        cards.serve(_transformers(job, read, backbone_of(job, read)))


def _made(job: Job) -> None:
    """The same, by this rank; others may help."""
    read, work = Reading(job.settings), job.folder / WORK
    shutil.rmtree(work, ignore_errors=True)  # of an interrupted one
    work.mkdir()
    opening, segments = _opening(job), list[Path]()
    script, copied = _script(job, read, opening), _copied(opening, read)

    def coming() -> Iterator[Path]:
        if opening and not copied:
            segments.append(_encoded(work, opening, job, read))
            yield segments[-1]
        for segment in _segments(job, read, script, copied):
            segments.append(work / f"{len(segments):05d}.mp4")
            segments[-1].hardlink_to(segment)
            yield segments[-1]

    _watched(job, coming(), copied)
    (job.folder / VIDEOS).mkdir(exist_ok=True)
    sound = None if script.sound is None else Sound(script.sound)
    join_mp4(job.folder / VIDEOS / f"{SINGLE_FILM}.mp4", segments, sound, copied)
    shutil.rmtree(work)


def told(job: Job) -> None:
    """The takes of a film whose prompts appear in a file meanwhile; the film is another stage's. Raises UseError."""
    read, opening, takes = Reading(job.settings), _opening(job), Takes(Path(job.settings[TAKES]))
    script, copied, counting = _script(job, read, opening), _copied(opening, read), job.counting("clip")
    takes.tidy()
    maker = _maker(job, read, script)
    maker.texts = Texts(maker.backbone, told=True)
    links, fps, timing = (
        list[Link](),
        read.generate.film_fps(read.data),
        (read.data.clip_frames, read.condition.overlap),
    )

    def coming() -> Iterator[list[Link]]:
        counting(0, 0)
        for prompts in _told(job):
            begin = len(links)
            clips = [prompt for prompt in prompts for _ in range(job.settings[EACH])][: job.settings[MOST] - begin]
            links.extend(
                Link(job.settings[ROOT], one, seed_of(begin + i, read.generate)) for i, one in enumerate(clips)
            )
            yield links[begin:]
            if len(links) >= job.settings[MOST]:
                return

    def segments() -> Iterator[Path]:
        if opening and not copied and STREAM in job.settings:
            yield _encoded(job.folder, opening, job, read)
        for clip, name in enumerate(maker.growing(script, coming(), takes)):
            counting(clip + 1, len(links))
            shown = _parts(clip + 2, film_frames(clip + 2, *timing), read, script)[clip]  # another may follow
            if shown.start < shown.stop:
                yield takes.segment(name, shown, fps, copied.colours if copied else None)

    _watched(job, segments(), copied)


def _told(job: Job) -> Iterator[list[str]]:
    """Prompts as they appear. Raises UseError for what is no text."""
    try:
        yield from told_in(Path(job.settings[LINES]), job.settings[PATIENCE])
    except ValueError as error:
        raise UseError(f"--prompts: {error}") from error


def _watched(job: Job, segments: Iterator[Path], copied: Opening | None) -> None:
    """All of them made, and shown meanwhile where that is asked for."""
    if STREAM in job.settings:
        stream_mp4(Path(job.settings[STREAM]), segments, copied)
    deque(segments, maxlen=0)


def _opening(job: Job) -> Opening | None:
    """The video that it goes on from. Raises UseError for one that cannot be read."""
    try:
        return Opening.of(Path(job.settings["video"])) if "video" in job.settings else None
    except ValueError as error:
        raise UseError(str(error)) from error


def _copied(opening: Opening | None, read: Reading) -> Opening | None:
    """Where the opening's packets begin the film as they are."""
    return opening if opening and not opening.unlike(*shown_size(read.data.height, read.data.width)) else None


def _script(job: Job, read: Reading, opening: Opening | None) -> Script:
    """What it is made from; what it follows lies beside it. Raises UseError for files that cannot be read."""
    try:
        before = None if opening is None else opening.last(read.data.clip_frames)
        if "image" in job.settings:
            image = np.asarray(open_upright(Path(job.settings["image"])))
        else:
            assert before is not None
            image = before[-1]
    except ValueError as error:
        raise UseError(str(error)) from error
    start, before = _fit(image[None], job, read)[0], None if before is None else _fit(before, job, read)
    script = Script(SINGLE_FILM, start, tuple(job.settings.get("prompts", ())), _course(job, read), before=before)
    return followed([script], job.folder)[0]


def _fit(frames: Frames, job: Job, read: Reading) -> Frames:
    """[F, h, w, 3] -> [F, H, W, 3], cropped, or with bars."""
    fit = padded_frames if job.settings.get("image.fit") == "pad" else fit_frames
    return fit(frames, read.data.height, read.data.width)


def _encoded(folder: Path, opening: Opening, job: Job, read: Reading) -> Path:
    """The opening as a segment like those of the clips. Raises UseError for one that cannot be decoded."""
    file, pictures = folder / "opening.mp4", (_fit(picture[None], job, read)[0] for picture in opening.pictures())
    try:
        write_mp4(file, pictures, read.generate.film_fps(read.data), read.data.height, read.data.width)
    except ValueError as error:
        raise UseError(str(error)) from error
    return file


def _parts(clips: int, frames: int, read: Reading, script: Script) -> list[slice]:
    """What the film shows of each clip; behind a video not what they share with that, which may be all that a clip would show."""
    parts = parts_shown(clips, frames, read.data.clip_frames, read.condition, read.generate)
    if script.before is None:
        return parts
    shared, step = read.condition.overlap, read.data.clip_frames - read.condition.overlap
    first = (shared - clip * step for clip in range(clips))
    return [slice(min(max(part.start, new), part.stop), part.stop) for part, new in zip(parts, first, strict=True)]


def _segments(job: Job, read: Reading, script: Script, copied: Opening | None) -> Iterator[Path]:
    """An mp4 of each clip, as far as the film shows it, once it is there. The model is loaded where a clip is to be made."""
    takes, clips, progress = Takes(Path(job.settings[TAKES])), len(script.prompts), job.counting("clip")
    takes.tidy()
    links = links_of(script.prompts, read.generate, job.settings[ROOT])
    fps, wanted = read.generate.film_fps(read.data), names(links)
    write_json(job.folder / TAKEN, wanted)  # from now on they are a film's
    parts = _parts(clips, job.settings["frames"], read, script)
    missing = [name for name in wanted if name not in takes]
    made = len(wanted) - len(missing)
    progress(made, clips)
    found = _maker(job, read, script).takes(script, links, takes) if missing else iter(wanted)
    for name, part in zip(found, parts, strict=True):
        if part.start < part.stop:
            yield takes.segment(name, part, fps, copied.colours if copied else None)
        if name in missing:
            made += 1
            progress(made, clips)


def _maker(job: Job, read: Reading, script: Script) -> Generator:
    if job.settings.get(CARDS, 1) > 1:
        cards.call()
    base = backbone_of(job, read)
    maker = generator_with(job, read, base, _transformers(job, read, base))
    if script.signal is not None:
        _check_followed(job, read, maker.denoiser.models.values())
    return maker


def _transformers(job: Job, read: Reading, base: Backbone) -> Mapping[str, nn.Module]:
    """With the film's LoRAs, and of several cards together. Raises UseError for what so many cannot share."""
    stacks = [[Lora(Path(path), strength) for path, strength in stack] for stack in job.settings["loras"]]
    models, together = transformers_of(job, read, base, stacks), job.settings.get(CARDS, 1)
    if together > 1:
        try:
            cards.share(models, together)
        except ValueError as error:
            raise UseError(f"--cards {together}: {error}") from error
    return models


def _course(job: Job, read: Reading) -> Course | None:
    """What a single film follows. Raises UseError for a file that it cannot."""
    signal = signal_of(job, read)
    if signal is None:
        return None
    data = read.data.model_copy(update={"fps": read.generate.film_fps(read.data)})
    try:
        return signal.course(Path(job.settings["signal"]), job.settings["frames"], data)
    except ValueError as error:
        raise UseError(f"condition.signal={signal.key}: {error}") from error


def _check_followed(job: Job, read: Reading, models: Iterable[nn.Module]) -> None:
    """Raises UseError where a film would follow nothing: a Wan adds zeros for a signal whose weights it was not given. What one's
    own class attaches is its own matter."""
    given = "backbone" in job.inputs or read.condition.weights is not None or "condition.signal.source" in job.settings
    if given or read.generate.signal == "none":
        return
    if not all(adapter.filled for model in models for adapter in adapters_of(bare(model))):
        raise UseError(
            f"condition.signal={read.condition.signal}: nothing would follow it, since what it adds to the model is untrained; "
            "give condition.weights=FILE, or a --lora that has it beside the LoRA"
        )
