"""Figures of a study: which settings matter, how, two at a time, and the Pareto front."""

import itertools
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import BoundaryNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.study import StudyDirection, create_study
from optuna.trial import FrozenTrial, TrialState

from harness.core.atomic import replacing
from reports.figures.style import INK, MUTED, figure_style, png
from sweeps.slots import KNOWN

BLUE, ORANGE = "#0067b0", "#b84a00"  # as in reports
FEWEST = 2  # complete trials that say anything of a setting
FEWEST_IN_PLANE = 4
FEWEST_DRAWN, DRAWS = 10, 100  # complete trials that an interval needs, and how often they are drawn anew
SIZE = 2.4  # inches of a panel


@dataclass(frozen=True)
class Goal:
    """One objective as the figures need it."""

    index: int
    name: str
    direction: StudyDirection

    def of(self, trial: FrozenTrial) -> float:
        return float(trial.values[self.index])


@dataclass(frozen=True)
class Axis:
    """One setting as an axis: its trials' positions, which for choices are their indices in the list."""

    key: str
    distribution: BaseDistribution

    def at(self, trials: Sequence[FrozenTrial]) -> npt.NDArray[np.float64]:
        """Positions of the trials, a logarithmic setting's as its decimal logarithm."""
        values = np.array(
            [self.distribution.to_internal_repr(trial.params[self.key]) for trial in trials], dtype=np.float64
        )
        return np.log10(values) if self.logarithmic else values

    @property
    def logarithmic(self) -> bool:
        """Whether equal ratios are equally far apart."""
        return bool(getattr(self.distribution, "log", False))

    @property
    def ordered(self) -> bool:
        """Whether there is anything between two values."""
        return not isinstance(self.distribution, CategoricalDistribution)

    @property
    def label(self) -> str:
        """The setting's name, and what its ticks are where these are not its values."""
        return f"log10 {self.key}" if self.logarithmic else self.key

    @property
    def limits(self) -> tuple[float, float]:
        """The whole dimension with a margin, so that no dot is cut."""
        if isinstance(self.distribution, CategoricalDistribution):
            return -0.3, len(self.distribution.choices) - 0.7
        ends = np.array([self.distribution.low, self.distribution.high], dtype=np.float64)
        low, high = np.log10(ends) if self.logarithmic else ends
        return low - 0.04 * (high - low), high + 0.04 * (high - low)

    def lay(self, axis: Any) -> None:
        """Along one side of a panel: its limits, and the names of choices."""
        axis.axes.set(**{f"{axis.axis_name}lim": self.limits})
        if isinstance(self.distribution, CategoricalDistribution):
            axis.set_ticks(range(len(self.distribution.choices)), [str(choice) for choice in self.distribution.choices])


def draw(
    directions: Sequence[StudyDirection],
    finished: Sequence[FrozenTrial],
    best: Sequence[FrozenTrial],
    objectives: Sequence[str],
    folder: Path,
) -> list[tuple[str, Figure]]:
    """Write history, importance, slice and contour of each objective, and the front of several, as PNG, where trials suffice;
    returns them by name. `finished`: complete and pruned ones; `best`: the front."""
    trials = [trial for trial in finished if trial.state == TrialState.COMPLETE]
    if len(trials) < FEWEST:
        return []
    pruned = [trial.number for trial in finished if trial.state == TrialState.PRUNED]
    with figure_style():
        goals = [Goal(index, name, way) for index, (name, way) in enumerate(zip(objectives, directions, strict=True))]
        drawn = list(_figures(trials, pruned, best, goals))
        for name, figure in drawn:
            with replacing(folder / f"{name}.png") as fresh:
                fresh.write_bytes(png(figure))
    return drawn


def _figures(
    trials: list[FrozenTrial], pruned: list[int], best: Sequence[FrozenTrial], goals: list[Goal]
) -> Iterator[tuple[str, Figure]]:
    axes = [Axis(key, distribution) for key, distribution in trials[-1].distributions.items()]
    for goal in goals:
        tail = f"-{goal.name.partition(' ')[0]}" if len(goals) > 1 else ""
        yield f"history{tail}", _history(trials, pruned, goal)
        yield f"importance{tail}", _importance(trials, goal)
        yield f"slice{tail}", _slice(trials, axes, goal)
        if len(axes) > 1 and len(trials) >= FEWEST_IN_PLANE:
            yield f"contour{tail}", _contour(trials, axes, goal)
    for one, other in itertools.combinations(goals, 2):
        tail = "" if len(goals) == 2 else f"-{one.name.partition(' ')[0]}-{other.name.partition(' ')[0]}"
        yield f"pareto{tail}", _front(trials, best, one, other, joined=len(goals) == 2)


def _history(trials: list[FrozenTrial], pruned: list[int], goal: Goal) -> Figure:
    """The objective trial by trial, and the best so far; trials that were pruned have no value, and stand at the edge."""
    figure, ((panel,),) = _panels(1, 1, width=6.0, height=2.6)
    numbers, values = np.array([trial.number for trial in trials]), np.array([goal.of(trial) for trial in trials])
    rising = goal.direction == StudyDirection.MAXIMIZE
    best = np.maximum.accumulate(values) if rising else np.minimum.accumulate(values)
    panel.step(numbers, best, where="post", color=INK, lw=1.2)
    _dots(panel, trials, numbers, values)
    edge = panel.get_xaxis_transform()
    panel.scatter(pruned, np.zeros(len(pruned)), marker="x", s=18, color=MUTED, transform=edge, clip_on=False)
    panel.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    panel.set_xlabel("trial")
    panel.set_title(f"{goal.name}, and the best so far; orange: known settings{'; ×: pruned' if pruned else ''}")
    return figure


def _importance(trials: list[FrozenTrial], goal: Goal) -> Figure:
    """Shares by PED-ANOVA, how far the better trials' settings differ from all trials' settings, and of ten trials at least their
    95 % interval: the same of as many trials drawn anew."""
    shares = _shares(trials, goal)
    figure, axes = _panels(1, 1, width=5.4, height=0.7 + 0.35 * len(shares))
    names, values = list(shares)[::-1], np.array(list(shares.values())[::-1])
    axes[0][0].barh(names, values, color=BLUE, height=0.6)
    known = len(trials) >= FEWEST_DRAWN
    low, high = _drawn_shares(trials, goal, names) if known else (values, values)
    for height, value in enumerate(values):
        told = f" {value:.2f} ({low[height]:.2f} to {high[height]:.2f})" if known else f" {value:.2f}"
        axes[0][0].text(max(value, high[height]), height, told, va="center")
    if known:
        axes[0][0].hlines(np.arange(len(names)), low, high, color=INK, lw=1.2)
    interval = "\nlines: 95 % interval over trials drawn anew" if known else ""
    axes[0][0].set_title(f"What {goal.name} depends on: shares by PED-ANOVA{interval}")
    axes[0][0].set_xlim(0, max([*high, 0.01]) * 1.3)
    return figure


def _shares(trials: Sequence[FrozenTrial], goal: Goal) -> dict[str, float]:
    sign = -1 if goal.direction == StudyDirection.MAXIMIZE else 1  # it takes low for good
    study = create_study(directions=[StudyDirection.MINIMIZE] * len(trials[0].values))
    study.add_trials(trials)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # says the same of every target
        shares: dict[str, float] = get_param_importances(
            study, evaluator=PedAnovaImportanceEvaluator(), target=lambda trial: sign * goal.of(trial)
        )
    return shares


def _drawn_shares(
    trials: list[FrozenTrial], goal: Goal, names: Sequence[str]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The ends of the interval of each setting's share."""
    generator, found = np.random.default_rng(0), []
    for _ in range(DRAWS):
        shares = _shares([trials[index] for index in generator.integers(len(trials), size=len(trials))], goal)
        found.append([shares.get(name, 0.0) for name in names])
    low, high = np.quantile(np.array(found), [0.025, 0.975], axis=0)
    return low, high


def _slice(trials: list[FrozenTrial], axes: Sequence[Axis], goal: Goal) -> Figure:
    figure, panels = _panels(1, len(axes))
    values = np.array([goal.of(trial) for trial in trials])
    for axis, panel in zip(axes, panels[0], strict=True):
        _dots(panel, trials, axis.at(trials), values)
        panel.set_xlabel(axis.label)
        axis.lay(panel.xaxis)
    panels[0][0].set_ylabel(goal.name)
    panels[0][0].set_title(f"{goal.name} by each setting; orange: known settings")
    return figure


def _contour(trials: list[FrozenTrial], axes: Sequence[Axis], goal: Goal) -> Figure:
    """A panel for each pair of settings: the value over triangles between trials, or where one is a choice, at the trials alone."""
    figure, panels = _panels(len(axes) - 1, len(axes) - 1)
    values = np.array([goal.of(trial) for trial in trials])
    levels = MaxNLocator(10).tick_values(values.min(), values.max())
    norm = BoundaryNorm(levels, 256)
    shade = ScalarMappable(norm, "cividis")
    for row, column in itertools.product(range(len(axes) - 1), repeat=2):
        panel, across, up = panels[row][column], axes[column], axes[row + 1]
        if column > row:
            panel.set_axis_off()
            continue
        panel.grid(visible=False)  # it would lie upon the shades
        x, y = across.at(trials), up.at(trials)
        if across.ordered and up.ordered and _spans_a_plane(x, y):
            panel.tricontourf(x, y, values, levels=levels, norm=norm, cmap=shade.cmap)
            _dots(panel, trials, x, y)
        else:
            panel.scatter(x, y, c=values, norm=norm, cmap=shade.cmap, s=26, edgecolor=MUTED, linewidth=0.5)
        across.lay(panel.xaxis)
        up.lay(panel.yaxis)
        if row == len(axes) - 2:
            panel.set_xlabel(across.label)
        if column == 0:
            panel.set_ylabel(up.label)
    figure.colorbar(shade, ax=np.array(panels), label=goal.name, shrink=0.8)
    return figure


def _front(trials: list[FrozenTrial], best: Sequence[FrozenTrial], one: Goal, other: Goal, joined: bool) -> Figure:
    figure, ((panel,),) = _panels(1, 1, width=4.6, height=3.6)
    _dots(panel, trials, np.array([one.of(t) for t in trials]), np.array([other.of(t) for t in trials]))
    best = sorted(best, key=one.of)
    if joined:
        panel.plot([one.of(trial) for trial in best], [other.of(trial) for trial in best], color=INK, lw=1, zorder=1)
    for trial in best:
        panel.annotate(f" {trial.number}", (one.of(trial), other.of(trial)), va="bottom")
    ways = {StudyDirection.MAXIMIZE: "more is better", StudyDirection.MINIMIZE: "less is better"}
    panel.set_xlabel(f"{one.name} ({ways[one.direction]})")
    panel.set_ylabel(f"{other.name} ({ways[other.direction]})")
    panel.set_title("Trials of the Pareto front by number; orange: known settings")
    return figure


def _dots(panel: Axes, trials: list[FrozenTrial], x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> None:
    known = np.array([KNOWN in trial.user_attrs for trial in trials])
    for chosen, colour in ((~known, BLUE), (known, ORANGE)):
        panel.scatter(x[chosen], y[chosen], s=14, color=colour, edgecolor="white", linewidth=0.5, zorder=3)


def _spans_a_plane(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> bool:
    """Whether triangles can be laid over the points: they are not all on one line."""
    points = np.unique(np.stack([x, y], axis=1), axis=0)
    return len(points) > 2 and int(np.linalg.matrix_rank(points - points.mean(axis=0), tol=1e-9)) == 2


def _panels(rows: int, columns: int, width: float = SIZE, height: float = SIZE) -> tuple[Figure, list[list[Axes]]]:
    figure = Figure(figsize=(width * columns + 0.4, height * rows + 0.3), layout="constrained")
    return figure, [
        list(row) for row in figure.subplots(rows, columns, squeeze=False, sharey="row" if rows == 1 else "none")
    ]
