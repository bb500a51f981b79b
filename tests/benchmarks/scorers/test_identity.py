from dataclasses import replace

import numpy as np
import pytest

from benchmarks.arrays import Array
from benchmarks.films.film import Film
from benchmarks.scorers.identity import IdentityScorer
from tests.benchmarks.conftest import Pair

PLACES = np.stack([np.full((5, 2), 4.0), np.full((5, 2), 11.5)], axis=1)


def identity(film: Film) -> float:
    found = IdentityScorer().score(film)["identity"]
    assert found.shape == (1,)
    return float(found[0])


def recoloured(pair: Pair, share: float) -> Array:
    """The disc with some of its red made green."""
    frames = pair.frames(PLACES).astype(float)
    turned = frames[..., [1, 0, 2]]
    disc = np.abs(pair.frames(PLACES).astype(int) - pair.frames(PLACES, [1])).max(axis=-1, keepdims=True) > 0
    return np.rint(np.where(disc, frames + share * (turned - frames), frames)).astype(np.uint8)


def test_a_true_object_is_itself_and_a_lost_one_nobody(pair: Pair) -> None:
    assert identity(pair.film(pair.frames(PLACES), PLACES)) > 0.999
    assert identity(pair.film(pair.frames(PLACES + 2), PLACES)) > 0.999
    assert identity(pair.film(pair.frames(PLACES, [0]), PLACES)) == pytest.approx(0.5, abs=1e-3)
    assert identity(pair.film(pair.frames(PLACES, []), PLACES)) == pytest.approx(0, abs=1e-3)


def test_the_more_the_colour_differs_the_less_it_is_the_same(pair: Pair) -> None:
    values = [identity(pair.film(recoloured(pair, share), PLACES)) for share in (0, 0.15, 0.3, 0.45, 1)]
    assert (np.diff(values) < -0.01).all()
    assert values[-1] < 0.65


def test_another_shape_of_the_same_colour_is_less_alike(pair: Pair) -> None:
    square = replace(pair.film(pair.frames(PLACES), PLACES))
    assert square.truth is not None
    assert square.truth.object_stamps is not None
    stamps = square.truth.object_stamps
    shaped = stamps.copy()
    shaped[0, ..., 3] = stamps[1, ..., 3]
    drawn = pair.stamps
    pair.stamps = shaped
    other = pair.frames(PLACES)
    pair.stamps = drawn
    assert 0.8 < identity(pair.film(other, PLACES)) < 0.99  # the square fills what the disc does and a little more


def test_nothing_is_said_of_what_the_true_film_hides(pair: Pair) -> None:
    behind = np.full((5, 2, 2), 8.0)
    assert identity(pair.film(pair.frames(behind), behind)) > 0.9  # of the one in front alone
