"""Films that follow something, in a plan: whether a track's have it, and whether samples have it for as long as films last."""

from collections.abc import Hashable, Sequence
from pathlib import Path

from benchmarks.samples import Sample
from benchmarks.track import ENOUGH, Track
from harness.core.errors import UseError
from harness.declare.doors import loaded
from harness.declare.parts import Chosen
from harness.declare.settings import Settings
from harness.plan.length import length_of
from svi.settings import COPY_IMAGE


def lasting(signal: Chosen, sample: Path, settings: Settings) -> int:
    """For how many frames a film can follow a sample: a folder, or the one file. Raises UseError for none that can be followed."""
    data = settings.data.model_copy(update={"fps": settings.generate.film_fps(settings.data)})
    try:
        frames: int = loaded(signal.part.target).of(settings).frames(sample, data)
    except (ValueError, OSError) as error:
        raise UseError(f"condition.signal={signal.name}: {error}") from error
    return frames


class Lengths:
    """Of samples' signals, each looked at once however many variants follow it."""

    def __init__(self) -> None:
        self._known: dict[Hashable, int] = {}

    def check(self, signal: Chosen, samples: Sequence[Sample], track: Track, settings: Settings) -> None:
        """Raises UseError for a sample whose signal is missing, cannot be read, or ends before its film, and for one
        alone where each film is to follow another's."""
        made, condition = settings.generate, settings.condition
        if made.method == COPY_IMAGE:
            return
        if made.signal == "another" and len(samples) < 2:
            raise UseError(
                f"generate.signal=another: each film follows the signal of another sample, and {samples[0].name} is the only one; "
                "add samples to eval.path, or set generate.samples above 1"
            )
        fps = made.film_fps(settings.data)
        wanted = length_of(settings, track).n_frames
        for sample in samples:
            key = (sample.image, signal.part.target, condition.encoder, fps)
            if key not in self._known:
                self._known[key] = lasting(signal, sample.image.parent, settings)
            if self._known[key] < wanted:
                raise UseError(
                    f"condition.signal={signal.name}: {sample.image.parent} has it for {self._known[key] / fps:g} s, and films of "
                    f"{track.name} last for {wanted / fps:g} s; give a longer one, or take a shorter track"
                )


def check_films(track: Track, settings: Settings) -> None:
    """Raises UseError where the track's films have a rate or length, or follow what these do not, or nothing that is there."""
    kind, fps = settings.condition.signal, settings.generate.film_fps(settings.data)
    if track.condition not in (None, kind):
        raise UseError(
            f"track {track.name}: its films follow {track.condition}, and condition.signal is {kind}; set "
            f"condition.signal={track.condition}, or another track"
        )
    if track.fps not in (None, fps):
        raise UseError(
            f"track {track.name}: its films have {track.fps:g} frames a second, these {fps}; set generate.fps={track.fps:g}, or "
            "fps=None in the track"
        )
    made, clip = settings.generate, settings.data.clip_frames
    length = length_of(settings, track)
    if track.condition is not None and length.n_frames < round(ENOUGH * track.seconds * fps, 6):
        raise UseError(
            f"track {track.name}: its films last for {track.seconds:g} s, these for {length.n_frames / fps:g} s, since "
            f"generate.length={made.length} makes {length.n_clips} clips of {clip} frames; set generate.length=seconds"
        )
    if kind is not None and settings.data.path is not None and settings.eval.path is None:
        raise UseError(
            f"condition.signal={kind}: clips held back from data.path have nothing to follow for a whole film; set "
            "eval.path=FOLDER, of samples that have it"
        )
