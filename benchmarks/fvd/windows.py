"""Windows: the frames of a video that make one clip for I3D, each given by its first frame and a stride.

A window of stride s that starts at frame f has the frames f, f + s, ..., f + 15 s.
"""

from collections.abc import Sequence

FRAMES = 16


def span(stride: int) -> int:
    """Frames from a window's first to its last.

    Raises:
        ValueError: a stride below 1.
    """
    if stride < 1:
        raise ValueError(f"stride: received {stride}, expected 1 or more frames from one of a window to the next")
    return (FRAMES - 1) * stride + 1


def clip_starts(clips: Sequence[slice], stride: int = 1) -> tuple[int | None, ...]:
    """One window for each clip of a film, at the clip's start; None for a clip that is too short (the last may be).

    With them, how far the k-th clips of all films are from reference videos is a curve over k.

    Raises:
        ValueError: no clip, or not one that is long enough.
    """
    length = span(stride)
    starts = tuple(clip.start if clip.stop - clip.start >= length else None for clip in clips)
    if all(start is None for start in starts):
        longest = max((clip.stop - clip.start for clip in clips), default=0)
        raise ValueError(
            f"clips: received {len(clips)} of at most {longest} frames, expected at least {length} for {FRAMES} frames with "
            f"stride {stride}; lower the stride, or take windows of the whole film"
        )
    return starts


def check_starts(frames: int, starts: Sequence[int], stride: int) -> None:
    """Refuse windows that a video of `frames` does not hold whole.

    Raises:
        ValueError: no window, or one that begins before the video or ends after it.
    """
    length = span(stride)
    if frames < length:
        raise _too_short(f"{frames} frames", stride)
    if not starts:
        raise ValueError("windows: received none, expected the first frame of at least one")
    outside = [start for start in starts if not 0 <= start <= frames - length]
    if outside:
        raise ValueError(
            f"windows: received {len(outside)} that do not lie within the video's {frames} frames (the first starts at "
            f"frame {outside[0]}), expected starts from 0 to {frames - length} for {FRAMES} frames with stride {stride}"
        )


def _too_short(received: str, stride: int) -> ValueError:
    return ValueError(
        f"video: received {received}, expected at least {span(stride)} for {FRAMES} frames with stride {stride}; "
        "lower the stride or leave the video out"
    )
