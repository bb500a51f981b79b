"""Published figures to read beside one's own: the tables of Stable Video Infinity (arXiv 2510.09212)."""

from functools import cache
from importlib import resources

import pandas as pd

from reports.tables.grid import NONE, Cell, Grid
from reports.tables.labels import metric_label
from reports.tables.sources import table_name

CAPTION = (
    "Published figures of arXiv 2510.09212, measured on Wan 2.1 14B. Their values are not comparable with those "
    "above, least of all with a toy world's; compare only which change helps and which harms."
)


def published(name: str) -> pd.DataFrame:
    """The rows of a published table, `svi-4` for Table 4, as text.

    Columns: source, track, duration_s, method, metric, value, unit; empty where the paper states none.

    Raises:
        ValueError: no such table; names those that exist.
    """
    rows = _rows()
    names = rows["source"].map(table_name)
    if name not in set(names):
        raise ValueError(f"published table: received {name!r}, expected one of {', '.join(sorted(set(names)))}")
    return rows[names == name].reset_index(drop=True)


def published_grids(name: str) -> list[Grid]:
    """A grid a track and duration of the published table, methods and metrics in the paper's order.

    Raises:
        ValueError: no such table.
    """
    rows = published(name)
    groups = rows.groupby(["source", "track", "duration_s"], sort=False)
    return [_grid([str(part) for part in key], group) for key, group in groups]


def printed(text: str) -> str:
    """A number as the paper prints it, with the leading zero it leaves out."""
    return f"0{text}" if text.startswith(".") else text


def _grid(key: list[str], rows: pd.DataFrame) -> Grid:
    source, track, seconds = key
    metrics = list(dict.fromkeys(rows["metric"]))
    texts = {(row["method"], row["metric"]): printed(row["value"]) for row in rows.to_dict("records")}
    table = [
        [Cell(method), *(Cell(texts.get((method, metric), NONE)) for metric in metrics)]
        for method in dict.fromkeys(rows["method"])
    ]
    where = f"{track} {seconds} s" if seconds else track
    heads = [metric_label(metric) for metric in metrics]
    units = " and ".join(dict.fromkeys(rows["unit"].replace("raw", "raw values")))
    return Grid(f"{source}: {where}", ["method", *heads], table, [f"In {units}, as printed; without standard errors."])


@cache
def _rows() -> pd.DataFrame:
    with (resources.files("reports.tables") / "published.csv").open(encoding="utf-8") as file:
        return pd.read_csv(file, dtype=str, keep_default_na=False)
