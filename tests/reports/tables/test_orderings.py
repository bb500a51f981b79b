"""Published orderings of two variants, and what films say of them."""

from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from reports.statistics.view import ReportView, TrackView
from reports.tables.orderings import AGREES, CONTRADICTS, NOT_RUN, OPEN, Judged, judged, ordering_grid, orderings
from reports.tables.published import published
from tests.reports.report_frames import TRACKS, info, rows

DOCUMENT = Path(__file__).parents[3] / "docs" / "league.md"


def track(ends: dict[str, float], samples: int = 8, **about: object) -> TrackView:
    """Films of one track that end so, a little off each, with gains of a hundredth of that."""
    noise = np.random.default_rng(3).normal(size=(len(ends), samples))
    films = [
        part
        for row, (name, end) in enumerate(ends.items())
        for sample in range(samples)
        for part in (
            rows(name, "background_psnr", [31.0] + [end + noise[row, sample]] * 9, sample=f"s{sample}"),
            rows(name, "gain", [end / 100 + noise[row, sample] / 1000], sample=f"s{sample}"),
        )
    ]
    given = {"variants": {name: {} for name in ends}, "tracks": [TRACKS[0]], "seeds": [0], "orderings": "league"}
    (view,) = ReportView.of(pd.concat(films), info(**given | about)).tracks
    return view


def by_name(view: TrackView) -> dict[str, Judged]:
    return {one.ordering.name: one for one in judged(view)}


ENDS = {
    "full": 30.0,
    "base": 16.0,
    "handcrafted": 33.0,
    "errors_both": 33.0,
    "hiar": 20.0,
    "diffusion_forcing_clean": 25.0,
}


def test_an_ordering_holds_fails_or_cannot_be_told() -> None:
    found = by_name(track(ENDS))
    assert found["recycling"].says == AGREES
    assert found["recycling"].found is not None
    assert found["recycling"].found.mean == pytest.approx(14, abs=1.5)
    assert found["own_errors"].says == CONTRADICTS
    assert found["handcrafted_unmixed"].says == OPEN
    assert found["bagger"].says == NOT_RUN
    assert found["bagger"].found is None


def test_lower_is_better_where_the_measure_says_so() -> None:
    found = by_name(track(ENDS))
    assert found["h3_gain"].says == AGREES  # 0.20 under 0.25
    assert found["h3_gain"].found is not None
    assert found["h3_gain"].found.mean < 0
    assert found["same_noise"].says == CONTRADICTS  # its PSNR falls further


def test_a_handful_of_films_decides_nothing() -> None:
    assert by_name(track(ENDS, samples=4))["recycling"].says == OPEN


def test_the_count_leaves_hypotheses_out_and_says_what_was_known() -> None:
    view = track(ENDS)
    grid = ordering_grid(view)
    assert grid is not None
    published_rows = [one for one in judged(view) if one.ordering.basis != "ours"]
    times = Counter(one.says for one in published_rows)
    assert grid.notes[0] == (
        f"Of {len(published_rows)} published orderings these films agree with {times[AGREES]} (1 of them known before), "
        f"contradict {times[CONTRADICTS]} and leave {times[OPEN]} open; {times[NOT_RUN]} lack a row."
    )
    assert not any("h4_switch" in row[0].text for row in grid.rows)  # of another track
    lines = {row[0].text: [cell.text for cell in row] for row in grid.rows}
    assert lines["recycling"][1] == "full over base"
    assert lines["recycling"][-1] == "agrees, as known before"
    assert lines["h3_gain"][2] == "hypothesis iii"


def test_rows_of_unequal_cost_are_named() -> None:
    spent = {"full": {"training_tokens": 100.0}, "handcrafted": {"training_tokens": 200.0}}
    grid = ordering_grid(track(ENDS, spent=spent))
    assert grid is not None
    assert grid.notes[-1] == "Between rows of unequal cost, and so no fair comparison: own_errors."


def test_a_report_without_such_a_list_shows_none() -> None:
    assert ordering_grid(track(ENDS, orderings=None)) is None
    with pytest.raises(ValueError, match="received 'leage', expected one of league"):
        orderings("leage")


def test_the_document_states_every_ordering() -> None:
    """docs/league.md is what was written down before the first run; the csv beside it decides."""
    text = DOCUMENT.read_text()
    for one in orderings("league"):
        if one.basis == "ours":
            assert f"`{one.name}`" in text
        else:
            (line,) = (line for line in text.splitlines() if line.startswith(f"| {one.name} |"))
            assert f"`{one.better}` over `{one.worse}`" in line
            assert one.source in line
            assert line.endswith(f"| {one.basis} |")


def test_printed_figures_of_stable_video_infinity_are_the_published_ones() -> None:
    printed = [one for one in orderings("league") if one.basis == "printed" and "2510.09212" in one.source]
    assert len(printed) == 8
    for one in printed:
        figures = set(published(f"svi-{one.source.split()[-1]}")["value"])
        decimals = {word.strip(";()") for word in one.published.split() if "." in word.strip(";()")} - {"0.2"}
        assert decimals <= figures, one.name
