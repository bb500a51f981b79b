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


@pytest.mark.parametrize("lost", [(WHOLE_FRAME, "gain", "eps"), ("gain", "eps"), (WHOLE_FRAME,)])
def test_a_variant_that_lacks_a_seed_is_foretold_by_the_seeds_that_it_has(lost: tuple[str, ...]) -> None:
    frame = study()
    frame.loc[frame["metric"] == "background_psnr", "metric"] = WHOLE_FRAME
    lacks = (frame["variant"] == "no_e_vid") & (frame["seed"] == 0) & frame["metric"].isin(lost)
    whole, found, second = (foretold_late(view(one)) for one in (frame, frame[~lacks], frame[frame["seed"] == 1]))
    assert list(found) == list(whole)
    assert found["no_e_vid"].value == pytest.approx(second["no_e_vid"].value)
    assert found["full"].value == pytest.approx(whole["full"].value)


def test_a_seed_s_curves_go_with_its_own_gains() -> None:
    frame = study()
    frame.loc[frame["metric"] == "background_psnr", "metric"] = WHOLE_FRAME
    own = frame["variant"] == "no_e_vid"
    gainless = own & (frame["seed"] == 0) & frame["metric"].isin(["gain", "eps"])
    curveless = own & (frame["seed"] == 1) & (frame["metric"] == WHOLE_FRAME)
    assert list(foretold_late(view(frame[~(gainless | curveless)]))) == ["base", "full", "no_e_img"]
