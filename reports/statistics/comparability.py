"""Refuses a table of scores that were not made alike: they are no one population, to take means and differences of."""

from typing import NamedTuple

import pandas as pd


class _Condition(NamedTuple):
    """What must be the same everywhere in a track, of a metric or of both, and how a message says so."""

    columns: tuple[str, ...]
    first: str
    others: str
    properties: dict[str, tuple[str, str]]  # column -> how a value of it is stated, and what is wanted instead
    verb: str = "scored"


_CONDITIONS = (
    _Condition(
        ("track",), "{who} on {track}", "{who}",
        {
            "fps": ("at fps {:g}", "at one fps"),
            "resolution": ("at {}", "at one resolution"),
            "samples": ("on samples {}", "on the same samples"),
            "track_version": ("by version {} of the track", "by one version of the track"),
        },
    ),
    _Condition(
        ("metric",), "{metric} of {who}", "that of {who}",
        {
            "suite": ("by suite {!r}", "by the same suite"),
            "version": ("by version {!r}", "by the same version"),
            "weights": ("with weights {!r}", "with the same weights"),
            "unit": ("in unit {!r}", "in the same unit"),
            "direction": ("with direction {!r}", "in the same direction"),
        },
    ),
    _Condition(  # what a metric is computed against belongs to a track, so that tracks may differ in it
        ("metric", "track"), "{metric} of {who} on {track}", "that of {who}",
        {"compared_with": ("against reference {!r}", "against the same reference (videos or sound)")},
        verb="computed",
    ),
)  # fmt: skip


def require_comparable(frame: pd.DataFrame, last: str = "") -> None:
    """All scored rows of a track must have one fps, resolution, samples and version of the track; all of a metric one suite,
    version and so on; all of a metric on a track one reference.

    `frame` has the results frame's columns; its `variant` is who a message names, and `last` the variant that is named
    last, as the others are compared with it. Skipped rows hold no score and may differ.

    Raises:
        ValueError: two rows differ; says in what, who has which, and what to do.
    """
    columns = ["track", "metric", *(column for condition in _CONDITIONS for column in condition.properties)]
    kinds = frame.loc[frame["status"] == "ok", ["variant", "seed", *columns]].drop_duplicates()
    for condition in _CONDITIONS:
        for _, rows in kinds.groupby(list(condition.columns), observed=True):
            for column in condition.properties:
                if rows[column].nunique(dropna=False) > 1:
                    raise ValueError(f"results frame: {_difference(rows, condition, column, last)}")


def _difference(rows: pd.DataFrame, condition: _Condition, column: str, last: str) -> str:
    """FramePack on consistent-50s was scored at fps 30, full at fps 16; ... (the fewest first: those to score again)."""
    stated, wanted = condition.properties[column]
    groups = [(stated.format(value), group) for value, group in rows.groupby(column, observed=True, dropna=False)]
    groups.sort(key=lambda pair: (last in set(pair[1]["variant"]), pair[1]["variant"].nunique(), len(pair[1])))
    found = rows.groupby("variant", observed=True)[column].nunique(dropna=False)
    torn = set(found.index[found > 1])
    where = {name: str(rows[name].iloc[0]) for name in condition.columns}
    says: list[str] = []
    for stated_value, group in groups:
        names = _names(group, torn)
        who = " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
        was = "were" if condition.first.startswith("{who}") and len(names) > 1 else "was"
        wording, verb = (condition.others, "") if says else (condition.first, f"{was} {condition.verb} ")
        says.append(f"{wording.format(who=who, **where)} {verb}{stated_value}")
    several = rows["variant"].nunique() > 2
    each, some = ("all", "some") if several else ("both", "one")
    advice = f"score {each} {wanted}, or compare only {some} of them"
    return f"{', '.join(says)}; a table compares only scores made alike: {advice}"


def _names(rows: pd.DataFrame, torn: set[object]) -> list[str]:
    """The variants, each that differs within itself with the seeds that are meant."""
    names = []
    for variant, group in rows.groupby("variant", observed=True):
        seeds = ", ".join(map(str, sorted(set(group["seed"]))))
        name = str(variant)
        names.append(f"{name} (seed {seeds})" if variant in torn else name)
    return names
