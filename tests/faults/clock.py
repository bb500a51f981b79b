"""A clock that is set back by a day midway."""

import time
from functools import partial
from pathlib import Path

import optuna
from optuna.trial import TrialState

from tests.faults.command import RUN, WORDS, Command, End
from tests.faults.layer import take_clock, write_clock
from tests.faults.reference import Reference

DAY = 86_400
SHARES = (0.2, 0.5, 0.8)  # of the undisturbed command's processor time
SWEEP = ("sweep", "injection", *WORDS, "--trials", "3", "--pruner", "none", "--jobs", "1")


def clock(reference: Reference) -> str | None:
    """The command ends in the same result, the next one finds all done, and `gc` holds nothing for old."""
    for share in SHARES:
        root, file = reference.store("clock", 0), reference.folder / "clock.bin"
        write_clock(file, 0)
        command = _set_back(
            Command(*RUN, store=root, before=partial(take_clock, file)), file, share * reference.seconds
        )
        if (wrong := reference.wrong(root, command)) is not None:
            return f"set back at {share:.0%}: {wrong}"
        again = Command(*RUN, store=root, before=partial(take_clock, file)).wait()
        number = len(reference.stages)
        if f"{number} of {number} stages were done already" not in again.err:
            return f"the next command made stages anew: {again.err[-300:]}"
        if "nothing to free" not in (told := Command("gc", store=root, before=partial(take_clock, file)).wait().out):
            return f"gc would free what is needed: {told}"
    return None


def leases(reference: Reference) -> str | None:
    """Two workers of one search in a journal, whose leases must not run out: no trial is given up."""
    root, file = reference.store("leases", 0), reference.folder / "leases.bin"
    journal = root.parent / "study.journal"
    words = (*SWEEP, "--storage", f"journal:{journal}")
    write_clock(file, 0)
    workers = [Command(*words, store=root, before=partial(take_clock, file)) for _ in range(2)]
    ends = [_set_back(workers[0], file, reference.seconds), workers[1].wait()]
    if any(end.code for end in ends):
        return f"a worker ended with {max(end.code for end in ends)}: {[end.last for end in ends if end.code]}"
    return lost(f"journal:{journal}")


def lost(storage: str) -> str | None:
    """Which trials of the one study there were given up; None where none was."""
    backend = optuna.storages.JournalStorage(
        optuna.storages.journal.JournalFileBackend(storage.removeprefix("journal:"))
    )
    (name,) = optuna.get_all_study_names(backend)
    trials = optuna.load_study(study_name=name, storage=backend).trials
    gone = [trial.number for trial in trials if trial.state not in (TrialState.COMPLETE, TrialState.PRUNED)]
    return f"trials {gone} of {len(trials)} did not end" if gone or len(trials) != 3 else None


def _set_back(command: Command, file: Path, moment: float) -> End:
    """The end of a command whose clock goes back a day at a moment of its processor time."""
    while command.spent() < moment:
        time.sleep(0.005)
    write_clock(file, -DAY)
    return command.wait()
