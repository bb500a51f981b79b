"""Our VBench dimensions beside the official package's on the same videos: how far apart they are."""

import pandas as pd

from reports.statistics.frame import FILM
from reports.statistics.measures import OFFICIAL
from reports.tables.grid import Cell, Grid
from reports.tables.labels import metric_label
from reports.tables.text import markdown_grid


def agreement_grid(frame: pd.DataFrame) -> Grid | None:
    """A row a dimension: means, and the largest difference of one video; None where the official package scored nothing."""
    films = frame[(frame["view"] == FILM) & (frame["status"] == "ok")]
    rows = []
    for metric in dict.fromkeys(films["metric"]):
        if f"{metric}{OFFICIAL}" not in set(films["metric"]):
            continue
        keys = ["track", "variant", "seed", "sample"]
        ours, theirs = (films[films["metric"] == name].set_index(keys)["value"] for name in (metric, metric + OFFICIAL))
        both = pd.concat([ours, theirs], axis=1, keys=["ours", "theirs"]).dropna()
        if both.empty:
            continue
        apart = (both["ours"] - both["theirs"]).abs().max()
        cells = [f"{both['ours'].mean():.6f}", f"{both['theirs'].mean():.6f}", f"{apart:.1e}", str(len(both))]
        rows.append([Cell(metric_label(metric)), *map(Cell, cells)])
    if not rows:
        return None
    suites = films.loc[films["metric"].str.endswith(OFFICIAL), "suite"]
    heads = ["dimension", "native", suites.iloc[0], "largest difference of a video", "videos"]
    note = "Same videos, same weight files; the official package ran in an environment of its own, with its own torch."
    return Grid("native beside official", heads, rows, [note])


def agreement(frame: pd.DataFrame) -> str:
    """The grid as Markdown; empty where the official package scored nothing."""
    grid = agreement_grid(frame)
    return "" if grid is None else markdown_grid(grid) + "\n"
