"""python -m sweeps.perf: the same sweep with and without a pruner: what it saves, and what it misses.

Both try the same settings in one store: the known ones, then draws of a seeded random sampler. So every stage is computed
once, and what each sweep costs is the sum of the seconds that the manifests of its stages state. The pruned sweep tries them one
after another, in the order of their numbers.
"""

import math
import os
import signal
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import click
import numpy as np
import numpy.typing as npt
from optuna.trial import FrozenTrial, TrialState

from harness.cli import interrupt
from harness.commands.options import MOST_JOBS, STORE, Whole
from harness.core.errors import UseError
from harness.core.text import markdown_table
from harness.declare.numbers import LARGEST_SEED
from harness.plan.child import Child
from harness.plan.kinds import BACKBONE, DATA, FORECAST, GENERATE, SCORE, TRAIN
from reports.statistics.bootstrap import FEWEST as FEWEST_FILMS
from reports.statistics.bootstrap import paired_difference
from reports.statistics.forecast import rank_correlation
from sweeps.halving import CLIMBED, SHARES
from sweeps.pruning import LATE_FORECAST
from sweeps.results import best_trials
from sweeps.samplers import drawn
from sweeps.search import search
from sweeps.study import SweepRequest, SweepStudy, trial_name
from sweeps.sweep import Objective, load_sweep
from sweeps.values import film_values, metrics, value

FEWEST = 4  # trials that a rank correlation says something of
BASE, TRAININGS = (BACKBONE.name, DATA.name), (TRAIN.name,)
FORECASTS, FILMS = (FORECAST.name,), (GENERATE.name, SCORE.name)
Floats = npt.NDArray[np.float64]


@click.command()
@click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--sweep", "name", default="injection", show_default=True, help="with one objective")
@click.option("--trials", type=Whole(4, 1000), default=40, show_default=True)
@click.option("--seed", type=Whole(0, LARGEST_SEED), default=100, show_default=True)
@click.option("--pruner", type=click.Choice(["forecast", "halving"]), default="forecast", show_default=True)
@STORE
@click.option("--jobs", type=Whole(most=MOST_JOBS), default=os.cpu_count() or 1, show_default="cores")
def main(overrides: tuple[str, ...], name: str, trials: int, seed: int, pruner: str, store: Path, jobs: int) -> None:
    """Run both sweeps and print their costs side by side; what is done already is not done again."""
    _, sweep = load_sweep(name)
    if len(sweep.objectives) > 1:
        raise UseError(
            f"sweep {name} has several objectives, so no best value to compare; choose one with a single objective"
        )
    proposals = drawn(sweep, trials - len(sweep.known), seed)
    sides = []
    for by, side_by_side in (("none", jobs), (pruner, 1)):
        asked = SweepRequest(overrides=overrides, seed=seed, sampler="random", pruner=by)
        study = SweepStudy(f"{name}_pruner_{by}", sweep, asked, store, proposals)
        if code := search(study, side_by_side, trials, lambda line: click.echo(line, err=True)):
            sys.exit(code)
        sides.append(Side.of(study, trials))
    click.echo("\n".join(report(sides[0], sides[1])))


@dataclass(frozen=True)
class Side:
    """One sweep that is finished: its trials with their stages, and its best one."""

    study: SweepStudy
    trials: list[FrozenTrial]
    children: dict[int, Child]
    best: FrozenTrial

    @classmethod
    def of(cls, study: SweepStudy, count: int) -> "Side":
        trials = study.slots.finished(count)
        children = {t.number: study.pipeline({trial_name(t.number): t.params}).children[0] for t in trials}
        complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
        return cls(study, trials, children, best_trials(study, complete)[0])

    @property
    def pruned(self) -> int:
        """How many trials have no films."""
        return sum(trial.state == TrialState.PRUNED for trial in self.trials)

    def seconds(self, kinds: Iterable[str]) -> float:
        """Of all stages of these kinds that the sweep needed, each once."""
        stages = {pair for trial in self.trials for pair in self._stages(trial) if pair[0] in kinds}
        return sum(float(self.study.store.manifest(*pair)["seconds"]) for pair in stages)

    def films(self, trial: FrozenTrial) -> Floats:
        """The objective of each film."""
        return film_values(self.study.store, self.children[trial.number], self.study.sweep.track, self.objective)

    @property
    def objective(self) -> Objective:
        """What the sweep is after."""
        return self.study.sweep.objectives[0]

    def _stages(self, trial: FrozenTrial) -> Iterator[tuple[str, str]]:
        track = self.study.sweep.track
        climbed = self.study.rungs(trial.number, trial.params)[: len(trial.user_attrs.get(CLIMBED, ()))]
        whole = self.study.pipeline({trial_name(trial.number): trial.params})
        stopped = climbed and LATE_FORECAST not in trial.user_attrs  # before its own training
        for pipeline in [*climbed, *([] if stopped else [whole])]:
            (child,) = pipeline.children
            wanted = {*child.base, *child.train.values(), *filter(None, [child.forecast.get(track)])}
            if pipeline is whole and trial.state == TrialState.COMPLETE:
                wanted |= {child.generate[track], *child.score[track].values()}
            yield from ((node.kind, node.signature) for node in pipeline.graph if node.signature in wanted)


def report(everything: Side, pruned: Side) -> Iterator[str]:
    """Lines of Markdown: the table, what was found, and how well forecasts rank the trials."""
    sides = (everything, pruned)
    rows: list[tuple[object, ...]] = [
        ("trials", len(everything.trials), len(pruned.trials), ""),
        ("pruned", everything.pruned, pruned.pruned, ""),
    ]
    for name, kinds in (
        ("base model and latent cache, s", BASE),
        ("training, s", TRAININGS),
        ("forecasts, s", FORECASTS),
        ("generation and scoring, s", FILMS),
        ("forecasts, generation and scoring, s", (*FORECASTS, *FILMS)),
        ("total, s", (*BASE, *TRAININGS, *FORECASTS, *FILMS)),
    ):
        full, less = (side.seconds(kinds) for side in sides)
        rows.append((name, f"{full:.0f}", f"{less:.0f}", f"{1 - less / full:.0%}" if full else ""))
    name = everything.objective.name
    shown = [f"{side.best.values[0]:.4g} (trial {side.best.number})" for side in sides]
    rows.append((f"best {name}", *shown, ""))
    yield markdown_table(("", "without pruning", f"{pruned.study.pruner} pruner", "saved"), rows)
    yield ""
    yield _difference(everything, pruned)
    yield _rank_correlation(everything)
    yield from _rung_correlations(everything, pruned)
    yield from _other_correlations(everything)


def _difference(everything: Side, pruned: Side) -> str:
    """Paired over films, which start from the same scenes with the same seeds."""
    sign = 1 if everything.objective.direction == "maximize" else -1
    if pruned.best.params == everything.best.params:
        return "Best of the pruned sweep and best of all: the same setting."
    delta = sign * (pruned.films(pruned.best) - everything.films(everything.best))
    found = paired_difference(delta[None])
    told = f"Best of the pruned sweep against best of all, paired over {found.n} films (positive is better): {found.mean:+.3g}"
    if math.isnan(found.low):
        return f"{told}; an interval needs {FEWEST_FILMS} films."
    return f"{told} [{found.low:+.3g}, {found.high:+.3g}]: {verdict(found.low, found.high)}."


def verdict(low: float, high: float) -> str:
    """What an interval of differences shows, where positive is better."""
    if high < 0:
        return "worse"
    return "better" if low > 0 else "not shown to differ"


def _rank_correlation(side: Side) -> str:
    forecasts, values = _forecasts_and_values(side, side.objective)
    if len(forecasts) < FEWEST:
        return "Too few trials have a forecast for a rank correlation."
    found = rank_correlation(forecasts, values)
    interval = "" if math.isnan(found.low) else f" [{found.low:.2f}, {found.high:.2f}]"
    return (
        f"Spearman rank correlation of forecast error and {side.objective.name} over {len(forecasts)} trials: "
        f"{found.value:.2f}{interval}."
    )


def _rung_correlations(everything: Side, halved: Side) -> Iterator[str]:
    """How well shorter trainings foretell the films of whole ones, which the sweep without pruning has of all trials."""
    store, track, objective = everything.study.store, everything.study.sweep.track, everything.objective
    settings = {str(trial.params): trial.number for trial in everything.trials}
    for rung, share in enumerate(SHARES):
        pairs = []
        for trial in halved.trials:
            # No film defines it, it was not on this rung, or it has no like.
            with suppress(ValueError, IndexError, KeyError):
                late = trial.user_attrs.get(CLIMBED, ())[rung]
                child = everything.children[settings[str(trial.params)]]
                pairs.append((late, value(store, child, track, objective)))
        if len(pairs) >= FEWEST:
            lates, values = np.array(pairs, dtype=np.float64).T
            found = rank_correlation(lates, values)
            yield f"With the forecast after {share:.3g} of the steps, over {len(pairs)} trials: {found.value:.2f}."


def _other_correlations(side: Side) -> Iterator[str]:
    """With everything else that was scored: which objectives the forecast may prune for."""
    first = side.children[side.trials[0].number]
    for metric in metrics(side.study.store, first, side.study.sweep.track):
        objective = replace(side.objective, metric=metric)
        forecasts, values = _forecasts_and_values(side, objective)
        if metric != side.objective.metric and len(forecasts) >= FEWEST and len(set(values)) > 1:
            yield f"With {objective.name}: {rank_correlation(forecasts, values).value:.2f}."


def _forecasts_and_values(side: Side, objective: Objective) -> tuple[Floats, Floats]:
    """Of the trials that have both."""
    store, track = side.study.store, side.study.sweep.track
    pairs = []
    for trial in side.trials:
        with suppress(ValueError):  # no film defines it
            worth = value(store, side.children[trial.number], track, objective)
            if LATE_FORECAST in trial.user_attrs:
                pairs.append((trial.user_attrs[LATE_FORECAST]["value"], worth))
    forecasts, values = np.array(pairs, dtype=np.float64).reshape(-1, 2).T
    return forecasts, values


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, interrupt)
    try:
        main()
    except UseError as error:
        click.echo(f"sweeps.perf: {error}", err=True)
        sys.exit(2)
