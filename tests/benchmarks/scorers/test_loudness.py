"""Lag and correlation of films whose truth is known."""

import warnings
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.arrays import Array, Floats
from benchmarks.films.film import Film
from benchmarks.films.truth import Truth
from benchmarks.scorers.loudness import MOST, LoudnessScorer
from benchmarks.scorers.truth import TruthScorer
from benchmarks.track import clip_slices
from svi.data import talking, world

FRAMES = 401  # 50 s
SCENE = world.draw_scene(np.random.default_rng(2), 16, 16)
ENVELOPE = talking.loudness(("film",), FRAMES, 8)
TRUE = talking.render(SCENE, ENVELOPE)
TRUTH = Truth(**talking.truth(SCENE, ENVELOPE))


def film(frames: Array, truth: Truth = TRUTH) -> Film:
    return Film(frames, fps=8, clips=clip_slices(len(frames), 100, clip_frames=5, overlap=1), truth=truth)


def scores(frames: Array, truth: Truth = TRUTH) -> tuple[Floats, Floats, Floats]:
    """Correlation, lag and slip, without a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        values = LoudnessScorer().score(film(frames, truth))
    assert all(value.shape == (100,) for value in values.values())
    return values["sync_correlation"], values["sync_lag"], values["sync_slip"]


def test_the_true_film_is_in_step() -> None:
    correlation, lag, slip = scores(TRUE)
    assert correlation.min() > 0.97
    assert lag.tolist() == slip.tolist() == [0] * 100
    judged = TruthScorer().score(film(TRUE))
    assert judged["background_psnr"].min() == 100
    assert judged["object_kept"].min() == 1
    assert judged["subject_similarity"].min() > 0.98


@pytest.mark.parametrize("late", [-7, -2, -1, 1, 2, 7])
def test_a_film_that_is_late_has_that_lag(late: int) -> None:
    correlation, lag, slip = scores(np.roll(TRUE, late, axis=0))
    inner = slice(6, -6)  # what comes around from the other end has no lag
    assert set(lag[inner]) == {late}
    assert set(slip[inner]) == {abs(late)}
    assert abs(correlation.mean()) < 0.5


def test_another_sound_is_not_followed() -> None:
    correlation, lag, slip = scores(talking.render(SCENE, talking.loudness(("other",), FRAMES, 8)))
    assert abs(correlation.mean()) < 0.15
    assert len(set(lag)) > 5
    assert slip.mean() > 2


def test_noise_hides_little() -> None:
    noise = np.random.default_rng(0).normal(0, 40, TRUE.shape)
    correlation, _, slip = scores(np.clip(TRUE + noise, 0, 255).astype(np.uint8))
    assert correlation.mean() > 0.95
    assert slip.tolist() == [0] * 100


def test_only_clips_near_the_loss_of_the_object_pay() -> None:
    frames = TRUE.copy()
    frames[200:] = TRUTH.background
    correlation, lag, slip = scores(frames)
    assert correlation[:45].min() > 0.97
    assert correlation[55:].tolist() == [0] * 45
    assert np.isnan(lag[55:]).all()
    assert slip[55:].tolist() == [MOST] * 45


def test_an_object_that_keeps_its_size_follows_nothing() -> None:
    correlation, lag, slip = scores(np.repeat(TRUE[:1], FRAMES, axis=0))
    assert correlation.tolist() == [0] * 100
    assert np.isnan(lag).all()
    assert slip.tolist() == [MOST] * 100


@pytest.mark.parametrize(("x", "y"), [(0, 0), (3, 0), (-4, 5), (8, 8)])
def test_an_object_that_has_wandered_is_still_followed(x: int, y: int) -> None:
    frames = talking.render(replace(SCENE, x=SCENE.x + x, y=SCENE.y + y), ENVELOPE)
    correlation, lag, _ = scores(frames)
    assert correlation.min() > 0.95
    assert lag.tolist() == [0] * 100
    assert place_error(frames) == pytest.approx(np.hypot(x, y))
    assert TruthScorer().score(film(frames))["object_kept"].min() == 1


def test_a_lost_object_is_far_from_its_place() -> None:
    assert place_error(np.repeat(TRUTH.background[None], FRAMES, axis=0)) == 8


def place_error(frames: Array) -> float:
    """Of the whole film."""
    return float(LoudnessScorer().score(film(frames))["place_error"].mean())


def test_silence_leaves_nothing_to_follow() -> None:
    silence = np.zeros(FRAMES, np.float32)
    truth = replace(TRUTH, loudness=silence)
    for frames in (talking.render(SCENE, silence), TRUE):
        assert np.isnan(scores(frames, truth)).all()


def test_a_missing_or_misfit_truth_is_refused() -> None:
    with pytest.raises(ValueError, match="truth: received none"):
        scores(TRUE, None)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="received no loudness"):
        scores(TRUE, replace(TRUTH, loudness=None))
    with pytest.raises(ValueError, match=r"of \(400, 4352\), expected \(401, 4352\)"):
        scores(TRUE, replace(TRUTH, loudness=ENVELOPE[:-1]))
