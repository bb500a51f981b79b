from dataclasses import replace

import numpy as np
import pytest

from benchmarks.films.film import Film
from benchmarks.validation.drifts import DRIFTS, Drift
from benchmarks.validation.visible import DOSES, VISIBLE, doses, just_visible, seen
from tests.benchmarks.validation.conftest import Discs


@pytest.mark.parametrize("name", ["hue", "noise", "object fade", "seam jump"])
def test_just_visible_is_a_colour_difference_of_2_3(discs: Discs, name: str) -> None:
    film = discs.film(0)
    end = Film(film.frames[-2:], 8, (slice(0, 1), slice(1, 2)), film.truth)
    dose = just_visible(DRIFTS[name], film)
    assert dose is not None
    assert seen(DRIFTS[name], end, dose) == pytest.approx(2.3, abs=0.3)  # in whole levels


@pytest.mark.parametrize("name", DRIFTS)
def test_doses_rise_from_half_of_the_just_visible_one_to_the_greatest(discs: Discs, name: str) -> None:
    sizes = doses(DRIFTS[name], discs.film(1))
    assert sizes is not None
    assert len(sizes) == DOSES
    assert (np.diff(sizes) > 0).all()
    assert sizes[VISIBLE] == 2 * sizes[0]
    assert sizes[-1] == pytest.approx(DRIFTS[name].greatest)


def test_a_drift_that_nobody_can_see_has_no_dose(discs: Discs) -> None:
    faint = Drift("faint", "", "levels", 0.01, DRIFTS["noise"].act)
    assert just_visible(faint, discs.film(0)) is None
    assert doses(faint, discs.film(0)) is None


@pytest.mark.parametrize("name", ["identity swap", "object fade"])
def test_an_object_that_is_hidden_in_the_last_frame_has_none(discs: Discs, name: str) -> None:
    film = discs.film(0)
    assert film.truth is not None
    hidden = np.array(film.frames[:])
    hidden[-1] = film.truth.background
    assert just_visible(DRIFTS[name], replace(film, frames=hidden)) is None
