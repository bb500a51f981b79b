"""The trials that a study shall finish: numbered slots, each filled once, however many workers there are."""

import copy
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from optuna.distributions import BaseDistribution
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import RetryHeartbeatStaleTrialCallback
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState

from harness.declare.spec import Scalar

SLOT = "harness.place"  # the name that stored studies have for it
KNOWN = "harness.known"  # settings that the sweep declares: always carried out in full
FAILED = "harness.failed"  # why a trial failed by itself; one whose worker died has none
SURPLUS = "harness.surplus"  # another trial has its slot
TRIES = 2  # at the same settings, before a slot whose trials fail by themselves gets others
DONE = (TrialState.COMPLETE, TrialState.PRUNED)


class Slots:
    """A study's trials by slot. Only what a study itself does at once is relied on: adding a trial, and taking a waiting one.

    Workers that see the same need at the same time may add two trials for one slot. Of those the one with the lower number
    counts, and whoever takes the other gives it up before anything is computed.
    """

    def __init__(
        self,
        study: Study,
        space: Mapping[str, BaseDistribution],
        known: Sequence[Mapping[str, Scalar]],
        proposals: Sequence[Mapping[str, Scalar]],
    ) -> None:
        """The first slots are for the `known` settings, the next for the `proposals`; the sampler draws the others."""
        self._study, self._space, self._known = study, dict(space), len(known)
        self._given = (*known, *proposals)

    def fill(self, count: int, retry_failed: bool) -> None:
        """Add a waiting trial wherever one of `count` slots has none; those of dead workers with the settings they had.

        `retry_failed`: also where a trial failed by itself.
        """
        tried = self._by_slot()
        for slot in range(count):
            trials = tried[slot]
            if any(trial.state != TrialState.FAIL for trial in trials):
                continue
            if not trials:
                self._add(slot)
            elif FAILED not in trials[-1].user_attrs:
                self._retry(trials[-1])
            elif retry_failed:
                again = slot < len(self._given) or sum(FAILED in trial.user_attrs for trial in trials) < TRIES
                self._retry(trials[-1]) if again else self._add(slot)

    def take(self, count: int) -> Trial | None:
        """The next waiting trial of the first `count` slots, in order of their numbers; None if there is none."""
        while True:
            waiting = self._study.get_trials(deepcopy=False, states=[TrialState.WAITING])
            beyond = [trial for trial in waiting if trial.user_attrs.get(SLOT, 0) >= count]
            if len(beyond) == len(waiting):
                return None
            with self._held(beyond):
                trial = self._study.ask(self._space)
            slot = trial.user_attrs.get(SLOT, 0)
            if slot >= count:  # added and taken since the look
                self._put_back(trial)
            elif self._counts(trial):
                return trial
            else:
                trial.set_user_attr(SURPLUS, True)
                self._study.tell(trial, state=TrialState.FAIL)

    def begun(self, count: int) -> int:
        """How many of the first `count` slots have had a trial."""
        tried = self._by_slot()
        return sum(slot in tried for slot in range(count))

    def finished(self, count: int) -> list[FrozenTrial]:
        """The complete and pruned trials of the first `count` slots, a trial each."""
        tried = self._by_slot()
        return [trial for slot in range(count) for trial in tried[slot] if trial.state in DONE]

    def lost(self, count: int) -> list[FrozenTrial]:
        """Trials whose workers are gone, of the first `count` slots."""
        tried = self._by_slot()
        trials = [trial for slot in range(count) for trial in tried[slot]]
        return [trial for trial in trials if trial.state == TrialState.FAIL and FAILED not in trial.user_attrs]

    def underway(self, count: int) -> bool:
        """Whether some of the first `count` slots are being filled, by any worker."""
        tried = self._by_slot()
        states = {trial.state for slot in range(count) for trial in tried[slot]}
        return bool(states & {TrialState.WAITING, TrialState.RUNNING})

    def _by_slot(self) -> dict[int, list[FrozenTrial]]:
        found: dict[int, list[FrozenTrial]] = defaultdict(list)
        for trial in self._study.get_trials(deepcopy=False):
            if SLOT in trial.user_attrs and SURPLUS not in trial.user_attrs:
                found[trial.user_attrs[SLOT]].append(trial)
        return found

    def _counts(self, trial: Trial) -> bool:
        if SLOT not in trial.user_attrs:  # made by asking, after another worker took the last waiting one
            return False
        rivals = self._by_slot()[trial.user_attrs[SLOT]]
        return not any(rival.number < trial.number and rival.state != TrialState.FAIL for rival in rivals)

    @contextmanager
    def _held(self, trials: Sequence[FrozenTrial]) -> Iterator[None]:
        """Keep Optuna from asking for these, by taking them for that moment. One left so by a crash is failed and done again."""
        held: list[FrozenTrial] = []
        try:
            for trial in trials:
                with suppress(UpdateFinishedTrialError):  # another worker has had it since
                    if self._study._storage.set_trial_state_values(trial._trial_id, TrialState.RUNNING):
                        held.append(trial)
            yield
        finally:
            for trial in held:
                self._put_back(trial)

    def _put_back(self, trial: FrozenTrial | Trial) -> None:
        with suppress(UpdateFinishedTrialError):
            self._study._storage.set_trial_state_values(trial._trial_id, TrialState.WAITING)

    def _add(self, slot: int) -> None:
        given = self._given[slot] if slot < len(self._given) else {}
        self._study.enqueue_trial(dict(given), user_attrs=_attributes(slot, slot < self._known))

    def _retry(self, trial: FrozenTrial) -> None:
        """With Optuna's own words for it, so that its tools know a trial's history."""
        lost = copy.deepcopy(trial)
        lost.user_attrs = _attributes(trial.user_attrs[SLOT], KNOWN in trial.user_attrs)
        RetryHeartbeatStaleTrialCallback()(self._study, lost)


def _attributes(slot: int, known: bool) -> dict[str, object]:
    return {SLOT: slot, **({KNOWN: True} if known else {})}
