"""The statistics of a report against numbers computed by hand."""

import math
import time
from collections.abc import Hashable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from reports.statistics.paired import pairs
from reports.statistics.run_trainings import between, measure_trainings
from reports.statistics.summary import curves, estimate, half_width, summarise
from reports.statistics.trainings import Trainings
from tests.reports.report_frames import VARIANTS, info, judged, judged_info, rows, skipped, study, study_summary, whole

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
    assert means.drop(["vde", "slope"]).to_dict() == {"first": 5, "late": 3, "drop": 2, "contrast": 2}


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
    names, more = "abcdefg", (1, 2, 3, 1, 2, 3, 2)
    films = [rows("full", "gain", [10.0 * film], sample=name) for film, name in enumerate(names)]
    films += [rows("base", "gain", [10.0 * film + more[film]], sample=names[film]) for film in (3, 1, 0, 2, 6, 5, 4)]
    found = row(summarise(pd.concat(films), info()), "base", "gain", "value")
    assert (found["delta"], found["delta_n"]) == (2, 7)
    assert found["delta_se"] == pytest.approx(np.std(more, ddof=1) / math.sqrt(7), rel=0.03)
    assert 1 < found["delta_low"] < 1.5 < 2.5 < found["delta_high"] < 3
    assert found["delta_p"] < 0.01


def test_few_samples_give_a_difference_and_no_interval() -> None:
    films = [
        rows(name, "gain", [value], sample=sample)
        for name, value in (("full", 0.2), ("base", 0.9))
        for sample in "abcde"
    ]
    found = row(summarise(pd.concat(films), info()), "base", "gain", "value")
    assert (found["delta"], found["delta_n"]) == (pytest.approx(0.7), 5)
    assert all(math.isnan(found[f"delta_{name}"]) for name in ("se", "low", "high", "p", "holm"))


def gains(**means: float) -> pd.DataFrame:
    """Eight films each; those of one sample are alike, whatever the variant."""
    films = np.random.default_rng(3).normal(0, 0.1, 8)
    own = np.random.default_rng(4).normal(0, 0.01, (len(means), 8))
    parts = [
        rows(name, "gain", [mean + films[film] + own[index, film]], sample=f"film-{film}")
        for index, (name, mean) in enumerate(means.items())
        for film in range(8)
    ]
    return pd.concat(parts)


def best(frame: pd.DataFrame, **changes: Any) -> list[str]:
    found = summarise(frame, info(**changes))
    return list(found.loc[found["best"], "variant"])


def test_the_best_is_better_than_each_other_one_or_there_is_none() -> None:
    known = {"known": {("consistent-50s", "gain", "value"): Trainings(1e-6, 8, 1e-6, 120, 8)}}
    assert best(gains(full=0.3, base=0.9, no_e_img=0.5), **known) == ["full"]
    assert best(gains(full=0.3, base=0.9, no_e_img=0.301), **known) == []  # not told apart from the runner-up
    assert best(gains(base=0.3, no_e_img=0.5), **known) == ["base"]  # whether the baseline is there or not
    assert best(gains(base=0.3), **known) == []


def test_of_one_training_each_none_is_best_unless_it_is_known_how_far_trainings_differ() -> None:
    frame = gains(full=0.3, base=0.9, no_e_img=0.5)
    assert best(frame) == []
    assert best(frame, untrained=tuple(VARIANTS)) == ["full"]  # nothing was trained
    far = Trainings(0.2**2, 8, 1e-6, 120, 8)
    assert best(frame, known={("consistent-50s", "gain", "value"): far}) == []


def test_what_is_known_of_trainings_widens_the_interval_of_one_seed() -> None:
    frame, known = gains(full=0.3, no_e_img=0.5), Trainings(0.1**2, 8, 1e-6, 120, 8)
    alone = row(summarise(frame, info()), "no_e_img", "gain", "value")
    told = row(summarise(frame, info(known={("consistent-50s", "gain", "value"): known})), "no_e_img", "gain", "value")
    assert (alone["delta_one_training"], told["delta_one_training"]) == (True, False)
    assert alone["delta_low"] > 0 > told["delta_low"]
    assert told["trainings_sd"] == pytest.approx(0.1, rel=0.01)
    assert told["delta_detectable"] > 2 * alone["delta_detectable"]


def test_several_seeds_pool_how_far_trainings_differ_over_the_trained_rows() -> None:
    def film(variant: str, seed: int, shift: float) -> list[pd.DataFrame]:
        return [
            rows(variant, "gain", [shift + index % 3], seed=seed, sample=name) for index, name in enumerate("abcdefgh")
        ]

    shifts = {"full": (0.0, 0.2), "no_e_img": (1.0, 1.4), "base": (5.0, 5.0)}
    frame = pd.concat(part for name, two in shifts.items() for seed in (0, 1) for part in film(name, seed, two[seed]))
    found = row(summarise(frame, info(untrained=("base",))), "no_e_img", "gain", "value")
    assert found["trainings_sd"] == pytest.approx(math.sqrt((0.02 + 0.08) / 2))
    with_base = row(summarise(frame, info()), "no_e_img", "gain", "value")
    assert with_base["trainings_sd"] < found["trainings_sd"]  # base was trained once, and is no evidence of trainings
    of_base = row(summarise(frame, info(untrained=("base",))), "base", "gain", "value")
    assert of_base["delta_se"] == pytest.approx(found["delta_se"] / math.sqrt(2), rel=0.1)


def of_one_training(seeds: int) -> pd.DataFrame:
    """`no_e_img` ends 0.5 above `full`, film by film, whatever each training of both adds; `no_e_vid` as `full` and by itself."""
    random, parts = np.random.default_rng(5), []
    for seed in range(seeds):
        shift, own = random.normal(0, 1, 2)
        for index, sample in enumerate("abcdefgh"):
            for name, value in (("full", shift), ("no_e_img", shift + 0.5), ("no_e_vid", own)):
                value += index % 3 + random.normal(0, 0.02)
                parts.append(rows(name, "gain", [value], seed=seed, sample=sample))
    return pd.concat(parts)


ONE_FOR_TWO = {name: {seed: f"{seed}" for seed in range(3)} for name in ("full", "no_e_img")}


def test_what_two_rows_of_the_same_trainings_share_is_no_part_of_their_difference() -> None:
    found = summarise(of_one_training(3), info(trainings=ONE_FOR_TWO))
    alike, apart = row(found, "no_e_img", "gain", "value"), row(found, "no_e_vid", "gain", "value")
    assert alike["delta_se"] < 0.03
    assert alike["delta_low"] > 0.4
    assert alike["delta_holm"] < 1e-3
    assert apart["delta_se"] > 0.3
    asunder = row(summarise(of_one_training(3), info()), "no_e_img", "gain", "value")
    assert asunder["delta_low"] < 0  # were they trained apart, so much would be chance


def test_how_far_a_difference_goes_by_the_shared_training_is_part_of_it() -> None:
    frame = of_one_training(3)
    moved = frame["value"] + frame["seed"].astype(int) * 0.5 * (frame["variant"] == "no_e_img")
    found = row(summarise(frame.assign(value=moved), info(trainings=ONE_FOR_TWO)), "no_e_img", "gain", "value")
    assert found["trainings_sd"] == pytest.approx(0.5, rel=0.1)
    assert found["delta_se"] == pytest.approx(0.5 / math.sqrt(3), rel=0.1)
    assert found["delta_low"] < 0 < found["delta"]


def test_one_training_of_two_rows_does_not_make_each_of_them_trained_once() -> None:
    found = summarise(of_one_training(1), info(trainings=ONE_FOR_TWO))
    assert [bool(row(found, name, "gain", "value")["delta_one_training"]) for name in ("no_e_img", "no_e_vid")] == [
        False,
        True,
    ]


def test_equal_films_of_the_same_trainings_beside_a_model_nobody_trained_are_seldom_called_different() -> None:
    """Four rows of two trainings know one degree of freedom, not four."""
    random, false = np.random.default_rng(0), 0
    names = ("full", "no_e_img", "no_e_vid", "more")
    about = info(
        baseline="base", variants={name: {} for name in ("base", *names)}, untrained=("base",),
        trainings={name: {0: "a", 1: "b"} for name in names},
    )  # fmt: skip
    measure = (about.tracks[0], "gain", "value")
    films = pd.MultiIndex.from_product([[0, 1], list("abcdefgh")], names=["seed", "sample"])
    for _ in range(200):
        lasting, shift = random.normal(0, 1, 8), random.normal(0, 1, (2, 1))
        base = pd.Series(np.tile(lasting, 2), films)
        tables = {name: pd.Series((lasting + shift + random.normal(0, 0.3, (2, 8))).ravel(), films) for name in names}
        paired = pairs(tables["full"], base)
        told = between(paired, measure_trainings({"base": base, **tables}, about, measure), about, "full", "base")
        false += paired.difference(*told).p < 0.05
    assert false < 20


def test_a_trivial_baseline_is_never_best_and_keeps_no_other_from_it() -> None:
    frame = gains(full=0.3, base=0.9, no_e_img=0.1)
    assert best(frame, trained=False) == ["no_e_img"]
    assert best(frame, trained=False, trivial=("no_e_img",)) == ["full"]


def test_p_is_corrected_for_as_many_variants_as_are_compared() -> None:
    found = summarise(gains(full=0.3, base=0.31, no_e_img=0.9, no_e_vid=0.3), info())
    of = found.set_index("variant")
    raw, corrected = of["delta_p"].drop("full"), of["delta_holm"].drop("full")
    assert corrected["no_e_img"] == pytest.approx(3 * raw["no_e_img"])
    assert (corrected >= raw).all()
    trivial = summarise(gains(full=0.3, base=0.31, no_e_img=0.9), info(trivial=("base",))).set_index("variant")
    assert trivial.at["no_e_img", "delta_holm"] == trivial.at["no_e_img", "delta_p"]
    assert math.isnan(trivial.at["base", "delta_holm"])


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
        rows("full", "motion", [value, 0], seed=0, sample=name)
        for name, value in zip("abcdef", (1, 3) * 3, strict=True)
    ]
    one = curves(pd.concat(films), "consistent-50s", "motion")["full"]
    assert list(one.loc[0]) == pytest.approx([2, np.sqrt(6 / 5 / 6)])
    five = curves(pd.concat(films[:5]), "consistent-50s", "motion")["full"]
    assert five["se"].isna().all()
    films.append(rows("full", "motion", [6, 0], seed=1))
    several = curves(pd.concat(films), "consistent-50s", "motion")["full"]
    assert list(several.loc[0]) == pytest.approx([4, 2])


def test_a_single_value_has_no_standard_error_and_no_interval() -> None:
    index = pd.MultiIndex.from_tuples([(0, "a")], names=["seed", "sample"])
    found = estimate(pd.Series([2.0], index=index))
    assert (found.mean, found.n) == (2, 1)
    assert math.isnan(found.se)
    assert math.isnan(half_width(1.0, 1))


def test_a_metric_of_the_whole_film_keeps_its_number_beside_its_curve() -> None:
    found = summarise(whole("full", "imaging_quality", 0.7, [0.9, 0.5]), info(clip_seconds=30.0))
    means = found.set_index("statistic")["mean"]
    assert list(means.index) == ["value", "first", "late", "drop", "contrast", "vde", "slope"]
    assert (means["value"], means["first"], means["late"]) == (0.7, 0.9, 0.5)
    assert means["slope"] == pytest.approx(-0.8)  # 0.4 less in half a minute
    assert means["vde"] == pytest.approx(0.4 / 0.9)


def test_the_prefix_view_is_in_no_statistic() -> None:
    frame = whole("full", "imaging_quality", 0.7, [0.9, 0.5])
    bare = frame[frame["view"] != "prefix"]
    pd.testing.assert_frame_equal(summarise(frame, info()), summarise(bare, info()))


def test_the_slope_has_an_interval_over_seeds_by_student_s_t() -> None:
    falls = {(0, "a"): 1.0, (0, "b"): 3.0, (1, "a"): 4.0, (1, "b"): 4.0, (2, "a"): 6.0, (2, "b"): 8.0}
    films = [
        rows("full", "background_psnr", [30.0, 30.0 - fall, 30.0 - 2 * fall], seed=seed, sample=sample)
        for (seed, sample), fall in falls.items()
    ]
    found = row(summarise(pd.concat(films), info(clip_seconds=60.0)), "full", "background_psnr", "slope")
    means = [-2.0, -4.0, -7.0]  # of the seeds, in dB a minute
    se = np.std(means, ddof=1) / math.sqrt(3)
    assert found["mean"] == pytest.approx(np.mean(means))
    assert (found["low"], found["high"]) == (
        pytest.approx(np.mean(means) - 4.302653 * se),
        pytest.approx(np.mean(means) + 4.302653 * se),
    )
    assert (found["unit"], found["direction"], found["over"]) == ("dB per minute", "higher", "seeds")


def test_a_drift_error_is_relative_and_better_when_lower() -> None:
    found = row(study_summary(), "full", "background_psnr", "vde")
    assert (found["unit"], found["direction"]) == ("relative", "lower")
    assert row(study_summary(), "full", "motion", "vde")["direction"] == "none"


def test_a_set_has_its_standard_error_over_seeds_and_none_of_one() -> None:
    sets = [rows("full", "fvd", [value], sample="all", seed=seed) for seed, value in enumerate((300.0, 320.0, 340.0))]
    found = row(summarise(pd.concat(sets), info()), "full", "fvd", "value")
    assert (found["mean"], found["n"], found["over"]) == (320, 3, "seeds")
    assert found["se"] == pytest.approx(20 / math.sqrt(3))
    single = row(summarise(sets[0], info()), "full", "fvd", "value")
    assert (single["n"], single["over"]) == (1, "seeds")
    assert all(math.isnan(single[name]) for name in ("se", "low", "high"))


def test_sets_are_paired_by_seed() -> None:
    sets = [
        rows(name, "fvd", [value + 100.0 * seed], sample="all", seed=seed)
        for name, value in (("full", 300.0), ("base", 340.0))
        for seed in (0, 1, 2)
    ]
    found = row(summarise(pd.concat(sets), info()), "base", "fvd", "value")
    assert (found["delta"], found["delta_n"]) == (40, 3)
    assert math.isnan(found["delta_low"])  # three sets are too few


def test_trivial_baselines_are_the_last_rows() -> None:
    found = summarise(judged(), judged_info())
    assert list(dict.fromkeys(found["variant"])) == ["base", "full", "copy_image"]


@pytest.mark.slow
def test_half_a_million_rows_are_summarised_in_seconds() -> None:
    clips = [rows("full", "motion", np.linspace(0, 1, 100), sample=f"film-{film:02d}") for film in range(16)]
    film = pd.concat(clips)
    names = [f"v{number}" for number in range(5)] + ["full"]
    metrics = [f"metric-{number}" for number in range(12)]
    parts = [
        film.assign(variant=name, metric=metric, seed=seed) for name in names for metric in metrics for seed in range(5)
    ]
    frame = pd.concat(parts, ignore_index=True)
    assert len(frame) == 576_000
    started = time.process_time()
    found = summarise(frame, info(variants={name: {} for name in names}))
    assert time.process_time() - started < 15
    assert len(found) == 6 * 12 * 6


def test_films_of_a_track_last_equally_long_whatever_the_number_of_their_clips() -> None:
    # Both fall by 18 in 18 clips of half a second, 120 a minute; the other's 4 clips are 2.5 s each.
    films = [rows("full", "background_psnr", FALLING), rows("base", "background_psnr", [20.0, 15.0, 10.0, 5.0])]
    found = summarise(pd.concat(films), info())
    full, base = (row(found, name, "background_psnr", "slope") for name in ("full", "base"))
    assert (full["mean"], base["mean"]) == (pytest.approx(-120), pytest.approx(-120))
    assert (full["clips"], full["clip_seconds"]) == (20, 0.5)
    assert (base["clips"], base["clip_seconds"]) == (4, 2.5)


def test_without_a_curve_of_the_baseline_the_first_variant_s_clips_count() -> None:
    films = [rows("no_e_vid", "background_psnr", [5.0, 4.0]), rows("base", "background_psnr", FALLING[:4])]
    found = summarise(pd.concat([*films, rows("full", "gain", [0.2])]), info())
    assert row(found, "base", "background_psnr", "slope")["clip_seconds"] == 0.5
    assert row(found, "no_e_vid", "background_psnr", "slope")["clip_seconds"] == 1.0
    gain = row(found, "full", "gain", "value")
    assert gain["clips"] == 0
    assert math.isnan(gain["clip_seconds"])
