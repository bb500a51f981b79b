"""Films without a model's drift: the start image, or the base model's first clip, again and again, or what the codec alone makes.

Those that repeat beat every method on consistency (Stable Video Infinity, Table 5), so a table without them misleads.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from svi.frames import Progress
from svi.generation.reel import Handoff, Reel, Script, reels
from svi.settings import COPY_IMAGE, PING_PONG, RECODE, GenerateSettings

if TYPE_CHECKING:
    from svi.generation.generator import Generator


def shown(method: str, frames: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    """Which of the `length` frames of the first clip each of these frames of a film shows.

    copy_clips: the clip from its start again; ping_pong: forwards, then backwards, and no frame twice at a turn.
    """
    if method != PING_PONG:
        return frames % length
    period = max(2 * (length - 1), 1)
    phase = frames % period
    return np.minimum(phase, period - phase)


def write_films(
    scripts: Sequence[Script],
    clips: Sequence[slice],
    fps: int,
    folder: Path,
    settings: GenerateSettings,
    maker: "Generator | None",
    progress: Progress,
) -> None:
    """Write videos/<name>.mp4 (and frames.npy) as `Generator.films` does, a segment for each of the `clips` of a film.

    By `settings.method`; `maker` makes clips, None: the start image is all of it (copy_image). Resumes at the segment where it
    stopped. `progress(clips, all clips)` counts over all films.

    Raises ValueError as `reels` does, and for a method that needs a `maker` and gets none.
    """
    if (maker is None) != (settings.method == COPY_IMAGE):
        raise ValueError(
            f"method: received {settings.method!r} and maker {maker!r}; only {COPY_IMAGE} goes without one"
        )
    parts = reels(folder, scripts, clips[-1].stop, fps, settings.together, settings.lossless)
    if maker is not None and settings.method != RECODE:
        begun = [rows for rows, reel in parts if not reel.done and reel.resume() is None]
        maker.encode([scripts[row].prompts[0] for rows in begun for row in rows], folder)
    done = 0
    for rows, reel in parts:
        mine = [scripts[row] for row in rows]
        if maker is not None and settings.method == RECODE:
            counts = _recode(mine, reel, clips, maker)
        else:
            counts = _repeat(mine, reel, clips, settings.method, maker)
        for made in counts:
            progress(done + made * len(rows), len(scripts) * len(clips))
        done += len(rows) * len(clips)


def _repeat(
    scripts: Sequence[Script], reel: Reel, clips: Sequence[slice], method: str, maker: "Generator | None"
) -> Iterator[int]:
    """Clips that are there, again after each one."""
    handoff = None if reel.done else reel.resume() or Handoff(0, {})
    if handoff is not None and handoff.clip == 0:
        yield 0
        reel.keep(np.stack([script.image for script in scripts])[:, None] if maker is None else maker.first(scripts))
    while handoff is not None and handoff.clip < len(clips):
        if handoff.clip:
            yield handoff.clip
        frames, first = clips[handoff.clip], reel.kept()
        repeated = shown(method, np.arange(frames.start, frames.stop), first.shape[1])
        handoff = Handoff(handoff.clip + 1, {})
        reel.write(first[:, repeated], frames.start, handoff)
    reel.finish(len(clips))
    yield len(clips)


def _recode(scripts: Sequence[Script], reel: Reel, clips: Sequence[slice], maker: "Generator") -> Iterator[int]:
    """Clips that are there, again after each one: each is the last frame of the one before, standing still, encoded and decoded."""
    images = np.stack([script.image for script in scripts])
    handoff = None if reel.done else reel.resume() or Handoff(0, {"frames": images})
    while handoff is not None and handoff.clip < len(clips):
        yield handoff.clip
        frames, made = clips[handoff.clip], maker.still(handoff.past["frames"])
        handoff = Handoff(handoff.clip + 1, {"frames": made[:, -1]})
        reel.write(made[:, : frames.stop - frames.start], frames.start, handoff)
    reel.finish(len(clips))
    yield len(clips)
