"""Which published tables and orderings there are, without loading pandas."""

import csv
import re
from functools import cache
from importlib import resources


@cache
def table_names() -> tuple[str, ...]:
    """Names for `compare_to`: `svi-4` is Table 4 of arXiv 2510.09212."""
    text = (resources.files("reports.tables") / "published.csv").read_text(encoding="utf-8")
    found = {table_name(row["source"]) for row in csv.DictReader(text.splitlines())}
    return tuple(sorted(found))


@cache
def ordering_rows() -> tuple[dict[str, str], ...]:
    """The rows of tables/orderings.csv."""
    text = (resources.files("reports.tables") / "orderings.csv").read_text(encoding="utf-8")
    return tuple(csv.DictReader(text.splitlines()))


def ordering_lists() -> tuple[str, ...]:
    """Names for `orderings`: the experiments that such a list was written for."""
    return tuple(dict.fromkeys(row["experiment"] for row in ordering_rows()))


def table_name(source: str) -> str:
    """The name of the table that a row's source states."""
    return re.sub(r"^arXiv 2510\.09212 Table (\d+).*$", r"svi-\1", source)
