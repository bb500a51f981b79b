"""The statistics of a report against numbers computed by hand."""

import math
from collections.abc import Hashable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from reports.summary import curves, estimate, half_width, summarise
from tests.reports.report_frames import info, rows, skipped, study, study_summary

FALLING = [float(value) for value in range(20, 0, -1)]  # 20 clips: 20, 19, ... 1


def row(summary: pd.DataFrame, variant: str, metric: str, statistic: str) -> dict[Hashable, Any]:
    chosen = (summary["variant"] == variant) & (summary["metric"] == metric) & (summary["statistic"] == statistic)
    found = summary[chosen & (summary["track"] == "consistent-50s")]
    assert len(found) == 1
    return found.to_dict("records")[0]


def test_a_curve_gives_first_late_drop_and_contrast() -> None:
    found = summarise(rows("full", "background_psnr", FALLING), info())
    means = found.set_index("statistic")["mean"]
    assert means["first"] == 20
    assert means["late"] == (4 + 3 + 2 + 1) / 4  # the last 20 % of 20 clips
    assert means["drop"] == 20 - 2.5
    assert means["contrast"] == 19 - 2  # |mean(20, 19, 18) - mean(3, 2, 1)|: 15 % at both ends


def test_a_film_shorter_than_its_shares_uses_one_clip_of_each_end() -> None:
    means = summarise(rows("full", "background_psnr", [5.0, 3.0]), info()).set_index("statistic")["mean"]
    assert means.to_dict() == {"first": 5, "late": 3, "drop": 2, "contrast": 2}


def test_undefined_clips_are_left_out_of_a_mean() -> None:
    curve = [*FALLING[:-1], math.nan]
    assert (
        row(summarise(rows("full", "background_psnr", curve), info()), "full", "background_psnr", "late")["mean"] == 3
    )


def test_one_seed_has_its_standard_error_over_samples() -> None:
    films = [rows("full", "gain", [value], sample=sample) for sample, value in zip("abc", (1, 2, 6), strict=True)]
    found = row(summarise(pd.concat(films), info()), "full", "gain", "value")
    assert (found["mean"], found["n"], found["over"]) == (3, 3, "samples")
    assert found["se"] == pytest.approx(math.sqrt((4 + 1 + 9) / 2) / math.sqrt(3))


def test_several_seeds_have_their_standard_error_over_the_means_of_seeds() -> None:
    values = {(0, "a"): 1, (0, "b"): 3, (1, "a"): 5, (1, "b"): 7, (2, "a"): 5, (2, "b"): 5}
    films = [rows("full", "gain", [value], seed=seed, sample=sample) for (seed, sample), value in values.items()]
    found = row(summarise(pd.concat(films), info()), "full", "gain", "value")
    assert (found["n"], found["over"]) == (3, "seeds")
    assert found["mean"] == pytest.approx((2 + 6 + 5) / 3)
    assert found["se"] == pytest.approx(np.std([2, 6, 5], ddof=1) / math.sqrt(3))


def test_deltas_are_paired_by_seed_and_sample() -> None:
    # Samples differ by 10 and the variant by 1 to 3: unpaired, the error would hide the difference.
    films = [rows("full", "gain", [value], sample=sample) for sample, value in zip("abc", (0, 10, 20), strict=True)]
    films += [rows("base", "gain", [value], sample=sample) for sample, value in zip("cba", (23, 12, 1), strict=True)]
    found = row(summarise(pd.concat(films), info()), "base", "gain", "value")
    assert (found["delta"], found["delta_n"]) == (2, 3)
    assert found["delta_se"] == pytest.approx(1 / math.sqrt(3))
    assert found["delta_low"] == pytest.approx(2 - 4.302653 / math.sqrt(3))  # Student's t, 2 degrees of freedom
    assert found["delta_high"] == pytest.approx(2 + 4.302653 / math.sqrt(3))


def test_a_film_without_its_pair_counts_in_the_mean_and_not_in_the_delta() -> None:
    films = [rows("full", "gain", [1.0], sample="a"), *(rows("base", "gain", [3.0], sample=name) for name in "ab")]
    found = row(summarise(pd.concat(films), info()), "base", "gain", "value")
    assert (found["n"], found["delta_n"]) == (2, 1)
    assert math.isnan(found["delta_low"])


def test_the_baseline_has_no_delta() -> None:
    found = study_summary()
    assert found.loc[found["variant"] == "full", "delta"].isna().all()
    assert found.loc[found["variant"] == "no_e_img", "delta"].notna().all()


def test_directions_follow_the_statistic() -> None:
    found = study_summary().drop_duplicates(["metric", "statistic"]).set_index(["metric", "statistic"])["direction"]
    assert found["background_psnr", "late"] == "higher"
    assert found["background_psnr", "drop"] == "lower"
    assert found["background_psnr", "contrast"] == "lower"
    assert found["colour_drift", "drop"] == "higher"
    assert found["motion", "contrast"] == "none"


def test_skipped_metrics_stay_as_rows_with_their_reason() -> None:
    found = row(study_summary(), "base", "ssim", "late")
    assert (found["status"], found["reason"], found["n"]) == ("skipped", "no true film is stored", 0)
    assert math.isnan(found["mean"])


def test_a_metric_skipped_everywhere_is_one_row_a_variant() -> None:
    found = summarise(pd.concat([skipped(name, "ssim", "none stored") for name in ("full", "base")]), info())
    assert list(found["variant"]) == ["base", "full"]
    assert set(found["statistic"]) == {"value"}


def test_a_metric_that_is_nowhere_defined_is_skipped_with_that_reason() -> None:
    found = row(summarise(rows("full", "ssim", [math.nan] * 5), info()), "full", "ssim", "late")
    assert (found["status"], found["reason"]) == ("skipped", "undefined for every sample")


def test_variants_keep_the_order_of_their_declaration() -> None:
    found = summarise(study().sample(frac=1, random_state=0), info())
    assert list(dict.fromkeys(found["variant"])) == ["base", "full", "no_e_img", "no_e_vid"]


def test_curves_have_their_error_over_seeds_or_over_the_samples_of_one() -> None:
    films = [
        rows("full", "motion", [value, 0], seed=seed, sample=name) for seed, name, value in ((0, "a", 1), (0, "b", 3))
    ]
    one = curves(pd.concat(films), "consistent-50s", "motion")["full"]
    assert list(one.loc[0]) == pytest.approx([2, 1])
    films.append(rows("full", "motion", [6, 0], seed=1))
    several = curves(pd.concat(films), "consistent-50s", "motion")["full"]
    assert list(several.loc[0]) == pytest.approx([4, 2])


def test_a_single_value_has_no_standard_error_and_no_interval() -> None:
    index = pd.MultiIndex.from_tuples([(0, "a")], names=["seed", "sample"])
    found = estimate(pd.Series([2.0], index=index))
    assert (found.mean, found.n) == (2, 1)
    assert math.isnan(found.se)
    assert math.isnan(half_width(1.0, 1))
