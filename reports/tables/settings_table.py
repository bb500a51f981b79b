"""In which settings the variants of a report differ."""

from collections.abc import Mapping

from reports.statistics.info import ReportInfo
from reports.tables.grid import NONE, Cell, Grid
from reports.tables.numbers import plain


def settings_grid(info: ReportInfo) -> Grid | None:
    """A row a variant, a column a setting that not all have alike; None where they differ in none."""
    values = {name: {**info.settings.get(name, {}), **sets} for name, sets in info.variants.items()}
    keys = dict.fromkeys(key for sets in values.values() for key in sets)
    differing = [key for key in keys if len({repr(sets.get(key)) for sets in values.values()}) > 1]
    if not differing:
        return None
    rows = [[Cell(name), *(_cell(values[name], key) for key in differing)] for name in info.rows]
    notes = (
        [f"{NONE}: not read for that variant, or not known."]
        if any(c.text == NONE for row in rows for c in row)
        else []
    )
    return Grid("Settings that differ", ["variant", *differing], rows, notes)


def _cell(values: Mapping[str, object], key: str) -> Cell:
    return Cell(plain(values[key]) if key in values else NONE)
