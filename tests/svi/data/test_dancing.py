"""The dance is smooth, and film and skeleton show it at the same places."""

import numpy as np
import pytest

from svi.data import dancing, world
from tests.svi.data.test_world import scene


def at(frame: np.ndarray, place: np.ndarray) -> np.ndarray:
    """The pixel at a joint."""
    height, width = frame.shape[:2]
    x, y = np.array([width, height]) / 2 + min(height, width) * place
    return frame[int(y), int(x)]


def test_a_dance_depends_on_its_key_alone() -> None:
    long = dancing.joints(("film", 3), 300, 8)
    assert np.array_equal(dancing.joints(("film", 3), 41, 8), long[:41])
    assert np.abs(long - dancing.joints(("film", 4), 300, 8)).max() > 0.3
    assert (long.shape, long.dtype) == ((300, 3, 2), np.float32)


def test_a_dance_is_smooth_and_goes_everywhere() -> None:
    joints = 16 * dancing.joints((1,), 2000, 8)
    assert np.all(joints[:, 0] == 0)
    steps = np.linalg.norm(np.diff(joints[:, 1:], axis=0), axis=-1)
    assert 0.4 < steps.mean() < 1.2  # pixels of 16: more than can be guessed within a clip, less than a hand
    assert steps.max() < 3.8
    assert np.allclose(np.linalg.norm(joints[:, 1:], axis=-1), 5.2, atol=1e-4)
    apart = np.linalg.norm(joints[:, 1] - joints[:, 2], axis=-1)
    assert apart.min() > 3.8  # hands never cover each other
    assert np.ptp(joints[:, 1:, 1], axis=0).min() > 9
    assert abs(np.corrcoef(joints[:, 1, 1], joints[:, 2, 1])[0, 1]) < 0.3


@pytest.mark.parametrize("shape", [(16, 16), (32, 48)])
def test_film_and_skeleton_show_the_joints(shape: tuple[int, int]) -> None:
    height, width = shape
    stage = scene(object=2, height=height, width=width)
    joints = dancing.joints((5,), 40, 8)
    film, drawn = dancing.render(stage, joints), dancing.skeleton(joints, height, width)
    assert film.shape == drawn.shape == (40, height, width, 3)
    assert film.dtype == drawn.dtype == np.uint8
    for frame, bones, (body, left, right) in zip(film, drawn, joints, strict=True):
        assert at(frame, left).tolist() == [255, 255, 255]
        assert at(frame, right).tolist() == [0, 0, 0]
        assert at(frame, body).tolist() == np.round(255 * world.PAINT[2]).tolist()
        assert at(bones, left).tolist() == [255, 0, 0]
        assert at(bones, right).tolist() == [0, 0, 255]
        assert at(bones, body).tolist() == [0, 255, 0]
        assert at(bones, left / 2)[[1, 2]].max() < at(bones, left / 2)[0]


def test_nothing_but_the_figure_hides_the_background() -> None:
    joints = dancing.joints((5,), 40, 8)
    film = dancing.render(scene(), joints)
    ground = np.round(255 * world.background(scene())).astype(np.uint8)
    changed = np.any(film != ground, axis=-1)
    y, x = np.mgrid[:16, :16] + 0.5
    for frame, (_, left, right) in zip(changed, 8 + 16 * joints, strict=True):
        away = np.min([np.hypot(x - a, y - b) for a, b in (left, right, (8, 8))], axis=0)
        assert not frame[away > 4].any()
        assert 30 < frame.sum() < 90


def test_the_prompt_has_the_words_of_the_world_in_their_places() -> None:
    assert dancing.prompt(scene()) == "red disc dancing along sea stripes"
