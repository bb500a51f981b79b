"""Whose films are forecast, and from which of them."""

from dataclasses import replace

import pytest

from reports.statistics.variant_forecasts import variant_forecasts
from tests.reports.report_frames import info, study_view


def test_films_of_all_seeds_are_pooled() -> None:
    found = variant_forecasts(study_view())
    assert found["full"].plateau.value == pytest.approx(0.17 / 0.8, rel=0.05)
    assert (found["full"].films, found["full"].clips) == (12, 20)


def test_trivial_baselines_have_no_forecast() -> None:
    without = replace(study_view(), info=info(trivial=("no_e_vid",)))
    assert list(variant_forecasts(without)) == ["base", "full", "no_e_img"]
