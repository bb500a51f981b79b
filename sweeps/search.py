"""A search: a study that is worked on until it has as many trials as asked for, and then reported."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from filelock import Timeout
from optuna.exceptions import StorageInternalError

from harness.core.errors import UseError
from harness.core.provenance import facts
from harness.declare.spec import Scalar
from harness.run.console import Console
from harness.run.local import Local
from harness.run.schedule import EXIT_FAILED
from harness.tracking import Tracker, resolve_uri
from sweeps.pruning import doubt
from sweeps.publish import StudyRun
from sweeps.results import conclude
from sweeps.study import SweepStudy, Wish
from sweeps.sweep import Sweep
from sweeps.worker import Worker


class Search:
    """One sweep in one store; a study that exists goes on where it stopped, and others may work on it."""

    def __init__(
        self,
        name: str,
        sweep: Sweep,
        wish: Wish,
        store: Path,
        jobs: int,
        proposals: Sequence[Mapping[str, Scalar]] = (),
    ) -> None:
        """`proposals` are settings to try after the known ones, before the sampler draws.

        Raises UseError for whatever cannot work, before a study is made.
        """
        self.study, self.jobs = SweepStudy(name, sweep, wish, store, proposals), jobs

    def run(self, trials: int, say: Callable[[str], None]) -> int:
        """Go on until `trials` trials are finished by all workers together, then report. Returns the exit code."""
        study = self.study
        if (against := doubt(study.pruner, study.sweep)) is not None:
            say(against)
        uri = resolve_uri(study.settings().tracking.uri, study.store.root)
        try:
            with (
                study.storage.lock(study.study_name),
                Console(0) as console,
                Tracker(uri, study.store.root, study.experiment, console.say) as tracker,
                Local(self.jobs, facts()) as executor,
            ):
                study_run = StudyRun(tracker, study.experiment, study.study_name, study.sweep, self._params(trials))
                Worker(study, executor, console, study_run, say).work(trials)
                conclude(study, trials, executor, study_run, say)
        except Timeout as error:
            raise UseError(
                f"another command works on the study {study.study_name!r} in {study.storage.shown}; for several, give each "
                "--storage journal:PATH or --storage postgresql+psycopg://..."
            ) from error
        except StorageInternalError as error:
            shown = study.storage.shown
            raise UseError(
                f"the study in {shown} is out of reach ({error}); the same command goes on with it"
            ) from error
        if missing := trials - len(study.slots.finished(trials)):
            say(f"{missing} of {trials} trials failed, see above; the same command tries again")
            return EXIT_FAILED
        return 0

    def _params(self, trials: int) -> dict[str, object]:
        study, wish = self.study, self.study.wish
        about = {"profile": wish.profile, "seed": wish.seed, "sampler": wish.sampler, "pruner": study.pruner}
        return {**about, "trials": trials, **study.overrides}
