"""The embedded world is what it says it is."""

import numpy as np
import pytest

from svi.data import world


def scene(**changes: object) -> world.Scene:
    values: dict[str, object] = {
        "background": 1, "object": 0, "x": 8.0, "y": 8.0, "direction": 0, "speed": "quickly", "height": 16, "width": 16
    }  # fmt: skip
    return world.Scene(**{**values, **changes})  # type: ignore[arg-type]


def test_the_prompt_names_what_is_seen() -> None:
    assert scene().prompt == "red disc quickly east sea stripes"
    assert (
        len(
            {
                world.Scene(b, o, 0, 0, d, s, 16, 16).prompt
                for b in range(4)
                for o in range(3)
                for d in range(8)
                for s in world.SPEEDS
            }
        )
        == 192
    )


@pytest.mark.parametrize("direction", range(8))
def test_the_object_moves_as_the_prompt_says(direction: int) -> None:
    """Centre of the mask, frame by frame, against the velocity; y is down, so north is negative."""
    moving = scene(direction=direction)
    x, y = moving.velocity
    name = world.DIRECTIONS[direction]
    assert (x > 1e-6) == ("east" in name)
    assert (x < -1e-6) == ("west" in name)
    assert (y < -1e-6) == ("north" in name)
    film = world.render([moving] * 5)
    last = world.composite(moving, 8.0 + 4 * x, 8.0 + 4 * y)
    assert np.abs(film[4] / 255 - last).max() < 0.003


def test_the_frame_wraps_around() -> None:
    there = world.mask(scene(), 0.0, 3.0)
    assert np.allclose(there, world.mask(scene(), 16.0, 19.0))
    assert there[3, 0] == 1
    assert there[3, 15] == 1
    assert np.isclose(there.sum(), world.mask(scene(), 8.0, 8.0).sum(), rtol=0.02)


def test_a_prompt_stream_changes_only_the_velocity() -> None:
    story = world.storyline(scene(), 5, np.random.default_rng(0))
    assert len(story) == 5
    assert {(s.background, s.object) for s in story} == {(1, 0)}
    assert len({s.prompt for s in story}) > 1


def test_placements_hold_the_true_frame() -> None:
    renders, masks = world.placements(scene())
    assert renders.shape == (256, 16, 16, 3)
    assert masks.shape == (256, 16, 16)
    truth = world.render([scene()])[0] / 255
    assert np.abs(renders - truth).max(axis=(1, 2, 3)).min() < 0.003
