"""The results frame: one row a value, long. Everything in a report is computed from it."""

from typing import Any

import numpy as np
import pandas as pd

from reports.statistics.comparability import require_comparable
from reports.statistics.info import ReportInfo

COLUMNS = (
    "experiment", "variant", "track", "seed", "sample", "metric", "view", "clip", "value",
    "direction", "unit", "version", "suite", "weights", "fps", "resolution", "samples",
    "track_version", "compared_with", "status", "reason",
)  # fmt: skip
"""`samples`: 12 hex digits of the videos' list; `compared_with`: of the reference or sound that a metric was computed
against, or empty."""
KEYS = ["experiment", "track", "variant", "seed", "sample", "metric", "view", "clip"]
PER_FILM = -1
"""`clip` of a row that speaks of the whole film, or of a set of films."""
SET = "all"
"""`sample` of a metric that gives one value for a set of films."""
FILM, WINDOW, PREFIX = "film", "window", "prefix"
VIEWS = (FILM, WINDOW, PREFIX)
"""Of which frames a score is: the whole film's, those of one clip alone, or all up to that clip's end."""
DIRECTIONS = ("higher", "lower", "none")
STATUSES = ("ok", "skipped")
_INTEGERS, _REALS = ("seed", "clip", "track_version"), ("value", "fps")
# In a file no text is empty or looks like a number: pandas guesses types block by block, and would warn that they are mixed.
EMPTY = "-"
_PREFIX = {"version": "version ", **dict.fromkeys(("samples", "weights", "compared_with"), "sha256:")}


def validated(frame: pd.DataFrame, info: ReportInfo) -> pd.DataFrame:
    """The frame with exactly `COLUMNS`, texts as categories, sorted by its keys.

    Raises:
        ValueError: missing columns, no rows, unknown variants or tracks, an unknown status, direction or view, a clip
            that its view does not have, repeated keys, infinite values, or scores that were not made alike.
    """
    frame = typed(frame)
    for column, known in (
        ("variant", tuple(info.variants)),
        ("track", tuple(info.tracks)),
        ("status", STATUSES),
        ("direction", DIRECTIONS),
    ):
        _require_known(frame, column, known)
    require_comparable(frame, last=info.baseline)
    return frame


def typed(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame as `validated` returns it, of any experiments, variants and tracks.

    Raises:
        ValueError: missing columns, no rows, an unknown view, a clip that its view does not have, repeated keys or
            infinite values.
    """
    missing = [column for column in COLUMNS if column not in frame.columns]
    if missing:
        raise ValueError(f"results frame: columns {', '.join(missing)} are missing, expected {', '.join(COLUMNS)}")
    if frame.empty:
        raise ValueError("results frame: received no rows, expected at least one score")
    frame = pd.DataFrame({column: _typed(frame[column]) for column in COLUMNS})
    _require_known(frame, "view", VIEWS)
    _require_clips_of_views(frame)
    repeated = frame[frame.duplicated(KEYS)]
    if len(repeated):
        raise ValueError(f"results frame: received {dict(repeated.iloc[0][KEYS])} twice, expected one value a key")
    if np.isinf(frame["value"]).any():
        raise ValueError("results frame: received an infinite value, expected finite numbers, or NaN where undefined")
    return frame.sort_values(KEYS, kind="stable").reset_index(drop=True)


def _typed(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """Numbers, or categories in the order of their names, so that sorting is the same as of texts."""
    if column.name in _INTEGERS:
        return column.astype("int64")
    if column.name in _REALS:
        return column.astype("float64")
    codes, found = pd.factorize(column)
    prefix = _PREFIX.get(str(column.name), "")
    names = ["" if name == EMPTY else str(name).removeprefix(prefix) for name in found]
    names.append("")  # at -1: what an empty field read from a file comes to
    categories = sorted({*names[:-1], *([""] if (codes < 0).any() else [])})
    codes_of = {name: code for code, name in enumerate(categories)}
    ordered = np.array([codes_of.get(name, -1) for name in names])
    return pd.Series(pd.Categorical.from_codes(ordered[codes], pd.Index(categories)), index=column.index)


def as_written(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame as a file keeps it; `typed` takes it back."""

    def column(name: str) -> "pd.Series[Any]":
        return _typed(frame[name]).cat.rename_categories(lambda text: _PREFIX.get(name, "") + text if text else EMPTY)

    return frame.assign(**{name: column(name) for name in COLUMNS if name not in (*_INTEGERS, *_REALS)})


def _require_known(frame: pd.DataFrame, column: str, known: tuple[str, ...]) -> None:
    unknown = sorted(set(frame[column].unique()) - set(known))
    if unknown:
        raise ValueError(f"results frame: received {column} {unknown[0]!r}, expected one of {', '.join(known)}")


def _require_clips_of_views(frame: pd.DataFrame) -> None:
    wrong = frame[(frame["view"] == FILM) != (frame["clip"] == PER_FILM)]
    if len(wrong):
        row = wrong.iloc[0]
        raise ValueError(
            f"results frame: {row['metric']} of {row['variant']} has view {row['view']!r} with clip {row['clip']}, expected "
            f"clip {PER_FILM} for view {FILM!r} and clips from 0 for {WINDOW!r} and {PREFIX!r}"
        )
