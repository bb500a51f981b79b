"""A video that a film goes on from: whether it can, and what is said of it."""

import math
from collections.abc import Iterator
from pathlib import Path

from harness.core.errors import UseError
from harness.declare.settings import Settings
from harness.plan.method import Method
from svi.generation.opening import Opening
from svi.generation.video import shown_size
from svi.parts import BUILT_IN, FRAMES_ON

SAME_RATE = 2e-3  # NTSC's 23.976 and 29.97 frames a second go on at 24 and 30


def opening_of(video: Path, target: Path) -> Opening:
    """Raises UseError for what is no readable video, or would be overwritten."""
    if target.exists() and target.samefile(video):
        raise UseError(
            f"--video {video} is also the film's own name, so that it would be overwritten; choose another OUT.mp4"
        )
    try:
        return Opening.of(video)
    except ValueError as error:
        raise UseError(f"--video {error}") from error


def check(opening: Opening, method: Method, settings: Settings) -> None:
    """Raises UseError for a video that a film of these settings cannot go on from."""
    fps, motion = settings.generate.film_fps(settings.data), settings.condition.motion_frames
    given = f"--video {opening.file}"
    if method.signal is not None:
        raise UseError(
            f"{given}: a film that follows condition.signal={method.signal.name} begins with its image; leave one out"
        )
    if FRAMES_ON not in method.generation.part.gives:
        able = " or ".join(name for name, part in BUILT_IN["generation"].items() if FRAMES_ON in part.gives)
        loop = method.generation.name
        raise UseError(
            f"{given}: method.generation={loop} begins a film with one image; set method.generation to {able}"
        )
    if not math.isclose(opening.fps, fps, rel_tol=SAME_RATE):
        whole = math.isclose(opening.fps, round(opening.fps), rel_tol=SAME_RATE)
        way = f"set generate.fps={round(opening.fps)}, or " if whole else ""
        raise UseError(
            f"{given} has {opening.fps:g} frames a second and the film {fps}; {way}convert the video to {fps}"
        )
    if opening.frames < motion:
        raise UseError(
            f"{given} has {opening.frames} frames, and its last {motion} (condition.motion_frames) would condition the first clip; "
            "give a longer one, or set fewer motion frames"
        )


def said(opening: Opening | None, settings: Settings) -> Iterator[str]:
    """What becomes of the video's own pictures and sound."""
    if opening is None:
        return
    why = opening.unlike(*shown_size(settings.data.height, settings.data.width))
    how = f"encoded again and so not quite as they were, since {why}" if why else "copied as they are"
    yield f"the film begins with the {opening.frames} frames of {opening.file}, {how}"
    if opening.heard:
        yield f"the sound of {opening.file} is left out"
