"""A search: a study that is worked on until it has as many trials as asked for, and then reported."""

from collections.abc import Callable

from filelock import Timeout

from harness.commands.executors import LOCAL, Asking, open_executor
from harness.core.errors import UseError
from harness.run.console import Console
from harness.run.local import Local
from harness.run.schedule import EXIT_FAILED
from harness.run.slurm.executor import Slurm
from harness.tracking import Tracker, resolve_uri
from sweeps.pruning import doubt
from sweeps.publish import StudyRun
from sweeps.results import conclude
from sweeps.study import SweepStudy
from sweeps.worker import Worker


def search(study: SweepStudy, jobs: int, trials: int, say: Callable[[str], None], where: str = LOCAL) -> int:
    """Go on until `trials` trials are finished by all workers together, then report. Returns the exit code.

    `jobs` trials at a time, on this machine, or `where` says else as Slurm jobs.

    A study that exists goes on where it stopped, and others may work on it. Raises UseError.
    """
    if (against := doubt(study.pruner, study.sweep)) is not None:
        say(against)
    uri = resolve_uri(study.settings().tracking.uri, study.store.root)
    try:
        with (
            study.storage.lock(study.study_name),
            Console(0) as console,
            Tracker(uri, study.store.root, study.experiment, console.say) as tracker,
            _executor(study, where, jobs, say) as executor,
        ):
            study_run = StudyRun(tracker, study.title("sweep_"), study.study_name, study.sweep, *_asked(study, trials))
            Worker(study, executor, jobs, console, study_run, say).work(trials)
            conclude(study, trials, executor, study_run, say)
    except Timeout as error:
        raise UseError(
            f"another command works on the study {study.study_name!r} in {study.storage.shown}; for several, give each "
            "--storage journal:PATH or --storage postgresql+psycopg://..."
        ) from error
    if missing := trials - len(study.slots.finished(trials)):
        say(f"{missing} of {trials} trials failed, see above; the same command tries again")
        return EXIT_FAILED
    return 0


def _executor(study: SweepStudy, where: str, jobs: int, say: Callable[[str], None]) -> Local | Slurm:
    """Raises UseError where nothing can be submitted."""
    settings = study.settings()
    asking = Asking(
        settings.slurm, settings.backbone.embedded, study.experiment, say, of="of each trial, if like the first: "
    )
    return open_executor(where, jobs, study.first.graph, study.store, asking)


def _asked(study: SweepStudy, trials: int) -> tuple[dict[str, object], dict[str, str]]:
    """What is the study's own, and as tags what each command may ask anew: MLflow never changes a parameter."""
    asked = study.asked
    anew = {"sweep.trials": str(trials), "sweep.sampler": asked.sampler, "sweep.pruner": study.pruner}
    return {"profile": asked.profile, "seed": asked.seed, **study.overrides}, anew
