"""A sweep's study as a page: its pictures first, then every trial with its settings."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from reports.page.page import inline, template
from reports.tables.grid import NONE, Cell, Grid
from reports.tables.numbers import plain


@dataclass(frozen=True)
class Study:
    """What a page must know of a study.

    `trials`: a row each, by column; `settings`, `objectives`: which columns these are. `best`: numbers of the best trial, or of
    those of the Pareto front. `figures`: name and picture, the most telling first. `reports`: name and relative address of the
    reports of its films.
    """

    name: str
    question: str
    settings: Sequence[str]
    objectives: Sequence[str]
    trials: Sequence[Mapping[str, object]]
    best: Sequence[int]
    figures: Sequence[tuple[str, Figure]]
    reports: Sequence[tuple[str, str]] = ()


def study_page(study: Study) -> str:
    """The HTML text: one file that loads nothing."""
    states = [str(trial["state"]) for trial in study.trials]
    counts = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
    best = [trial for trial in study.trials if trial["trial"] in study.best]
    return template("study.html.j2").render(
        study=study,
        counts=counts,
        best=[(trial["trial"], _told(trial, study.objectives), _told(trial, study.settings)) for trial in best],
        figures=[(name, inline(figure)) for name, figure in study.figures],
        trials=_grid(study),
    )


def _grid(study: Study) -> Grid:
    """Every trial, the best first, then by number."""
    heads = ["trial", "state", *study.objectives, *study.settings]
    ordered = sorted(study.trials, key=lambda trial: trial["trial"] not in study.best)
    rows = [
        [
            Cell(str(trial["trial"])),
            *(Cell(_shown(trial.get(head)), best=trial["trial"] in study.best) for head in heads[1:]),
        ]
        for trial in ordered
    ]
    return Grid("Trials", heads, rows, ["Bold: the best trial, or those of the Pareto front."])


def _told(trial: Mapping[str, object], keys: Sequence[str]) -> str:
    return ", ".join(f"{key} = {_shown(trial.get(key))}" for key in keys)


def _shown(value: object) -> str:
    nothing = value is None or (isinstance(value, float) and math.isnan(value))
    return NONE if nothing else plain(value, digits=4)
