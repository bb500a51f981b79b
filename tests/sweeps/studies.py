"""Sweeps and studies for tests: nothing is trained."""

from pathlib import Path

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import Trial, TrialState

from sweeps.slots import Slots
from sweeps.space import Choice, Float, Int
from sweeps.storage import StudyStorage
from sweeps.sweep import Objective, Sweep

KNOWN = ({"bank.capacity": 500, "train.lr": 1e-3}, {"bank.replacement": "fifo"})
MIXED = Sweep(
    question="Which bank?",
    space={
        "bank.capacity": Int(1, 1000, log=True),
        "bank.replacement": Choice("l2", "fifo", "random"),
        "train.lr": Float(1e-5, 1e-2, log=True),
        "injection.p_clean": Float(0.0, 0.9),
    },
    known=KNOWN,
    track="consistent-50s",
    objectives=(Objective("background_psnr"),),
)

MANY = 1000  # slots


def space(sweep: Sweep = MIXED) -> dict[str, optuna.distributions.BaseDistribution]:
    """As Optuna knows it."""
    return {key: dimension.distribution for key, dimension in sweep.space.items()}


def in_journal(file: Path, seed: int = 0) -> optuna.Study:
    """A study in a journal, opened as by a worker of its own."""
    return _study(JournalStorage(JournalFileBackend(str(file))), seed)


def in_storage(storage: StudyStorage, seed: int = 0) -> optuna.Study:
    """The same wherever a study may lie."""
    return _study(storage.optuna, seed)


def _study(storage: optuna.storages.BaseStorage, seed: int) -> optuna.Study:
    sampler = optuna.samplers.RandomSampler(seed=seed)
    return optuna.create_study(
        storage=storage, study_name="study", direction="maximize", load_if_exists=True, sampler=sampler
    )


def slots(study: optuna.Study, sweep: Sweep = MIXED) -> Slots:
    """Its slots."""
    return Slots(study, space(sweep), sweep.known, ())


def taken(worker: Slots) -> Trial:
    """The next trial, which there is."""
    trial = worker.take(MANY)
    assert trial is not None
    return trial


def fail(trial: Trial) -> None:
    """As when its worker has died."""
    trial.study.tell(trial, state=TrialState.FAIL)
