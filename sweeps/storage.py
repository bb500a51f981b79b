"""Where a study lies, who works on it, and how a worker that died is noticed."""

import hashlib
import shlex
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import Study
from optuna.trial import Trial, TrialState

from harness.core.credentials import hidden, shown
from harness.core.errors import UseError

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

BEAT = 10  # seconds between a worker's signs of life
GRACE = 60  # seconds without one after which its trials are another's
LEASE = "harness.lease"  # of a trial: how often its worker has renewed it
JOURNAL = "journal:"
ATTEMPTS = 5  # at making a database's tables, which several workers may do at the same moment


class StudyStorage:
    """A database by its URL, or a journal file. `alone`: one process at a time may use it, as with sqlite."""

    def __init__(self, text: str | None, root: Path) -> None:
        """`text`: journal:PATH, a path that ends in .journal, or a database's URL; None: sqlite in the store at `root`.

        Raises UseError for a storage that cannot be opened.
        """
        if text == "":
            raise UseError(
                "--storage '': expected journal:PATH or the URL of a database; leave it out for sqlite in the store"
            )
        text = text or f"sqlite:///{(root / 'optuna.db').absolute()}"
        self._journal = _journal_path(text)
        self._url = None if self._journal else _url(text)
        self.alone = self._url is not None and self._url.get_backend_name() == "sqlite"
        self._file = _file(self._url) if self._url is not None and self.alone else None
        self.optuna = self._open()

    def lock(self, study: str) -> AbstractContextManager[object]:
        """Held while a process works on the study, where one at a time may. Raises filelock.Timeout if another holds it.

        It lies beside the database, for commands with different stores may name the same one.
        """
        if self._file is None:
            return nullcontext()
        digest = hashlib.sha256(study.encode()).hexdigest()[:16]
        return FileLock(self._file.with_name(f"{self._file.name}-{digest}.lock")).acquire(timeout=0)

    @property
    def shown(self) -> str:
        """The storage as it may be printed: without a password, which PGPASSWORD or ~/.pgpass may give in its stead."""
        if self._url is None:
            return str(self._journal)
        return _bare(self._url).render_as_string()

    @property
    def dashboard(self) -> str:
        """The command that shows the study in a browser."""
        kind = ["--storage-class", "JournalFileStorage"] if self._journal else []
        return shlex.join(["optuna-dashboard", *kind, self.shown])

    def _open(self) -> BaseStorage:
        if self._journal is not None:
            try:
                self._journal.parent.mkdir(parents=True, exist_ok=True)
                return JournalStorage(JournalFileBackend(str(self._journal)))
            except OSError as error:
                raise UseError(f"--storage {self._journal}: cannot be written ({error.strerror})") from error
            except (ValueError, KeyError, TypeError, RecursionError) as error:
                raise UseError(
                    f"--storage {self._journal}: it holds no journal of a study; name another file"
                ) from error
        assert self._url is not None
        return _database(self._url)


class Pulse:
    """A thread that gives signs of life for the trials that this worker has in hand; to be used in a `with`."""

    def __init__(self, storage: StudyStorage) -> None:
        self._storage = storage
        self._held: dict[int, tuple[Trial, int]] = {}
        self._guard = threading.Lock()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._work, name="pulse", daemon=True)

    def hold(self, trial: Trial) -> None:
        if not self._storage.alone:
            trial.set_user_attr(LEASE, 0)
            with self._guard:
                self._held[trial.number] = trial, 1

    def release(self, trial: Trial) -> None:
        with self._guard:
            self._held.pop(trial.number, None)

    def __enter__(self) -> "Pulse":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._end.wait(BEAT):
            with self._guard:
                held = list(self._held.items())
            for number, (trial, count) in held:
                try:
                    trial.set_user_attr(LEASE, count)
                except (UpdateFinishedTrialError, StorageInternalError):
                    continue  # taken over by another worker, or the database is away: the next beat tries again
                with self._guard:
                    if number in self._held:
                        self._held[number] = trial, count + 1


class Watch:
    """Fails the trials of workers that are gone, so that they can be carried out again."""

    def __init__(self, study: Study, storage: StudyStorage) -> None:
        self._study, self._storage = study, storage
        self._signs: dict[int, tuple[object, float]] = {}  # by trial: the last lease, and when it was first seen

    def begin(self) -> None:
        """Where one process works at a time, what an earlier one left running is not running."""
        if self._storage.alone:
            for trial in self._study.get_trials(deepcopy=False, states=[TrialState.RUNNING]):
                fail(self._study, trial.number)

    def look(self) -> None:
        """Leases are timed by this process's steady clock, from when it first saw them: clocks of others, which may be set, and the
        database's heartbeat, which is told by its clock, do not matter."""
        if self._storage.alone:
            return
        for trial in self._study.get_trials(deepcopy=False, states=[TrialState.RUNNING]):
            sign = trial.user_attrs.get(LEASE)
            last, since = self._signs.get(trial.number, (None, None))
            if since is None or last != sign:
                self._signs[trial.number] = sign, time.monotonic()
            elif time.monotonic() - since > GRACE:
                fail(self._study, trial.number)


def tell(trial: Trial, state: TrialState, values: Sequence[float] | None = None) -> None:
    """End a trial that this worker has in hand. Raises UpdateFinishedTrialError where another has ended it."""
    try:
        trial.study.tell(trial, values, state=state)
    except ValueError as error:
        if trial.study.get_trials(deepcopy=False)[trial.number].state == TrialState.RUNNING:
            raise
        raise UpdateFinishedTrialError(str(error)) from error


def fail(study: Study, number: int) -> None:
    """End a trial without a result, unless it has ended."""
    try:
        study.tell(number, state=TrialState.FAIL, skip_if_finished=True)
    except (UpdateFinishedTrialError, ValueError):  # it ended between the look and the word
        return


@contextmanager
def in_reach(storage: str | None) -> Iterator[None]:
    """For work on the study in such a storage. Raises UseError where its database goes away."""
    try:
        yield
    except StorageInternalError as error:
        why = str(error.__cause__ or error).strip().splitlines()[0]  # Optuna's own words guess at another reason
        where, why = (shown(storage), hidden(why, storage)) if storage else ("the store", why)
        raise UseError(f"the study in {where} is out of reach ({why}); the same command goes on with it") from error


def _journal_path(text: str) -> Path | None:
    if text.startswith(JOURNAL) or text.endswith(".journal"):
        return Path(text.removeprefix(JOURNAL)).absolute()
    return None


def _url(text: str) -> "URL":
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        return make_url(text)
    except (ArgumentError, ValueError):  # the latter of a port that is no number
        raise UseError(
            f"--storage {shown(text)}: expected journal:PATH, a path that ends in .journal, or a database's URL such as "
            "postgresql+psycopg://user:password@host/database"
        ) from None


def _bare(url: "URL") -> "URL":
    """Without its password; set() would take None for no change."""
    from sqlalchemy.engine import URL

    return URL.create(**{**url._asdict(), "password": None}).difference_update_query(["password"])


def _file(url: "URL") -> Path:
    """Of an sqlite database. Raises UseError where it is no file that another command finds."""
    if url.database in (None, "", ":memory:") or str(url.database).startswith("file:"):
        raise UseError(f"--storage {_bare(url)}: expected a file, such as sqlite:////folder/study.db")
    return Path(str(url.database)).resolve()


def _database(url: "URL") -> RDBStorage:
    from sqlalchemy.exc import IntegrityError, NoSuchModuleError, ProgrammingError, SQLAlchemyError

    bare = _bare(url)
    for attempt in range(ATTEMPTS):
        try:
            return RDBStorage(url.render_as_string(hide_password=False))
        except (IntegrityError, ProgrammingError) as error:  # another worker makes the tables now
            if attempt + 1 == ATTEMPTS:
                raise UseError(f"--storage {bare}: its tables cannot be made: {_line(error, url)}") from error
            time.sleep(1 + attempt)
        except NoSuchModuleError as error:
            raise UseError(
                f"--storage {bare}: unknown kind of database {url.drivername!r}; expected such as postgresql+psycopg"
            ) from error
        except ImportError as error:
            raise UseError(
                f"--storage {bare} needs a package ({_line(error, url)}); PostgreSQL's is in svi-harness[postgresql]"
            ) from error
        except SQLAlchemyError as error:
            raise UseError(f"--storage {bare} cannot be opened: {_line(error, url)}") from error
    raise AssertionError


def _line(error: Exception, url: "URL") -> str:
    """The first line of an error, without the URL's password."""
    return hidden(str(error).strip().splitlines()[0], url.render_as_string(hide_password=False))
