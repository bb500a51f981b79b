import numpy as np
import pytest

from benchmarks.arrays import Array, Floats
from benchmarks.films.film import Film
from benchmarks.scorers.steps import SeamScorer, StepScorer
from benchmarks.track import clip_slices


def film_of(levels: Array) -> Film:
    """Grey frames of these levels, in clips of 5 frames that overlap by 1."""
    frames = np.zeros((len(levels), 4, 4, 3), np.uint8) + np.asarray(levels, np.uint8)[:, None, None, None]
    return Film(frames, 8, clip_slices(len(levels), max(1, -(-(len(levels) - 1) // 4)), 5, 1))


def climbing(at_handoffs: int, clips: int = 6) -> Array:
    """Levels that go up and down by 10 a frame, and by another number into every clip but the first."""
    sizes = np.full(4 * clips, 10)
    sizes[4::4] = at_handoffs
    signs = np.resize([1, -1], len(sizes))
    return 100 + np.cumsum(sizes * signs)


def seams(levels: Array) -> Floats:
    return SeamScorer().score(film_of(levels))["seam"]


def test_motion_counts_every_step_but_into_the_first_frame() -> None:
    levels = np.array([100, 100, 100, 100, 151, 151, 100, 151, 151])
    scores = StepScorer().score(film_of(levels))
    assert scores["motion"] == pytest.approx([0, 3 * 0.2 / 5])
    assert np.isnan(StepScorer().score(film_of(levels[:1]))["motion"]).all()


@pytest.mark.parametrize(("step", "ratio"), [(10, 1), (20, 2), (35, 3.5), (5, 2), (0, 10)])
def test_a_seam_is_how_many_times_its_step_is_larger_or_smaller(step: int, ratio: float) -> None:
    found = seams(climbing(step))
    assert np.isnan(found[0])
    assert found[1:] == pytest.approx([ratio] * 5, rel=0.02)


def test_only_the_clip_behind_the_seam_has_it() -> None:
    levels = climbing(10)
    levels[12:] += 60
    found = seams(levels)
    assert found[3] > 5
    assert found[[1, 2, 4, 5]] == pytest.approx([1] * 4)


def test_a_still_film_has_no_seams() -> None:
    assert seams(np.full(9, 100))[1:] == pytest.approx([1])


def test_slow_motion_by_itself_is_no_seam() -> None:
    levels = 100 + np.cumsum(np.repeat([8, 6, 4, 3, 2], 40) * np.resize([1, -1], 200))
    assert np.nanmax(seams(levels)) < 1.6
