from dataclasses import replace

import numpy as np
import pytest

from benchmarks.arrays import Array, Floats
from benchmarks.films import film as film_module
from benchmarks.films.film import Film
from benchmarks.films.truth import Truth
from benchmarks.scorers.truth import KnownScene, TruthScorer
from tests.benchmarks.conftest import Pair, World

PATH = [(4.0, 4.0), (4.0, 5.0), (5.0, 6.0), (6.0, 7.0), (7.0, 8.0), (8.0, 9.0), (9.0, 10.0), (10.0, 11.0), (11.0, 12.0)]


def scores(film: Film) -> tuple[Floats, Floats, Floats]:
    values = TruthScorer().score(film)
    assert all(value.shape == (len(film.clips),) for value in values.values())
    return values["background_psnr"], values["subject_similarity"], values["object_kept"]


def test_a_perfect_film_is_perfect(world: World) -> None:
    psnr, similarity, kept = scores(world.film(world.frames(PATH)))
    assert psnr.tolist() == [100, 100]
    assert similarity == pytest.approx([1, 1], abs=1e-4)
    assert kept.tolist() == [1, 1]


def test_a_perfect_film_between_the_grid_positions_loses_no_background(world: World) -> None:
    between = [(y + 0.45, x - 0.3) for y, x in PATH[1:]]
    psnr, similarity, kept = scores(world.film(world.frames(between)))
    assert psnr.tolist() == [100, 100]
    assert similarity.min() > 0.95
    assert kept.tolist() == [1, 1]


def test_an_object_elsewhere_in_the_scene_is_found(world: World) -> None:
    psnr, similarity, kept = scores(world.film(world.frames([(12.0, 4.0)] * 5)))
    assert (psnr.tolist(), kept.tolist()) == ([100], [1])
    assert similarity == pytest.approx([1], abs=1e-4)


@pytest.mark.parametrize("levels", [1, 10, 40])
def test_an_offset_costs_exactly_its_decibels(world: World, levels: int) -> None:
    frames = world.frames(PATH)
    frames[4:] = np.clip(frames[4:].astype(int) + levels, 0, 255).astype(np.uint8)
    psnr, _, _ = scores(world.film(frames))
    assert psnr == pytest.approx([100, 20 * np.log10(255 / levels)], rel=1e-5)


def test_noise_costs_its_variance(world: World) -> None:
    levels = np.random.default_rng(0).normal(0, 20, (9, 16, 16, 3))
    frames = np.clip(world.frames(PATH) + levels, 0, 255).astype(np.uint8)
    psnr, similarity, kept = scores(world.film(frames))
    assert psnr == pytest.approx([20 * np.log10(255 / 20)] * 2, abs=0.3)
    assert 0.9 < similarity.min() < similarity.max() < 0.999
    assert kept.tolist() == [1, 1]


def test_a_shifted_background_is_measured_outside_the_object_only(world: World) -> None:
    frames = np.roll(world.background, 1, axis=1)[None].repeat(5, axis=0)
    centre = (8.0, 8.0)
    mask = world.mask(centre)
    touched = mask > 0
    frames[:, touched] = world.frames([centre])[0][touched]
    psnr, _, kept = scores(world.film(frames))
    padded = np.pad(touched, 1)
    near = np.any([padded[y : y + 16, x : x + 16] for y in range(3) for x in range(3)], axis=0)
    errors = (frames[0].astype(float) - world.background)[~near] / 255
    assert psnr == pytest.approx([-10 * np.log10(np.mean(errors**2))], rel=1e-5)
    assert kept.tolist() == [1]


def test_a_removed_object_leaves_the_background_and_nothing_else(world: World) -> None:
    psnr, similarity, kept = scores(world.film(world.background[None].repeat(5, axis=0)))
    assert (psnr.tolist(), similarity.tolist(), kept.tolist()) == ([100], [0], [0])


def test_only_the_clip_that_loses_its_object_pays(world: World) -> None:
    frames = world.frames(PATH)
    frames[4:] = world.background
    _, similarity, kept = scores(world.film(frames))
    assert kept.tolist() == [1, 0]
    assert similarity == pytest.approx([1, 0], abs=1e-4)


@pytest.mark.parametrize(("strength", "expected"), [(0.2, 0), (0.27, 0), (0.32, 1), (0.6, 1)])
def test_a_ghost_is_alike_but_kept_only_if_it_explains_half_of_the_energy(
    world: World, strength: float, expected: float
) -> None:
    # 1 - (1 - a)^2 > 1/2 from a = 1 - sqrt(1/2) = .293 on.
    _, similarity, kept = scores(world.film(world.frames([(8.0, 8.0)] * 5, strength)))
    assert kept.tolist() == [expected]
    assert similarity == pytest.approx([1], abs=5e-3)


def test_the_opposite_of_the_object_is_clipped_at_zero() -> None:
    truth = disc_truth()
    added = truth.object_renders[0, 0] - truth.background / 255
    frame = np.rint(255 * (truth.background / 255 - added)).astype(np.uint8)
    film = Film(frame[None], 8, (slice(0, 1),), truth=truth)
    _, similarity, kept = scores(film)
    assert (similarity.tolist(), kept.tolist()) == ([0], [0])


def test_an_object_that_cannot_be_seen_is_undefined_not_zero() -> None:
    truth = replace(disc_truth(), object_renders=np.full((1, 8, 8, 3), 100 / 255, np.float32))
    film = Film(np.full((1, 8, 8, 3), 100, np.uint8), 8, (slice(0, 1),), truth=truth)
    psnr, similarity, kept = scores(film)
    assert psnr.tolist() == [100]
    assert np.isnan([similarity, kept]).all()


def disc_truth() -> Truth:
    background = np.full((8, 8, 3), 100, np.uint8)
    mask = np.zeros((1, 8, 8), np.float32)
    mask[0, 2:5, 2:5] = 1
    renders = (background / 255 + mask[0, ..., None] * 0.2)[None].astype(np.float32)
    return Truth(background, renders, mask)


def test_blocks_do_not_change_the_scores(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    noise = np.random.default_rng(0).integers(-20, 21, (9, 16, 16, 3))
    film = world.film(np.clip(world.frames(PATH) + noise, 0, 255).astype(np.uint8))
    whole = scores(film)
    monkeypatch.setattr(film_module, "BLOCK_BYTES", 2 * 8 * 16 * 16 * 3)
    assert [block.stop - block.start for block in film.blocks()] == [2, 2, 2, 2, 1]
    for one, other in zip(whole, scores(film), strict=True):
        assert one == pytest.approx(other, rel=1e-6)


def test_a_missing_or_misfit_truth_is_refused(world: World) -> None:
    film = world.film(world.frames(PATH))
    with pytest.raises(ValueError, match="truth: received none"):
        TruthScorer().score(replace(film, truth=None))
    with pytest.raises(ValueError, match="expected frames of"):
        TruthScorer().score(replace(film, truth=disc_truth()))


def meeting(frames: int = 17) -> Array:
    """Two objects on courses that cross: in the middle one hides much of the other. [F, 2, 2]"""
    t = np.arange(frames)[:, None] - frames // 2
    return np.stack([8 + t * [1.0, 0.0], 8 + t * [0.0, 1.0]], axis=1)


def test_two_objects_are_found_apart_and_together(pair: Pair) -> None:
    places = meeting()
    film = pair.film(pair.frames(places), places)
    psnr, similarity, kept = scores(film)
    assert (psnr.tolist(), kept.tolist()) == ([100] * 4, [1] * 4)
    assert similarity == pytest.approx([1] * 4, abs=0.03)  # soft rims share pixels
    found, _ = KnownScene(film).find(film.frames[:])
    assert film.truth is not None
    assert film.truth.grid is not None
    apart = [0, 1, 2, 3, 13, 14, 15, 16]
    assert film.truth.grid[found][apart].tolist() == (places % 16)[apart].tolist()


@pytest.mark.parametrize("left", [0, 1])
def test_of_two_objects_the_lost_one_counts_half(pair: Pair, left: int) -> None:
    places = meeting() + np.array([[0.0, 0.0], [8.0, 0.0]])  # they pass, and do not meet
    psnr, similarity, kept = scores(pair.film(pair.frames(places, [left]), places))
    assert (psnr.tolist(), kept.tolist()) == ([100] * 4, [0.5] * 4)
    assert similarity == pytest.approx([0.5] * 4, abs=0.2)  # what is left resembles the other a little


@pytest.mark.parametrize("left", [0, 1])
def test_an_object_is_not_taken_to_be_lost_because_it_would_hide_the_other(pair: Pair, left: int) -> None:
    places = meeting()
    film = pair.film(pair.frames(places, [left]), places)
    _, kept = KnownScene(film).find(film.frames[:])
    assert kept[:, left].tolist() == [1] * 17
    assert kept[:, 1 - left].tolist() == [0] * 17


def test_what_another_object_hides_is_not_lost(pair: Pair) -> None:
    places = np.full((5, 2, 2), 8.0)
    places[:, 0, 0] += 2
    frames = pair.frames(places)
    _, _, kept = scores(pair.film(frames, places))
    assert kept.tolist() == [1]
    uncovered = pair.frames(places, [1])
    assert np.mean(frames != uncovered) > 0.02  # some of the disc is seen beside the square
