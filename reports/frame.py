"""The results frame: one row a value, long. Everything in a report is computed from it."""

import numpy as np
import pandas as pd

from reports.info import ReportInfo

COLUMNS = (
    "experiment", "variant", "track", "seed", "sample", "metric", "clip", "value",
    "direction", "unit", "version", "status", "reason",
)  # fmt: skip
KEYS = ["experiment", "track", "variant", "seed", "sample", "metric", "clip"]
PER_FILM = -1
"""`clip` of a metric with one value a film."""
DIRECTIONS = ("higher", "lower", "none")
STATUSES = ("ok", "skipped")


def validated(frame: pd.DataFrame, info: ReportInfo) -> pd.DataFrame:
    """The frame with exactly `COLUMNS`, sorted by its keys.

    Raises:
        ValueError: missing columns, no rows, unknown variants or tracks, an unknown status or direction, repeated keys,
            infinite values, or a metric whose version, unit or direction is not the same everywhere.
    """
    missing = [column for column in COLUMNS if column not in frame.columns]
    if missing:
        raise ValueError(f"results frame: columns {', '.join(missing)} are missing, expected {', '.join(COLUMNS)}")
    if frame.empty:
        raise ValueError("results frame: received no rows, expected at least one score")
    for column, known in (
        ("variant", tuple(info.variants)),
        ("track", tuple(info.tracks)),
        ("status", STATUSES),
        ("direction", DIRECTIONS),
    ):
        _require_known(frame, column, known)
    _require_comparable(frame)
    repeated = frame[frame.duplicated(KEYS)]
    if len(repeated):
        raise ValueError(f"results frame: received {dict(repeated.iloc[0][KEYS])} twice, expected one value a key")
    if np.isinf(frame["value"].astype(float)).any():
        raise ValueError("results frame: received an infinite value, expected finite numbers, or NaN where undefined")
    return frame[list(COLUMNS)].sort_values(KEYS, kind="stable").reset_index(drop=True)


def _require_known(frame: pd.DataFrame, column: str, known: tuple[str, ...]) -> None:
    unknown = sorted(set(frame[column]) - set(known))
    if unknown:
        raise ValueError(f"results frame: received {column} {unknown[0]!r}, expected one of {', '.join(known)}")


def _require_comparable(frame: pd.DataFrame) -> None:
    # Scores of two versions of a metric are not one population: no mean is taken over them.
    for column in ("version", "unit", "direction"):
        kinds = frame.groupby("metric")[column].unique()
        for metric, found in kinds.items():
            if len(found) > 1:
                received = " and ".join(repr(value) for value in sorted(found))
                raise ValueError(
                    f"results frame: metric {metric!r} has {column} {received}, expected one; score every film again "
                    "with the same suite before comparing them"
                )
