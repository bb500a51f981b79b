"""One process's part of a study: some trials side by side, until no slot is open."""

import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.trial import Trial, TrialState

from harness.core.errors import UseError
from harness.run.console import Console
from harness.run.local import Local
from harness.run.slurm.executor import Slurm
from sweeps.publish import LOST, StudyRun, TrialRun
from sweeps.slots import FAILED
from sweeps.storage import Pulse, Watch, tell
from sweeps.study import SweepStudy, trial_name
from sweeps.trial import TrialError, TrialExecution

LOOK_EVERY = 2.0  # seconds between looks at what other workers do


class Worker:
    """Takes trials, carries them out in threads, and notices workers that are gone."""

    def __init__(
        self,
        study: SweepStudy,
        executor: Local | Slurm,
        jobs: int,
        console: Console,
        study_run: StudyRun,
        say: Callable[[str], None],
    ) -> None:
        """`jobs` trials are carried out side by side, as far as the executor has slots."""
        self._study, self._executor = study, executor
        self._console, self._study_run, self._say = console, study_run, say
        # A stage of several ranks wants the cards of this machine that another trial's would take: then one trial at a time.
        alone = isinstance(executor, Local) and study.settings().train.ranks > 1
        self._at_once = 1 if alone else min(jobs, executor.slots)
        self._leaving = False

    def work(self, count: int) -> None:
        """Carry trials out until none of `count` slots is open. An interrupt gives back what is in hand."""
        slots, watch = self._study.slots, Watch(self._study.optuna, self._study.storage)
        watch.begin()
        let_others_fill(self._study, count)
        slots.fill(count, retry_failed=True)
        with Pulse(self._study.storage) as pulse, ThreadPoolExecutor(self._at_once, "trial") as threads:
            busy: set[Future[None]] = set()
            try:
                while busy or slots.underway(count):
                    while len(busy) < self._at_once and (trial := slots.take(count)) is not None:
                        busy.add(threads.submit(self._carry_out, trial, pulse))
                    busy = _after_a_while(busy)
                    watch.look()
                    slots.fill(count, retry_failed=False)
            except BaseException:
                self._leaving = True
                self._executor.close()
                raise

    def _carry_out(self, trial: Trial, pulse: Pulse) -> None:
        trial_run = None
        try:
            pulse.hold(trial)
            study = self._study
            self._say(f"trial {trial.number}: {', '.join(f'{key} {_short(v)}' for key, v in trial.params.items())}")
            pipeline = study.pipeline({trial_name(trial.number): trial.params})
            trial_run = self._study_run.trial(pipeline, study.store)
            TrialExecution(
                trial,
                pipeline,
                study.rungs(trial.number, trial.params),
                study.sweep,
                study.store,
                self._executor,
                self._console,
                trial_run,
                prune=study.pruner == "forecast",
                say=self._say,
            ).carry_out()
        except UpdateFinishedTrialError:
            if trial_run is not None:
                trial_run.end("FAILED", {"sweep.state": LOST})
            self._say(f"trial {trial.number}: another worker has taken it over")
        except (TrialError, UseError) as error:
            self._give_up(trial, trial_run, None if self._leaving else str(error))
        except BaseException:
            self._give_up(trial, trial_run, None)
            if not self._leaving:
                raise
        finally:
            pulse.release(trial)

    def _give_up(self, trial: Trial, trial_run: TrialRun | None, reason: str | None) -> None:
        """End without a value; without a reason it was cut short, and another worker may carry it out."""
        try:
            if reason is not None:
                trial.set_user_attr(FAILED, reason)
            tell(trial, TrialState.FAIL)
        except (UpdateFinishedTrialError, StorageInternalError):
            return  # it is another's by now, or will be
        if trial_run is not None:
            trial_run.end("FAILED", {"sweep.state": "failed" if reason else LOST})
        self._say(f"trial {trial.number}: {f'failed: {reason}' if reason else 'given back'}")


def let_others_fill(study: SweepStudy, count: int) -> None:
    """Wait while whoever has made the study adds its trials: beginning together, two would add each of them twice."""
    if study.made_here or study.storage.alone:
        return
    begun = study.slots.begun(count)
    while begun < count:
        time.sleep(LOOK_EVERY)
        before, begun = begun, study.slots.begun(count)
        if begun == before:  # there is no other, or it wants fewer
            return


def _after_a_while(busy: set[Future[None]]) -> set[Future[None]]:
    """Those that still run. Raises what one of them raised."""
    if not busy:
        time.sleep(LOOK_EVERY)
        return busy
    ended, going = wait(busy, LOOK_EVERY, FIRST_COMPLETED)
    for future in ended:
        future.result()
    return going


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
