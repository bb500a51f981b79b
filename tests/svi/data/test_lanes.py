"""The embedded world of lanes is what it says it is."""

from dataclasses import replace

import numpy as np
import pytest

from svi.data import lanes
from svi.data.footage import WorldFootage
from svi.data.world import DIRECTIONS
from svi.settings import DataSettings

DATA = DataSettings(world="lanes", height=32, width=32, clips=6)


def scene(seed: int = 0) -> lanes.Scene:
    return lanes.draw_scene(np.random.default_rng(seed), 32, 32)


def test_the_prompt_names_two_objects_with_their_velocities_and_the_landscape() -> None:
    for seed in range(20):
        words = scene(seed).prompt.replace(",", "").split()
        assert len(words) == 7
        assert {words[0], words[3]} <= set(lanes.OBJECTS)
        assert words[0] != words[3]
        assert {words[1], words[4]} <= {"slowly", "quickly"}
        assert {words[2], words[5]} <= set(DIRECTIONS)
        assert words[6] in lanes.LANDSCAPES


def test_the_two_objects_never_touch_and_move_along_their_lanes() -> None:
    for seed in range(200):
        drawn = scene(seed)
        masks = [lanes.sprite(drawn, mover.kind, mover.x, mover.y)[0] for mover in drawn.movers]
        assert not masks[0][16:].any()  # the first is in the sky, all of it
        assert not masks[1][:16].any()
        assert all(vx and abs(vy) < 1e-9 for vx, vy in drawn.velocities)


@pytest.mark.parametrize("name", lanes.LANDSCAPES)
def test_a_landscape_has_detail_and_no_two_are_alike(name: str) -> None:
    mine = lanes.background(replace(scene(), landscape=name))
    assert mine.shape == (32, 32, 3)
    assert mine.min() >= 0
    assert mine.max() <= 1
    assert np.abs(np.diff(mine, axis=0)).mean() > 0.01
    others = [lanes.background(replace(scene(), landscape=one)) for one in lanes.LANDSCAPES if one != name]
    assert min(np.abs(mine - other).mean() for other in others) > 0.08


def test_only_the_image_says_which_view_it_is() -> None:
    first, second = (replace(scene(), view=view) for view in range(lanes.VIEWS))
    assert first.prompt == second.prompt
    assert (lanes.background(second) == np.roll(lanes.background(first), -16, axis=1)).all()
    drawn = {scene(seed).view for seed in range(60)}
    assert drawn == set(range(lanes.VIEWS))


@pytest.mark.parametrize("kind", lanes.OBJECTS)
def test_an_object_is_the_same_all_over_the_torus(kind: str) -> None:
    here, paint = lanes.sprite(scene(), kind, 16.25, 16.5)
    assert 40 < here.sum() < 110  # of 1,024 pixels
    there, repainted = lanes.sprite(scene(), kind, 16.25 + 20, 16.5 - 19)
    moved = np.roll(here, (-19, 20), (0, 1))
    assert np.allclose(moved, there)
    assert np.allclose((moved[..., None] * np.roll(paint, (-19, 20), (0, 1))), there[..., None] * repainted, atol=1e-6)


def test_the_film_goes_as_its_prompts_say_and_backwards() -> None:
    story = lanes.storyline(scene(3), 3, np.random.default_rng(1))
    assert {(one.landscape, one.view, tuple(m.kind for m in one.movers)) for one in story} == {
        (story[0].landscape, story[0].view, tuple(m.kind for m in story[0].movers))
    }
    film = lanes.render([story[0]] * 4 + [story[1]] * 4)
    turned = replace(
        story[1],
        movers=tuple(replace(m, x=n.x, y=n.y) for m, n in zip(story[1].movers, story[0].later(4).movers, strict=True)),
    )
    assert (film[4:] == lanes.render([turned] * 4)).all()
    backwards = lanes.render([scene(3).later(5).reversed] * 6)[::-1]
    assert (backwards == lanes.render([scene(3)] * 6)).mean() > 0.999  # but for rounding


def test_the_truth_gives_the_film_again() -> None:
    """A frame is the background with each object's stamp, moved by whole pixels, laid over it."""
    film = [scene(5)] * 9
    truth, frames = lanes.truth(film, 8), lanes.render(film)
    for frame, places in zip(frames, truth["places"], strict=True):
        image = truth["background"].astype(np.float64) / 255
        for stamps, (x, y) in zip(truth["object_stamps"].astype(np.float64), places.astype(float), strict=True):
            across, down = round(x * 8), round(y * 8)
            stamp = np.roll(stamps[down % 8, across % 8], (down // 8, across // 8), (0, 1))
            image = (1 - stamp[..., 3:]) * image + stamp[..., 3:] * stamp[..., :3]
        assert np.abs(image * 255 - frame).mean() < 1.5  # an eighth of a pixel
    assert truth["velocities"].shape == (9, 2, 2)


def test_training_clips_are_of_that_world() -> None:
    footage = WorldFootage(DATA)
    clip = footage.read(2)
    assert clip.frames.shape == (5, 32, 32, 3)
    assert len(clip.prompt.split()) == 7
    assert (footage.later(2, 4).frames[0] == clip.frames[4]).mean() > 0.999
    assert footage.fingerprint != WorldFootage(DATA.model_copy(update={"world": "shapes"})).fingerprint
    assert (WorldFootage(DATA).read(2).frames == clip.frames).all()
