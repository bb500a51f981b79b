"""The grids of drift under its owners' names."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from reports.statistics.view import TrackView
from reports.tables.grid import Grid
from reports.tables.owners import owners_grids
from reports.tables.text import markdown_further
from tests.reports.report_frames import TRACKS, info, report, study

COLUMNS = ["variant", "track", "seed", "sample", "metric", "definition", "at", "value"]


def drifts(**values: float) -> pd.DataFrame:
    """Of the study's films: each definition's value, a hundredth more with each sample."""

    def rows() -> Iterator[tuple[Any, ...]]:
        for variant in ("full", "base"):
            for seed in (0, 1):
                for place, sample in enumerate("abcdef"):
                    film = (variant, TRACKS[0], seed, sample)
                    for name, value in values.items():
                        definition, _, at = name.partition("_at_")
                        yield (*film, "colour_drift", definition, float(at or 0), value + place / 100)

    return pd.DataFrame(list(rows()), columns=COLUMNS)


def view(found: pd.DataFrame) -> TrackView:
    return report(study(), drifts=found).tracks[0]


def line(grid: Grid, row: int) -> dict[str, str]:
    return {head: cell.text for head, cell in zip(grid.heads, grid.rows[row], strict=True)}


def test_each_definition_is_a_column_and_the_slope_stands_beside_them() -> None:
    (grid,) = owners_grids(view(drifts(framepack15=0.2, rolling5s=-0.1, vde=3.0)))
    assert grid.title == f"{TRACKS[0]}, drift under its owners' names"
    base, full = line(grid, 0), line(grid, 1)
    assert (base["metric"], base["variant"], full["variant"]) == ("colour drift", "base", "full")
    assert base["framepack15"] == "0.225 ± 0.000"  # both seeds have the same films here
    assert base["rolling5s"].startswith("\N{MINUS SIGN}0.075")
    assert base["slope per minute"].startswith("+")
    assert "n = 2 seeds" in grid.notes[0]


def test_what_is_infinite_is_said_so() -> None:
    (grid,) = owners_grids(view(drifts(vde=np.inf)))
    assert line(grid, 0)["vde"] == "∞"
    assert line(grid, 0)["framepack15"] == "–"


def test_segments_of_long_films_are_thinned_with_the_first_and_the_last_kept() -> None:
    (_, grid) = owners_grids(view(drifts(vde=1.0, **{f"segments_at_{10 * n}": 0.5 for n in range(25)})))
    starts = [int(head.split()[0]) for head in grid.heads[2:]]
    assert (starts[0], starts[-1]) == (0, 240)
    assert len(starts) <= 6
    assert any("of 25 segments" in note for note in grid.notes)


def test_lengths_are_columns() -> None:
    (_, grid) = owners_grids(view(drifts(vde=1.0, svi_length_at_800=0.5, svi_length_at_1600=0.4)))
    assert grid.heads[2:] == ["800 frames", "1,600 frames"]


def rated(found: pd.DataFrame) -> pd.DataFrame:
    film = ("full", TRACKS[0], 0, "a", "aesthetic", "helios4", 0.0, 0.395)
    ratings = [("full", TRACKS[0], 0, "all", name, "helios4 rating", 0.0, 1.0) for name in ("aesthetic", "weighted")]
    return pd.concat([found, pd.DataFrame([film, *ratings], columns=COLUMNS)], ignore_index=True)


def test_ratings_flag_the_thresholds_that_are_not_monotone() -> None:
    (_, grid) = owners_grids(view(rated(drifts(vde=1.0))))
    assert line(grid, 0) == {"variant": "full", "aesthetic*": "0.395: 1", "weighted": "1.0000"}
    assert any("not monotone" in note for note in grid.notes)


def test_films_that_the_results_lack_do_not_count_and_ratings_of_more_films_go() -> None:
    found = rated(drifts(vde=1.0))
    stray = found[found["definition"] == "vde"].head(1).assign(sample="elsewhere", value=1e9)
    (grid,) = owners_grids(view(pd.concat([found, stray], ignore_index=True)))
    assert float(line(grid, 1)["vde"].split()[0]) < 2


def test_without_kept_frames_there_is_no_grid_and_with_them_the_further_tables_have_it() -> None:
    assert owners_grids(report(study()).tracks[0]) == []
    assert info().drifts is None
    assert "drift under its owners' names" in markdown_further(report(study(), drifts=drifts(vde=1.0)))
