import numpy as np
import pytest

from benchmarks.arrays import Array
from benchmarks.colours import lab
from benchmarks.films.film import Film
from benchmarks.scorers.colour import PaintScorer, TintScorer
from tests.benchmarks.conftest import COLOUR, Pair

PLACES = np.stack([np.full((5, 2), 4.0), np.full((5, 2), 11.5)], axis=1)


def tint(frames: Array) -> float:
    return float(TintScorer().score(Film(frames, 8, (slice(0, len(frames)),)))["tint_drift"][0])


def colour(film: Film) -> float:
    return float(PaintScorer().score(film)["object_colour"][0])


def test_a_tint_counts_and_light_does_not() -> None:
    frames = np.full((5, 4, 4, 3), 100, np.uint8)
    assert tint(frames) == 0
    brighter = frames.copy()
    brighter[1:] = 140
    assert tint(brighter) == pytest.approx(0, abs=1e-6)
    redder = frames.copy()
    redder[1:] = (140, 90, 90)
    moved = lab(np.array([140, 90, 90]) / 255)[1:]  # grey has none
    assert tint(redder) == pytest.approx(4 / 5 * np.linalg.norm(moved), rel=1e-6)


def test_a_true_object_has_its_colour_wherever_it_is(pair: Pair) -> None:
    assert colour(pair.film(pair.frames(PLACES), PLACES)) < 0.6
    assert colour(pair.film(pair.frames(PLACES + 2), PLACES)) < 0.6


def test_another_colour_costs_its_distance(pair: Pair) -> None:
    true, own = pair.stamps, pair.stamps.copy()
    own[0, ..., :3] = 0.9 * COLOUR
    pair.stamps = own
    frames = pair.frames(PLACES)
    pair.stamps = true
    expected = np.linalg.norm(lab(0.9 * COLOUR) - lab(COLOUR)) / 2  # of two objects
    assert colour(pair.film(frames, PLACES)) == pytest.approx(expected, abs=0.5)


def test_the_fainter_an_object_the_more_it_costs_and_a_lost_one_most(pair: Pair) -> None:
    whole, empty = pair.frames(PLACES).astype(float), pair.frames(PLACES, []).astype(float)
    shown = [np.rint(whole + share * (empty - whole)).astype(np.uint8) for share in (0, 0.05, 0.2, 0.5, 1)]
    values = [colour(pair.film(frames, PLACES)) for frames in shown]
    assert (np.diff(values) > 2).all()


def test_what_another_object_covers_is_not_held_against_one(pair: Pair) -> None:
    crossing = PLACES.copy()
    crossing[:, 1] = crossing[:, 0] + 3
    assert colour(pair.film(pair.frames(crossing), crossing)) < 0.6
