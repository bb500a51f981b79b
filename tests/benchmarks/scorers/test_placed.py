from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter  # type: ignore[import-untyped]

from benchmarks.arrays import Array, Floats
from benchmarks.films.film import Film
from benchmarks.scorers.placed import PlacedScorer
from benchmarks.scorers.truth import TruthScorer
from svi.data import world
from tests.benchmarks.conftest import Pair

FRAMES = 17
TIME = np.arange(FRAMES)[:, None]
PLACES = np.stack([3 + TIME * [0.5, 0.125], 11 - TIME * [0.25, 0.5]], axis=1)  # [F, 2, 2]


def psnr(film: Film) -> Floats:
    value = PlacedScorer().score(film)["placed_psnr"]
    assert value.shape == (len(film.clips),)
    return value


def shifted(pair: Pair, off: Array) -> Array:
    return pair.frames(PLACES + off)


def noisy(noise: Floats, frames: Floats) -> Floats:
    return frames + noise


def faded(level: float, frames: Floats) -> Floats:
    return frames * 0.8 + level


def blurred(width: float, frames: Floats) -> Floats:
    return np.asarray(gaussian_filter(frames, (0, width, width, 0)))


def test_a_perfect_film_is_perfect_wherever_its_objects_have_got_to(pair: Pair) -> None:
    for off in ([0, 0], [[2.5, 0], [-1.25, 3]], [[8, 8], [8, 8]]):
        assert psnr(pair.film(shifted(pair, np.array(off)), PLACES)).min() > 45


@pytest.mark.parametrize("levels", [2, 20])
def test_an_offset_costs_exactly_its_decibels(pair: Pair, levels: int) -> None:
    frames = np.clip(pair.frames(PLACES).astype(int) - levels, 0, 255).astype(np.uint8)
    assert psnr(pair.film(frames, PLACES)) == pytest.approx([20 * np.log10(255 / levels)] * 4, rel=0.01)


def test_an_object_costs_the_more_the_fainter_it_is(pair: Pair) -> None:
    whole, without = pair.frames(PLACES).astype(float), pair.frames(PLACES, [1]).astype(float)
    fading = [
        np.rint(without + share * (whole - without)).astype(np.uint8) for share in (1, 0.9, 0.7, 0.5, 0.3, 0.1, 0)
    ]
    values = np.array([psnr(pair.film(frames, PLACES)).mean() for frames in fading])
    assert (np.diff(values) < -0.05).all()


@pytest.mark.parametrize("off", [0.0, 4.0], ids=["true place", "another place"])
@pytest.mark.parametrize("lost", [[0], [1], [0, 1]])
def test_losing_an_object_never_helps_whatever_else_is_wrong(pair: Pair, lost: list[int], off: float) -> None:
    kept = [k for k in (0, 1) if k not in lost]
    with_all, without = pair.frames(PLACES + off), pair.frames(PLACES + off, kept)
    noise = np.random.default_rng(0).normal(size=with_all.shape)
    wrongs: list[Callable[[Floats], Floats]] = [np.array, *(partial(noisy, level * noise) for level in (5, 20, 40))]
    wrongs += [*(partial(faded, level) for level in (0, 40)), *(partial(blurred, width) for width in (0.5, 0.8))]
    for wrong in wrongs:
        films = [
            pair.film(np.clip(np.rint(wrong(frames.astype(float))), 0, 255).astype(np.uint8), PLACES)
            for frames in (with_all, without)
        ]
        assert (psnr(films[1]) < psnr(films[0])).all()


@pytest.mark.parametrize("kind", range(len(world.BACKGROUNDS)))
@pytest.mark.parametrize("thing", range(len(world.OBJECTS)))
def test_an_object_is_nowhere_so_hard_to_see_that_losing_it_could_help(kind: int, thing: int) -> None:
    """What is kept costs at most half of the energy that it adds where it is; what is lost, all that it would add at its place."""
    renders, _ = world.placements(world.Scene(kind, thing, 0, 0, 0, "slowly", 16, 16), 0.5)
    ground = world.background(world.Scene(kind, thing, 0, 0, 0, "slowly", 16, 16))
    energy = ((renders - ground) ** 2).sum(axis=(1, 2, 3))
    assert energy.max() < 2 * energy.min()


def test_background_psnr_alone_would_not_see_it(pair: Pair) -> None:
    """Why this metric leads."""
    spoilt = pair.frames(PLACES)
    rims = pair.frames(PLACES, [])
    wide = np.abs(spoilt.astype(int) - rims).max(axis=-1) > 0
    halo = gaussian_filter(wide.astype(float), (0, 1.5, 1.5)) > 0.1
    spoilt = np.where(halo[..., None] & ~wide[..., None], 255 - spoilt, spoilt).astype(np.uint8)
    kept, lost = pair.film(spoilt, PLACES), pair.film(rims, PLACES)
    assert (TruthScorer().score(lost)["background_psnr"] > TruthScorer().score(kept)["background_psnr"]).all()
    assert (psnr(lost) < psnr(pair.film(pair.frames(PLACES), PLACES)) - 20).all()


def test_a_ghost_elsewhere_does_not_stand_for_what_is_lost(pair: Pair) -> None:
    none, there = pair.frames(PLACES, [0]).astype(float), pair.frames(PLACES + 5, [0, 1]).astype(float)
    away = pair.frames(PLACES + 5, [0]).astype(float)
    ghost = np.rint(none + 0.25 * (there - away)).clip(0, 255).astype(np.uint8)
    assert (psnr(pair.film(ghost, PLACES)) < psnr(pair.film(pair.frames(PLACES, [0]), PLACES))).all()


def test_a_truth_without_a_course_is_refused(pair: Pair) -> None:
    film = pair.film(pair.frames(PLACES), PLACES)
    assert film.truth is not None
    with pytest.raises(ValueError, match="no object_stamps, places and grid"):
        PlacedScorer().score(replace(film, truth=replace(film.truth, places=None)))
    with pytest.raises(ValueError, match=r"\(K, H, W, 4, F, K, 2\)"):
        PlacedScorer().score(replace(film, truth=replace(film.truth, places=PLACES[1:])))
