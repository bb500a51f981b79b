from dataclasses import replace

import numpy as np
import pytest

from benchmarks.arrays import Array, Floats
from benchmarks.films.film import Film
from benchmarks.scorers.course import CourseScorer, SwitchScorer
from tests.benchmarks.conftest import SIZE, Pair

FRAMES = 41
ASKED = np.broadcast_to([[0.5, 0.0], [0.0, 0.25]], (FRAMES, 2, 2))
START = np.array([[4.0, 4.0], [12.0, 10.0]])


def path(velocities: Array) -> Floats:
    """Places [F, K, 2] of what moves so many pixels a frame."""
    moved: Floats = np.concatenate([np.zeros((1, 2, 2)), np.cumsum(velocities[:-1], axis=0)])
    return START + moved


def film(pair: Pair, moved: Array, asked: Array = ASKED, shown: tuple[int, ...] = (0, 1)) -> Film:
    frames = pair.frames(path(moved) % SIZE, shown)
    return pair.film(frames, path(asked), asked)


def scores(*given: Film) -> tuple[Floats, Floats]:
    found = CourseScorer().score(given[0])
    return found["heading_error"], found["speed_kept"]


def turned(degrees: float, scale: float = 1.0) -> Floats:
    angle = np.radians(degrees)
    turn: Floats = scale * np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return ASKED @ turn


def test_a_true_film_keeps_its_heading_and_speed_around_the_borders(pair: Pair) -> None:
    heading, speed = scores(film(pair, ASKED))
    assert heading.max() < 3
    assert speed.min() > 0.95


@pytest.mark.parametrize("degrees", [15, 45, 90, 150])
def test_a_wrong_way_costs_its_angle(pair: Pair, degrees: float) -> None:
    heading, speed = scores(film(pair, turned(degrees)))
    assert heading == pytest.approx([degrees] * 10, abs=4)
    assert speed.min() > 0.9


@pytest.mark.parametrize(("scale", "kept"), [(0.5, 0.5), (0.75, 0.75), (1.5, 1 / 1.5)])
def test_slower_and_faster_cost_their_ratio(pair: Pair, scale: float, kept: float) -> None:
    heading, speed = scores(film(pair, turned(0, scale)))
    assert speed == pytest.approx([kept] * 10, abs=0.04)
    assert heading.max() < 6


def test_a_still_film_has_no_heading_and_no_speed(pair: Pair) -> None:
    heading, speed = scores(film(pair, np.zeros_like(ASKED)))
    assert (heading.tolist(), speed.tolist()) == ([90] * 10, [0] * 10)


def test_a_lost_object_helps_neither(pair: Pair) -> None:
    heading, speed = scores(film(pair, ASKED, shown=(0,)))
    assert heading == pytest.approx([45] * 10, abs=2)
    assert speed == pytest.approx([0.5] * 10, abs=0.03)


@pytest.mark.parametrize("late", [0, 4, 10])
def test_latency_is_the_time_until_the_film_follows(pair: Pair, late: int) -> None:
    asked, moved = ASKED.copy(), ASKED.copy()
    asked[16:, 0], moved[16 + late :, 0] = [-0.5, 0.0], [-0.5, 0.0]
    found = SwitchScorer().score(film(pair, moved, asked))["switch_latency"]
    assert found[4] == pytest.approx(late / 8, abs=1 / 8)  # frame 16 begins the fifth clip
    assert np.isnan(np.delete(found, 4)).all()


def test_what_never_follows_counts_until_the_next_switch(pair: Pair) -> None:
    asked = ASKED.copy()
    asked[12:, 0], asked[28:, 0] = [0.0, 0.5], [0.5, 0.0]
    for given in (film(pair, ASKED, asked), film(pair, asked, asked, shown=(1,))):
        found = SwitchScorer().score(given)["switch_latency"]
        assert found[3] == 2.0
    assert SwitchScorer().score(film(pair, asked, asked))["switch_latency"][[3, 7]] == pytest.approx([0, 0], abs=1 / 8)


def test_velocities_that_are_missing_or_misfit_are_refused(pair: Pair) -> None:
    given = film(pair, ASKED)
    assert given.truth is not None
    for scorer in (CourseScorer(), SwitchScorer()):
        with pytest.raises(ValueError, match="received no velocities"):
            scorer.score(replace(given, truth=replace(given.truth, velocities=None)))
        with pytest.raises(ValueError, match=r"velocities \(40, 2, 2\), expected \(41, 2, 2\)"):
            scorer.score(replace(given, truth=replace(given.truth, velocities=ASKED[1:])))
