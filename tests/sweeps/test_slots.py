"""However many workers there are and whatever becomes of them, each slot is filled once."""

import threading
from pathlib import Path

import optuna
import pytest
from optuna.storages import RetryHeartbeatStaleTrialCallback
from optuna.trial import TrialState

from sweeps.slots import FAILED, SLOT, SURPLUS, Slots
from sweeps.storage import StudyStorage
from tests.sweeps.studies import KNOWN, MANY, fail, in_journal, slots, taken


@pytest.fixture
def study(tmp_path: Path) -> optuna.Study:
    return in_journal(tmp_path / "study.journal")


def finish_all(worker: Slots) -> None:
    while (trial := worker.take(MANY)) is not None:
        trial.study.tell(trial, 1.0)


def test_known_settings_come_first_and_the_sampler_draws_what_they_leave_out(study: optuna.Study) -> None:
    worker = slots(study)
    worker.fill(3, retry_failed=True)
    first, second, third = taken(worker), taken(worker), taken(worker)
    assert {key: first.params[key] for key in KNOWN[0]} == KNOWN[0]
    assert second.params["bank.replacement"] == "fifo"
    assert all(len(trial.params) == 4 for trial in (first, second, third))
    assert worker.take(MANY) is None


def test_a_study_that_is_asked_for_more_goes_on(study: optuna.Study) -> None:
    worker = slots(study)
    worker.fill(2, retry_failed=True)
    finish_all(worker)
    worker.fill(2, retry_failed=True)
    assert worker.take(MANY) is None
    worker.fill(5, retry_failed=True)
    finish_all(worker)
    assert len(worker.finished(5)) == len(study.trials) == 5


def test_a_study_that_is_asked_for_fewer_leaves_the_others_waiting(tmp_path: Path) -> None:
    storage = StudyStorage(None, tmp_path)
    sqlite = optuna.create_study(storage=storage.optuna, study_name="study", direction="maximize")
    for study in (in_journal(tmp_path / "study.journal"), sqlite):
        worker = slots(study)
        worker.fill(6, retry_failed=True)
        lost = taken(worker)
        fail(lost)
        worker.fill(6, retry_failed=False)  # its slot's trial is the last now
        given = [trial.user_attrs[SLOT] for trial in iter(lambda: worker.take(3), None)]  # noqa: B023
        assert sorted(given) == [0, 1, 2]
        waiting = study.get_trials(states=[TrialState.WAITING])
        assert [(trial.user_attrs[SLOT], bool(trial.params)) for trial in waiting] == [
            (3, False),
            (4, False),
            (5, False),
        ]
        assert [taken(worker).user_attrs[SLOT] for _ in range(3)] == [3, 4, 5]


def test_a_lost_trial_is_done_again_once_at_the_settings_it_had(tmp_path: Path) -> None:
    one, other = (slots(in_journal(tmp_path / "study.journal", seed)) for seed in range(2))
    one.fill(3, retry_failed=True)
    taken(one), taken(one)
    lost = taken(one)
    fail(lost)
    assert [trial.number for trial in one.lost(3)] == [lost.number]
    one.fill(3, retry_failed=False)
    other.fill(3, retry_failed=False)
    again = taken(other)
    assert again.params == lost.params
    assert again.user_attrs[SLOT] == 2
    assert RetryHeartbeatStaleTrialCallback.retry_history(again.study.trials[again.number]) == [lost.number]
    assert one.take(MANY) is None


def test_of_two_trials_for_one_slot_the_first_counts(tmp_path: Path) -> None:
    one, other = (slots(in_journal(tmp_path / "study.journal", seed)) for seed in range(2))
    one.fill(1, retry_failed=True)
    # As when both workers looked before either had added its trial.
    other._add(0)
    finish_all(one)
    finish_all(other)
    assert [trial.number for trial in other.finished(1)] == [0]
    surplus = one._study.trials[1]
    assert (surplus.state, surplus.user_attrs[SURPLUS]) == (TrialState.FAIL, True)


def test_a_slot_is_free_again_when_the_trial_that_counted_is_lost(tmp_path: Path) -> None:
    one, other = (slots(in_journal(tmp_path / "study.journal", seed)) for seed in range(2))
    one.fill(1, retry_failed=True)
    other._add(0)
    first = taken(one)
    assert other.take(MANY) is None  # gives the second up
    fail(first)
    other.fill(1, retry_failed=False)
    finish_all(other)
    assert len(one.finished(1)) == 1


def test_a_trial_that_failed_by_itself_waits_for_the_next_command(study: optuna.Study) -> None:
    worker = slots(study)
    worker.fill(3, retry_failed=True)
    taken(worker), taken(worker)
    settings = []
    for _ in range(3):
        trial = taken(worker)
        settings.append(trial.params)
        trial.set_user_attr(FAILED, "diverged")
        fail(trial)
        worker.fill(3, retry_failed=False)
        assert worker.take(MANY) is None
        worker.fill(3, retry_failed=True)
    assert settings[0] == settings[1] != settings[2]  # the third time with others


def test_known_settings_that_fail_are_not_replaced(study: optuna.Study) -> None:
    worker = slots(study)
    for _ in range(3):
        worker.fill(1, retry_failed=True)
        trial = taken(worker)
        assert trial.params["bank.capacity"] == 500
        trial.set_user_attr(FAILED, "diverged")
        fail(trial)


def test_many_workers_at_once_fill_each_slot_once(tmp_path: Path) -> None:
    count, workers = 24, 4

    def work(seed: int) -> None:
        worker = slots(in_journal(tmp_path / "study.journal", seed))
        done = 0
        worker.fill(count, retry_failed=True)
        while worker.underway(count):
            trial = worker.take(MANY)
            if trial is not None and done % 4 == 3:
                fail(trial)  # lost
            elif trial is not None:
                trial.study.tell(trial, 1.0)
            done += 1
            worker.fill(count, retry_failed=False)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    trials = in_journal(tmp_path / "study.journal").trials
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    assert sorted(trial.user_attrs[SLOT] for trial in complete) == list(range(count))
