"""Whose films are forecast, and from which of them."""

from dataclasses import replace

import numpy as np
import pytest

from reports.statistics.variant_forecasts import WHOLE_FRAME, foretold_late, variant_forecasts
from tests.reports.report_frames import info, study, study_view, view


def test_films_of_all_seeds_are_pooled() -> None:
    found = variant_forecasts(study_view())
    assert found["full"].plateau.value == pytest.approx(0.17 / 0.8, rel=0.05)
    assert (found["full"].films, found["full"].clips) == (12, 20)


def test_trivial_baselines_have_no_forecast() -> None:
    without = replace(study_view(), info=info(trivial=("no_e_vid",)))
    assert list(variant_forecasts(without)) == ["base", "full", "no_e_img"]


def test_a_variant_whose_films_have_no_value_is_left_out_and_the_others_are_foretold() -> None:
    frame = study()
    curves = frame["metric"] == "background_psnr"
    frame.loc[curves, "metric"] = WHOLE_FRAME
    frame.loc[curves & (frame["variant"] == "no_e_img"), "value"] = np.nan
    found = foretold_late(view(frame))
    assert list(found) == ["base", "full", "no_e_vid"]
    assert found["full"].value == pytest.approx(30, abs=0.5)
