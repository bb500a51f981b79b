import numpy as np
import pytest

from benchmarks.arrays import Array
from benchmarks.films.film import Film
from benchmarks.track import clip_slices
from benchmarks.validation.drifts import DRIFTS, object_pixels
from tests.benchmarks.validation.conftest import Discs

IN_TIME = ("freeze", "slow-down", "loop")


@pytest.fixture(scope="module")
def film(discs: Discs) -> Film:
    return discs.film(0)


def drifted(film: Film, name: str, dose: float) -> Array:
    frames = DRIFTS[name].act(film, dose)
    assert (frames.dtype, frames.shape) == (np.uint8, film.frames.shape)
    return frames.astype(int)


@pytest.mark.parametrize("name", DRIFTS)
def test_no_dose_is_no_drift_and_every_drift_begins_with_the_true_frame(film: Film, name: str) -> None:
    assert (drifted(film, name, 0) == film.frames).all()
    greatest = drifted(film, name, DRIFTS[name].greatest)
    assert (greatest[0] == film.frames[0]).all()
    assert (greatest != film.frames).any()


@pytest.mark.parametrize("name", [name for name in DRIFTS if name not in IN_TIME])
def test_what_changes_looks_grows_along_the_film_and_with_the_dose(film: Film, name: str) -> None:
    starts = [clip.start for clip in film.clips]  # where a jump at hand-offs is largest
    half, whole = (
        np.abs(drifted(film, name, dose) - film.frames)[starts]
        for dose in (DRIFTS[name].greatest / 2, DRIFTS[name].greatest)
    )
    errors = whole.mean(axis=(1, 2, 3))
    assert errors[0] == 0 < errors[len(errors) // 2] < errors[-1]
    assert half.mean() < whole.mean()


@pytest.mark.parametrize(("name", "expected"), [("freeze", 0.375), ("slow-down", 0.45)])
def test_what_acts_on_time_loses_as_much_of_it_as_it_says(name: str, expected: float) -> None:
    clock = counting()
    last = drifted(clock, name, DRIFTS[name].greatest)[-1, 0, 0, 0]
    assert 1 - last / (len(clock.frames) - 1) == pytest.approx(expected, abs=0.02)


def test_a_freeze_holds_the_last_frames_of_clips_and_goes_on_from_there() -> None:
    steps = np.diff(drifted(counting(), "freeze", 0.25)[:, 0, 0, 0])
    assert set(steps) == {0, 1}
    late = steps[-21:-1].reshape(-1, 4)  # from the last frame of a clip to the next one's
    assert (late[:, 0] == 1).all()
    assert late.sum() <= 11


def test_a_loop_repeats_the_second_before_it() -> None:
    shown = drifted(counting(), "loop", 2.0)[:, 0, 0, 0]
    late = shown[160:192] - shown[160]
    again = round(2.0 * 8 * 191 / 200)
    fresh = 32 - again
    assert late.tolist() == [*range(fresh), *(fresh - 8 + np.arange(again) % 8)]
    assert shown[192] == shown[160] + fresh  # and goes on


def test_a_seam_jump_is_at_hand_offs_alone(film: Film) -> None:
    change = (drifted(film, "seam jump", 60) - film.frames).mean(axis=(1, 2, 3))
    jumps = np.diff(change)
    starts = {clip.start for clip in film.clips[1:]}
    assert {int(frame) + 1 for frame in np.flatnonzero(jumps > 0.5)} == starts
    assert change[film.clips[-1].start] == pytest.approx(
        60 * film.clips[-1].start / 40, abs=2
    )  # some pixels are white by then


def test_objects_fade_and_change_their_colour_where_they_are_and_nowhere_else(film: Film) -> None:
    there = object_pixels(film)
    for name in ("object fade", "identity swap"):
        assert (drifted(film, name, 1.0) == film.frames)[~there].all()
    assert film.truth is not None
    assert (drifted(film, "object fade", 1.0)[-1] == film.truth.background).all()
    swapped = drifted(film, "identity swap", 1.0)[-1]
    assert (swapped[there[-1]] == np.roll(film.frames[-1:][0], 1, axis=-1)[there[-1]]).all()


def test_hue_turns_red_to_green_and_leaves_grey_alone() -> None:
    frames = np.zeros((3, 1, 2, 3), np.uint8)
    frames[:, 0, 0], frames[:, 0, 1] = (200, 0, 0), (90, 90, 90)
    turned = drifted(Film(frames, 8, (slice(0, 3),)), "hue", 120)
    assert turned[-1, 0].tolist() == [[0, 200, 0], [90, 90, 90]]


def counting() -> Film:
    """A film of 201 frames whose colour is the frame's number."""
    frames = np.broadcast_to(np.arange(201, dtype=np.uint8)[:, None, None, None], (201, 4, 4, 3))
    return Film(frames, 8, clip_slices(201, clips=50, clip_frames=5, overlap=1))
