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
from tests.benchmarks.conftest import COLOUR, Pair

FRAMES = 17
TIME = np.arange(FRAMES)[:, None]
PLACES = np.stack([3 + TIME * [0.5, 0.125], [3, 11] + TIME * [0.25, -0.125]], axis=1)  # [F, 2, 2]


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
    assert (np.diff(values)[:-1] < -2).all()
    assert values[-1] == pytest.approx(values[-2], abs=0.01)  # a tenth of it is lost as well


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


def test_losing_an_object_does_not_help_where_it_could_hardly_be_seen(pair: Pair) -> None:
    """Half of this world is of the disc's colour: missing there would cost next to nothing."""
    seen, unseen = np.full((FRAMES, 2, 2), 4.0), np.full((FRAMES, 2, 2), 12.0)
    seen[:, 1], unseen[:, 1] = [3, 11], [11, 3]
    one = Pair()
    one.background[:, 8:] = 255 * COLOUR
    with_it, without = one.frames(seen).astype(float), one.frames(seen, [1]).astype(float)
    paler = np.rint(without + 0.6 * (with_it - without)).astype(np.uint8)
    lost = without.astype(np.uint8)
    values = [psnr(one.film(frames, unseen)).mean() for frames in (paler, lost, one.frames(unseen, [1]))]
    assert values[0] > values[1] + 1
    assert values[1] == pytest.approx(values[2], abs=0.5)


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


def test_what_is_left_of_an_object_never_costs_more_than_losing_it(pair: Pair) -> None:
    none, there = pair.frames(PLACES, [0]).astype(float), pair.frames(PLACES + 5, [0, 1]).astype(float)
    away = pair.frames(PLACES + 5, [0]).astype(float)
    values = []
    for share in (1, 0.5, 0.25, 0.1, 0):
        ghost = np.rint(none + share * (there - away)).clip(0, 255).astype(np.uint8)
        values.append(psnr(pair.film(ghost, PLACES)).mean())
    assert (np.diff(values) < 0.01).all()


def test_a_truth_without_stamps_is_refused(pair: Pair) -> None:
    film = pair.film(pair.frames(PLACES), PLACES)
    assert film.truth is not None
    with pytest.raises(ValueError, match="no object_stamps and grid"):
        PlacedScorer().score(replace(film, truth=replace(film.truth, object_stamps=None)))
    with pytest.raises(ValueError, match=r"expected \[K, S, S, H, W, 4\] with \(2, 16, 16, 4\)"):
        PlacedScorer().score(replace(film, truth=replace(film.truth, object_stamps=pair.stamps[:1])))
