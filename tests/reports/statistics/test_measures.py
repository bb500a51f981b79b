"""Which measures lead, and which a main table shows."""

import itertools

import pandas as pd
import pytest

from reports.statistics.measures import Measure, further_chunks, lead_measure, split_measures
from reports.statistics.summary import summarise
from tests.reports.report_frames import KINDS, info, rows, skipped, study_summary


def test_where_the_world_is_known_the_whole_frame_leads_and_the_background_stands_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(KINDS, "placed_psnr", ("higher", "dB"))
    films = [rows("full", metric, [30.0] * 5) for metric in ("background_psnr", "placed_psnr", "motion")]
    summary = summarise(pd.concat([*films, rows("full", "gain", [0.2])]), info())
    assert lead_measure(summary, "consistent-50s") == Measure("placed_psnr", "late")
    main, _ = split_measures(summary, "consistent-50s")
    assert main == [
        *(Measure("placed_psnr", statistic) for statistic in ("first", "late", "drop")),
        Measure("motion", "late"),
        Measure("gain", "value"),
        Measure("background_psnr", "late"),
    ]


@pytest.mark.parametrize(
    ("older", "leads"),
    [
        ({("base", 0), ("base", 1)}, "background_psnr"),
        ({("full", 0), ("full", 1)}, "background_psnr"),
        ({("full", 0)}, "background_psnr"),
        (set(), "placed_psnr"),
    ],
)
def test_what_films_of_older_code_lack_does_not_lead(
    monkeypatch: pytest.MonkeyPatch, older: set[tuple[str, int]], leads: str
) -> None:
    """Or no difference could be stated, or only of some seeds."""
    monkeypatch.setitem(KINDS, "placed_psnr", ("higher", "dB"))
    films = []
    for variant, seed, sample in itertools.product(("full", "base"), (0, 1), "abcdef"):
        for metric in ("background_psnr", "placed_psnr"):
            where = {"seed": seed, "sample": sample}
            if metric == "placed_psnr" and (variant, seed) in older:
                films.append(skipped(variant, metric, "made before it was kept", **where))
            else:
                films.append(rows(variant, metric, [30.0 + len(films) % 5] * 5, **where))
    summary = summarise(pd.concat(films), info())
    assert lead_measure(summary, "consistent-50s") == Measure(leads, "late")
    assert split_measures(summary, "consistent-50s")[0][:3] == [
        Measure(leads, statistic) for statistic in ("first", "late", "drop")
    ]
    late = summary[(summary["metric"] == leads) & (summary["statistic"] == "late")]
    assert (late["n"] == 2).all()


def test_the_lead_is_background_psnr_or_else_the_first_curve_with_a_direction() -> None:
    summary = study_summary()
    assert lead_measure(summary, "consistent-50s") == Measure("background_psnr", "late")
    summary = summary[~summary["metric"].isin(["background_psnr", "ssim"])]
    assert lead_measure(summary, "consistent-50s") == Measure("colour_drift", "late")
    main, _ = split_measures(summary, "consistent-50s")
    assert main[:2] == [Measure("colour_drift", "late"), Measure("motion", "late")]


def test_what_people_see_stands_in_a_table_of_its_own_and_speed_beside_the_lead(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    named = ("placed_psnr", "motion", "colour_drift", "seam", "heading_error", "speed_kept", "repetition")
    for name in named:
        monkeypatch.setitem(KINDS, name, ("lower", ""))
    films = [rows("full", metric, [0.3] * 5) for metric in named]
    summary = summarise(pd.concat([*films, rows("full", "gain", [0.2]), rows("full", "eps", [0.2])]), info())
    main, _ = split_measures(summary, "consistent-50s")
    assert Measure("speed_kept", "late") in main
    seen, further = further_chunks(summary, "consistent-50s")
    assert seen == [Measure(name, "late") for name in ("heading_error", "seam", "repetition")]
    assert Measure("colour_drift", "late") in further
