"""Where a study may lie, and how a dead worker is noticed there."""

import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import Timeout
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.trial import TrialState

from harness.core.errors import UseError
from sweeps import storage
from sweeps.storage import Pulse, StudyStorage, Watch, fail, in_reach, tell
from tests import postgresql
from tests.sweeps.studies import in_journal, in_storage, slots, taken


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tenths of seconds in place of minutes."""
    monkeypatch.setattr(storage, "BEAT", 0.1)
    monkeypatch.setattr(storage, "GRACE", 0.6)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nonsense", "journal:PATH"),
        ("nonsense://host/database", "unknown kind of database"),
        ("postgresql+psycopg://user:secret@127.0.0.1:1/study", "Connection refused"),
        ("oracle+cx_oracle://user:secret@host/study", "needs a package"),
        ("journal:/proc/nowhere/study", "cannot be written"),
        ("sqlite://", "expected a file"),
        ("sqlite://me:secret@/", "expected a file"),
        ("me:secret@host", "--storage host: expected journal:PATH"),
        ("postgresql://me:a@secret:x@host:port/study", "expected journal:PATH"),
    ],
)
def test_a_storage_that_cannot_be_opened_is_a_use_error_without_its_password(
    text: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(UseError, match=said) as error:
        StudyStorage(text, tmp_path)
    assert "secret" not in str(error.value)


def test_the_dashboard_command_names_the_storage(tmp_path: Path) -> None:
    assert StudyStorage(None, tmp_path).dashboard == f"optuna-dashboard sqlite:///{tmp_path / 'optuna.db'}"
    journal = f"optuna-dashboard --storage-class JournalFileStorage {tmp_path / 'a.journal'}"
    assert StudyStorage(str(tmp_path / "a.journal"), tmp_path).dashboard == journal
    assert StudyStorage(f"journal:{tmp_path / 'a.journal'}", tmp_path).dashboard == journal


def test_the_dashboard_command_has_no_password(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(storage, "_database", lambda url: None)  # no server is there
    place = StudyStorage("postgresql+psycopg://me:secret@host:5432/study?sslmode=require&password=secret", tmp_path)
    assert place.dashboard == "optuna-dashboard 'postgresql+psycopg://me@host:5432/study?sslmode=require'"


@pytest.fixture(params=["journal", pytest.param("postgresql", marks=pytest.mark.slow)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Where several workers may share a study."""
    if request.param == "journal":
        yield str(tmp_path / "study.journal")
        return
    if postgresql.programs() is None:
        pytest.skip("no PostgreSQL here: apt-get install postgresql")
    with postgresql.server("study") as url:
        yield f"{url}study"


@pytest.mark.usefixtures("quick")
def test_a_trial_whose_lease_is_not_renewed_is_failed_once(place: str, tmp_path: Path) -> None:
    leases = StudyStorage(place, tmp_path)
    study, other = (in_storage(storage, seed) for seed, storage in enumerate((leases, StudyStorage(place, tmp_path))))
    worker = slots(study)
    worker.fill(3, retry_failed=True)
    watches = [Watch(one, leases) for one in (study, other)]
    with Pulse(leases) as pulse:
        alive, dead, unborn = taken(worker), taken(worker), taken(worker)
        pulse.hold(alive)
        pulse.hold(dead)  # the third dies before its first sign of life
        pulse.release(dead)
        for _ in range(12):
            for watch in watches:
                watch.look()
            time.sleep(0.1)
        states = [study.get_trials()[trial.number].state for trial in (alive, dead, unborn)]
        assert states == [TrialState.RUNNING, TrialState.FAIL, TrialState.FAIL]
        for one in (worker, slots(other)):
            one.fill(3, retry_failed=False)
        waiting = [trial for trial in study.get_trials() if trial.state == TrialState.WAITING]
        assert [trial.params for trial in waiting] == [dead.params, unborn.params]


def test_a_database_that_went_away_is_one_line_without_its_password() -> None:
    error = StorageInternalError("perhaps something else")
    error.__cause__ = OSError("the server, which me:secret@host is, closed the connection\nand more")
    with pytest.raises(UseError) as told, in_reach("postgresql+psycopg://me:secret@host/study"):
        raise error
    assert str(told.value) == (
        "the study in postgresql+psycopg://host/study is out of reach (the server, which me:***@host is, closed the connection); "
        "the same command goes on with it"
    )


def test_what_sqlite_left_running_is_not_running(tmp_path: Path) -> None:
    import optuna

    place = StudyStorage(None, tmp_path)
    assert place.alone
    study = optuna.create_study(storage=place.optuna, direction="maximize")
    worker = slots(study)
    worker.fill(1, retry_failed=True)
    trial = taken(worker)
    Watch(study, place).begin()
    assert study.trials[trial.number].state == TrialState.FAIL


def test_a_slow_worker_hears_that_its_trial_is_anothers(tmp_path: Path) -> None:
    slow, quick = (in_journal(tmp_path / "study.journal", seed) for seed in range(2))
    worker = slots(slow)
    worker.fill(1, retry_failed=True)
    trial = taken(worker)
    fail(quick, trial.number)
    with pytest.raises(UpdateFinishedTrialError):
        tell(trial, TrialState.COMPLETE, [1.0])
    assert slow.trials[trial.number].values is None


def test_two_stores_that_name_one_database_share_its_lock(tmp_path: Path) -> None:
    one, other = (StudyStorage(f"sqlite:///{tmp_path / 'study.db'}", tmp_path / name) for name in ("a", "b"))
    with one.lock("mixed"):
        with pytest.raises(Timeout):
            other.lock("mixed")
        with other.lock("another"):
            pass
    with other.lock("mixed"):
        pass


def test_the_dashboard_opens_a_journal(tmp_path: Path) -> None:
    """Where optuna-dashboard is installed: the printed command answers with the study."""
    import shutil
    import urllib.request

    if shutil.which("optuna-dashboard") is None:
        pytest.skip("no optuna-dashboard here: pip install optuna-dashboard")
    file = tmp_path / "study.journal"
    worker = slots(in_journal(file))
    worker.fill(1, retry_failed=True)
    taken(worker)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [*StudyStorage(str(file), tmp_path).dashboard.split(), "--port", str(port), "--server", "wsgiref"]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 18
        while True:
            try:
                answer = urllib.request.urlopen(f"http://127.0.0.1:{port}/api/studies", timeout=5).read()
                break
            except OSError:
                assert time.monotonic() < end, "no answer"
                time.sleep(0.3)
        assert b'"study_name": "study"' in answer
    finally:
        server.kill()
        server.wait()
