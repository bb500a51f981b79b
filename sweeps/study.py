"""An Optuna study whose trials are variants of an experiment, so equal settings are never computed twice."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import optuna
from filelock import Timeout
from optuna.trial import TrialState

from harness.console import Console
from harness.errors import UseError
from harness.executors import Local
from harness.pipeline import CACHE, Child, Pipeline, Request, build
from harness.plan import Graph
from harness.provenance import facts
from harness.run import run
from harness.session import Session
from harness.spec import Experiment, Variant, check_no_clash, parse_overrides
from harness.store import Store
from sweeps.space import Sweep

EVAL_SEED = 4048  # a sweep chooses settings, so it must not see the scenes that ablations report
LATE = 0.2  # share of a film's clips whose mean is maximised


class Search:
    """One sweep in one store; a study that exists goes on where it stopped."""

    def __init__(
        self, name: str, sweep: Sweep, profile: str, overrides: Sequence[str], store: Path, jobs: int, seed: int
    ) -> None:
        """`jobs` trials side by side; every trial trains with `seed`. Raises UseError for bad settings."""
        self.name, self.sweep, self.profile, self.jobs, self.seed = name, sweep, profile, jobs, seed
        self.overrides = {"eval.seed": EVAL_SEED, **parse_overrides(overrides)}
        check_no_clash(self.overrides, [Variant("searched", dict.fromkeys(sweep.space, 0.0))])
        if self.overrides.get("data.path") or self.overrides.get("eval.path"):
            raise UseError(
                f"sweep {name} maximises {sweep.metric}, which needs the embedded world; leave the paths out"
            )
        self.store = Store(store)
        self._pipeline([0], [sweep.known[0]])  # refuses settings that do not fit before a study is made
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.study = optuna.create_study(
            storage=self.storage, study_name=self.study_name, direction="maximize", load_if_exists=True
        )
        # Seeded, but not with what it has drawn before: a study that goes on must not repeat itself.
        self.study.sampler = optuna.samplers.TPESampler(seed=seed + len(self.study.trials))
        for known in sweep.known:
            self.study.enqueue_trial(dict(known), skip_if_exists=True)

    @property
    def study_name(self) -> str:
        """Trials that were not made the same way are not of one study: profile, seed and overrides are in its name."""
        words = [self.name, self.profile, f"seed{self.seed}", *(f"{k}={v}" for k, v in sorted(self.overrides.items()))]
        return " ".join(words)

    @property
    def storage(self) -> str:
        """URL of the study's database, also for optuna-dashboard."""
        return f"sqlite:///{(self.store.root / 'optuna.db').absolute()}"

    def run(self, trials: int, say: Callable[[str], None]) -> int:
        """Go on until `trials` trials are finished, then report them all as one experiment. Returns the exit code."""
        try:
            with self.store.lock("study", hashlib.sha256(self.study_name.encode()).hexdigest()).acquire(timeout=0):
                return self._run(trials, say)
        except Timeout as error:
            raise UseError(f"another command works on the study {self.study_name!r} in {self.store.root}") from error

    def _run(self, trials: int, say: Callable[[str], None]) -> int:
        for stale in self.study.get_trials(deepcopy=False, states=[TrialState.RUNNING]):
            self.study.enqueue_trial(stale.params, skip_if_exists=False)  # cut short: its stages resume
            self.study.tell(stale.number, state=TrialState.FAIL)
        while (missing := trials - len(self._finished())) > 0:
            batch = [self.study.ask() for _ in range(min(self.jobs, missing))]
            if not self._carry_out(batch, say):
                say("a trial failed, see above; the same command goes on")
                return 1
        finished, best = self._finished(), self.study.best_trial
        pipeline = self._pipeline([t.number for t in finished], [t.params for t in finished])
        code = Session(pipeline, self.store, self.jobs).run()
        say(f"best: trial {best.number}, {self.sweep.metric} late {best.value:.4g} at {best.params}")
        say(f"study: optuna-dashboard {self.storage}")
        return code

    def _finished(self) -> list[optuna.trial.FrozenTrial]:
        return list(self.study.get_trials(deepcopy=False, states=[TrialState.COMPLETE]))

    def _carry_out(self, batch: Sequence[optuna.Trial], say: Callable[[str], None]) -> bool:
        """Run the trials side by side and tell the study; False if one of them failed."""
        chosen = [{key: limits.suggest(trial, key) for key, limits in self.sweep.space.items()} for trial in batch]
        pipeline = self._pipeline([trial.number for trial in batch], chosen)
        stages = Graph()
        for node in pipeline.graph:
            if node.signature != pipeline.report:
                stages.add(node)
        with Console(len(stages)) as console, Local(self.jobs, facts()) as executor:
            run(stages, self.store, executor, console.event, console.tick)
        for trial, child in zip(batch, pipeline.children, strict=True):
            scored = child.score[self.sweep.track]
            if not all(self.store.done("score", signature) for signature in scored.values()):
                self.study.tell(trial, state=TrialState.FAIL)
                return False
            trial.set_user_attr("harness.signature", child.generate[self.sweep.track])
            self.study.tell(trial, self._value(child))
            say(f"trial {trial.number}: {self.sweep.metric} late {self._value(child):.4g}")
        return True

    def _value(self, child: Child) -> float:
        """Mean of the metric over films and the last clips."""
        for signature in child.score[self.sweep.track].values():
            with np.load(self.store.artifact("score", signature) / "scores.npz") as scores:
                if self.sweep.metric in scores:
                    values = scores[self.sweep.metric]
                    return float(np.nanmean(values[:, -max(1, round(values.shape[1] * LATE)) :]))
        raise UseError(f"sweep {self.name}: its metric {self.sweep.metric} was not scored on {self.sweep.track}")

    def _pipeline(self, numbers: Sequence[int], settings: Sequence[Mapping[str, float]]) -> Pipeline:
        variants = tuple(Variant(f"trial-{n:03d}", dict(chosen)) for n, chosen in zip(numbers, settings, strict=True))
        experiment = Experiment(
            name=f"sweep_{self.name}",
            question=self.sweep.about,
            variants=variants,
            baseline=variants[0].name,
            tracks=(self.sweep.track,),
            seeds=(self.seed,),
            compare_to=None,
        )
        request = Request(experiment, f"sweep_{self.name}", self.profile, overrides=self.overrides)
        return build(request, self.store.root / CACHE)
