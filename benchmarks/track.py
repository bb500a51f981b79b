"""Tracks: how long a film is and which prompt each of its clips gets.

A clip is generated as L frames of which m (the motion frames) overlap the clip before. Two clips that meet show these
once, as the next or as the previous one has them, so n clips make n (L - m) + m frames. Source of the tracks:
Stable Video Infinity, section 4.
"""

import difflib
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, NamedTuple

Kind = Literal["consistent", "creative", "conditional"]
Condition = Literal["audio", "pose"]
FilmLengthRule = Literal["seconds", "paper_clips"]
Neighbour = Literal["next", "previous"]
PAPER_CLIP_SECONDS = 5.0
ENOUGH = 0.98  # share of a track's seconds that a film must last: other methods' clips seldom add up to all of them


def _require_positive(what: str, value: float) -> None:
    if not (math.isfinite(value) and value > 0):
        raise ValueError(f"{what}: received {value!r}, expected a finite number above 0")


@dataclass(frozen=True)
class Track:
    """One benchmark track; `version` rises whenever scores on it stop being comparable.

    A film of a conditional track also follows its `condition`: speech, or a skeleton. `fps`: the rate that films must have;
    None: any.

    Raises:
        ValueError: empty name, unknown kind, a duration, rate or version that is not positive, or a condition on another
            kind of track than a conditional one, or none on that.
    """

    name: str
    kind: Kind
    seconds: float
    version: int
    about: str
    condition: Condition | None = None
    fps: float | None = None

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("track name: received '', expected a name such as 'consistent-50s'")
        if self.kind not in ("consistent", "creative", "conditional"):
            raise ValueError(f"track kind: received {self.kind!r}, expected 'consistent', 'creative' or 'conditional'")
        allowed = ("audio", "pose") if self.kind == "conditional" else (None,)
        if self.condition not in allowed:
            expected = " or ".join(map(repr, allowed))
            raise ValueError(f"condition of a {self.kind} track: received {self.condition!r}, expected {expected}")
        _require_positive("track seconds", self.seconds)
        if self.fps is not None:
            _require_positive("track fps", self.fps)
        if self.version < 1:
            raise ValueError(f"track version: received {self.version!r}, expected an integer from 1")

    @property
    def paper_clips(self) -> int:
        """The paper's fixed number of clips: 10 for 50 s, 50 for 250 s, whatever the clips' true duration."""
        return max(1, round(self.seconds / PAPER_CLIP_SECONDS))


TRACKS: Mapping[str, Track] = MappingProxyType(
    {
        track.name: track
        for track in (
            Track("consistent-50s", "consistent", 50.0, 1, "One scene, one prompt for every clip, 50 s."),
            Track("consistent-250s", "consistent", 250.0, 1, "One scene, one prompt for every clip, 250 s."),
            Track(
                "consistent-300s",
                "consistent",
                300.0,
                1,
                "One scene, one prompt for every clip, 300 s: 4,800 frames at 16 fps.",
            ),
            Track("creative-50s", "creative", 50.0, 1, "A story: the next prompt every 5 s, 50 s."),
            Track("creative-250s", "creative", 250.0, 1, "A story: the next prompt every 5 s, 250 s."),
            Track("talk-300s", "conditional", 300.0, 1, "Speech moves the face, 300 s.", "audio", 25.0),
            Track("dance-50s", "conditional", 50.0, 1, "A skeleton moves the body, 50 s.", "pose"),
        )
    }
)


class FilmLength(NamedTuple):
    """How many clips to generate and how many frames of them to keep."""

    n_clips: int
    n_frames: int


def get_track(name: str) -> Track:
    """The track of that name.

    Raises:
        ValueError: no such track; names the nearest and all available ones.
    """
    if name in TRACKS:
        return TRACKS[name]
    near = difflib.get_close_matches(name, TRACKS, n=1)
    guess = f"did you mean {near[0]!r}? " if near else ""
    raise ValueError(f"track: received {name!r}; {guess}expected one of {', '.join(TRACKS)}")


def track_of_length(seconds: float) -> Track:
    """The consistent track of films that last so long, or one of their own: of as many whole 5 s as they last, or of less than 5 s.

    Raises:
        ValueError: `seconds` is not positive and finite.
    """
    _require_positive("seconds", seconds)
    for track in TRACKS.values():
        if track.kind == "consistent" and ENOUGH * track.seconds <= seconds <= track.seconds / ENOUGH:
            return track
    whole = PAPER_CLIP_SECONDS * int(seconds / (ENOUGH * PAPER_CLIP_SECONDS))
    length = whole or math.floor(100 * seconds) / 100
    return Track(f"videos-{length:g}s", "consistent", max(length, 0.01), 1, f"Videos of {length:g} s.")


def n_frames(seconds: float, fps: float) -> int:
    """Frames of a film of `seconds` at `fps`, rounded up so that it lasts at least that long.

    Raises:
        ValueError: `seconds` or `fps` is not a positive finite number.
    """
    _require_positive("seconds", seconds)
    _require_positive("fps", fps)
    # A product such as .28 s * 25 fps is 7.000000000000001 in floating point and must not cost an eighth frame.
    return max(1, math.ceil(round(seconds * fps, 6)))


def n_clips(seconds: float, fps: float, clip_frames: int, overlap: int) -> int:
    """Fewest clips of L = `clip_frames` with m = `overlap` that last `seconds`: ceil((seconds fps - m) / (L - m)).

    Raises:
        ValueError: a duration or rate that is not positive, or an overlap outside 0 .. L - 1.
    """
    _require_clip(clip_frames, overlap)
    return max(1, math.ceil((n_frames(seconds, fps) - overlap) / (clip_frames - overlap)))


def film_frames(n_clips: int, clip_frames: int, overlap: int) -> int:
    """Frames of a film that shows all that so many clips give it: n (L - m) + m."""
    return n_clips * (clip_frames - overlap) + overlap


def film_length(
    track: Track, fps: float, clip_frames: int, overlap: int, rule: FilmLengthRule = "seconds"
) -> FilmLength:
    """Clips and frames of a film on `track`: its true seconds, or the paper's fixed number of clips in full.

    With "paper_clips" the film has n (L - m) + m frames and lasts as long as these happen to last.

    Raises:
        ValueError: an unknown rule, or arguments that `n_clips` refuses.
    """
    if rule == "seconds":
        return FilmLength(n_clips(track.seconds, fps, clip_frames, overlap), n_frames(track.seconds, fps))
    if rule == "paper_clips":
        _require_positive("fps", fps)
        _require_clip(clip_frames, overlap)
        return FilmLength(track.paper_clips, film_frames(track.paper_clips, clip_frames, overlap))
    raise ValueError(f"film length rule: received {rule!r}, expected 'seconds' or 'paper_clips'")


def clip_slices(
    total_frames: int, clips: int, clip_frames: int, overlap: int, overlap_from: Neighbour = "next", anchor: int = 0
) -> tuple[slice, ...]:
    """The frames that each clip gave to the film: [i (L - m), (i + 1) (L - m)), the last clip up to the end.

    Where the m frames that two clips share are the previous one's, each clip but the first begins m frames later; where they are
    the next one's, and its first `anchor` frames repeat the start image and are not shown, so many later.

    Raises:
        ValueError: a film of `total_frames` does not reach, or is longer than, that many clips.
    """
    _require_clip(clip_frames, overlap)
    if clips < 1:
        raise ValueError(f"number of clips: received {clips}, expected 1 or more")
    step = clip_frames - overlap
    later = overlap if overlap_from == "previous" else anchor
    edges = [0, *range(step + later, clips * step + later, step)]
    shortest, longest = edges[-1] + 1, clips * step + overlap
    if not shortest <= total_frames <= longest:
        raise ValueError(
            f"frames of the film: received {total_frames}, expected {shortest} to {longest} for {clips} clips of "
            f"{clip_frames} frames that overlap by {overlap}"
        )
    return tuple(slice(start, stop) for start, stop in itertools.pairwise([*edges, total_frames]))


def windows(track: Track, frames: int, fps: float) -> tuple[slice, ...]:
    """The 5 s windows of a film on `track`, however it was made: edges at round(i 5 fps), the last one up to the end.

    10 windows for 50 s, 50 for 250 s, 60 for 300 s: what metrics are followed over where a film's clips are unknown.

    Raises:
        ValueError: a rate that is not positive or not the track's, or a film that lasts less than 98 % of the track's
            seconds or does not reach the last window.
    """
    _require_positive("fps", fps)
    if PAPER_CLIP_SECONDS * fps < 1:
        raise ValueError(f"fps: received {fps!r}, expected a frame in every {PAPER_CLIP_SECONDS:g} s at least")
    if track.fps is not None and not math.isclose(fps, track.fps, rel_tol=1e-3):
        raise ValueError(f"fps of a film on track {track.name!r}: received {fps:g}, expected {track.fps:g}")
    edges = [round(window * PAPER_CLIP_SECONDS * fps) for window in range(track.paper_clips)]
    fewest = max(math.ceil(round(ENOUGH * track.seconds * fps, 6)), edges[-1] + 1)
    if frames < fewest:
        raise ValueError(
            f"film on track {track.name!r}: received {frames} frames, {frames / fps:.4g} s at {fps:g} fps, expected at "
            f"least {fewest} frames of its {track.seconds:g} s"
        )
    return tuple(slice(start, stop) for start, stop in itertools.pairwise([*edges, frames]))


def prompts_for(track: Track, prompts: Sequence[str], n_clips: int, clips_per_prompt: int = 1) -> tuple[str, ...]:
    """One prompt per clip: the stream, whose last one repeats (creative), or the first for every clip (the others).

    A prompt of the stream lasts `clips_per_prompt` clips, so that it can hold for 5 s where a clip is shorter.

    Raises:
        ValueError: no prompt, something else than strings, or fewer than one clip.
    """
    if isinstance(prompts, str) or not all(isinstance(prompt, str) for prompt in prompts):
        raise ValueError(f"prompts: received {prompts!r}, expected a sequence of strings")
    if not prompts:
        raise ValueError(f"prompts for track {track.name!r}: received none, expected at least one")
    if n_clips < 1 or clips_per_prompt < 1:
        raise ValueError(f"number of clips: received {n_clips}, {clips_per_prompt} a prompt; expected 1 or more")
    if track.kind != "creative":
        return (prompts[0],) * n_clips
    return tuple(prompts[min(clip // clips_per_prompt, len(prompts) - 1)] for clip in range(n_clips))


def clips_per_prompt(fps: float, clip_frames: int, overlap: int) -> int:
    """Clips that one prompt of a stream lasts: as near to 5 s as whole clips come, at least one (one a clip for Wan)."""
    return max(1, round(PAPER_CLIP_SECONDS * fps / (clip_frames - overlap)))


def _require_clip(clip_frames: int, overlap: int) -> None:
    if clip_frames < 1:
        raise ValueError(f"clip frames: received {clip_frames!r}, expected 1 or more")
    if not 0 <= overlap < clip_frames:
        raise ValueError(f"overlap: received {overlap!r}, expected 0 to {clip_frames - 1} (below the clip's frames)")
