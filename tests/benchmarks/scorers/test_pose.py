"""Pose errors of films whose truth is known."""

import warnings
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.arrays import Array, Floats
from benchmarks.films import film as film_module
from benchmarks.films.film import Film
from benchmarks.films.truth import Truth
from benchmarks.scorers.pose import PoseScorer
from benchmarks.scorers.truth import TruthScorer
from benchmarks.track import clip_slices
from svi.data import dancing, world

FRAMES = 101
SCENES = [world.Scene(b, b % 3, 8, 8, 0, "slowly", 16, 16) for b in range(4)]
JOINTS = dancing.joints(("film",), FRAMES, 8)
TRUE = dancing.render(SCENES[3], JOINTS)
TRUTH = Truth(**dancing.truth(SCENES[3], JOINTS))


def film(frames: Array, truth: Truth = TRUTH) -> Film:
    return Film(frames, fps=8, clips=clip_slices(len(frames), 25, clip_frames=5, overlap=1), truth=truth)


def scores(frames: Array, truth: Truth = TRUTH) -> tuple[Floats, Floats]:
    """Error in pixels and parts kept, without a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        values = PoseScorer().score(film(frames, truth))
    assert all(value.shape == (25,) for value in values.values())
    return values["pose_error"], values["parts_kept"]


@pytest.mark.parametrize("scene", SCENES)
def test_the_true_film_has_no_error(scene: world.Scene) -> None:
    frames, truth = dancing.render(scene, JOINTS), Truth(**dancing.truth(scene, JOINTS))
    error, kept = scores(frames, truth)
    assert error.mean() < 0.25  # of 16 pixels
    assert kept.tolist() == [1] * 25
    judged = TruthScorer().score(film(frames, truth))
    assert judged["background_psnr"].min() == 100
    assert judged["object_kept"].min() == 1
    assert judged["subject_similarity"].min() > 0.95


@pytest.mark.parametrize(("x", "y"), [(1, 0), (0, -2), (-1, 1)])
def test_hands_elsewhere_are_off_by_that(x: int, y: int) -> None:
    frames = dancing.render(SCENES[3], JOINTS + np.array([x, y], np.float32) / 16)
    error, kept = scores(frames)
    assert error == pytest.approx([np.hypot(x, y)] * 25, abs=0.35)
    assert kept.min() > 0.9


def test_a_dance_that_is_late_or_another_one_is_off() -> None:
    late = [scores(np.roll(TRUE, k, axis=0))[0][2:].mean() for k in (0, 1, 2, 4)]
    assert np.all(np.diff(late) > 0.4)
    other, kept = scores(dancing.render(SCENES[3], dancing.joints(("other",), FRAMES, 8)))
    assert other.mean() > 3
    assert kept.tolist() == [1] * 25


def test_swapped_hands_are_not_taken_for_each_other() -> None:
    swapped = replace(TRUTH, part_colours=TRUTH.part_colours[::-1])  # type: ignore[index]
    assert scores(TRUE, swapped)[0].mean() > 5


def test_noise_hides_little() -> None:
    noise = np.random.default_rng(0).normal(0, 40, TRUE.shape)
    error, kept = scores(np.clip(TRUE + noise, 0, 255).astype(np.uint8))
    assert error.mean() < 0.35
    assert kept.mean() > 0.98


def test_a_lost_part_counts_as_half_a_frame_off() -> None:
    frames = TRUE.copy()
    lost = film(TRUE).clips[10].start
    frames[lost:] = TRUTH.background
    error, kept = scores(frames)
    assert error[:10].max() < 0.4
    assert (error[10:].tolist(), kept[10:].tolist()) == ([8] * 15, [0] * 15)


def test_one_hand_that_is_lost_costs_its_share() -> None:
    frames, (y, x) = TRUE.copy(), np.mgrid[:16, :16] + 0.5
    for frame, (_, (right, down)) in zip(frames, TRUTH.joints, strict=True):  # type: ignore[arg-type]
        there = np.hypot(x - right, y - down) < 2.6
        frame[there] = TRUTH.background[there]
    error, kept = scores(frames)
    assert error == pytest.approx([4 + 0.1] * 25, abs=0.15)
    assert kept.tolist() == [0.5] * 25


def test_blocks_do_not_change_the_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = scores(TRUE)
    monkeypatch.setattr(film_module, "BLOCK_BYTES", 7 * 8 * 16 * 16 * 3)
    assert np.array_equal(whole, scores(TRUE))


def test_a_missing_or_misfit_truth_is_refused() -> None:
    with pytest.raises(ValueError, match="truth: received no joints"):
        scores(TRUE, replace(TRUTH, joints=None))
    with pytest.raises(ValueError, match=r"\(100, 2, 2\)"):
        scores(TRUE, replace(TRUTH, joints=TRUTH.joints[1:]))  # type: ignore[index]
