"""Servers that go away midway and come back: MLflow's, and PostgreSQL with MLflow's runs or Optuna's study in it."""

import subprocess
import sys
import time
from collections.abc import Callable

import optuna

from tests import postgresql
from tests.faults.clock import SWEEP
from tests.faults.command import RUN, Command, End, run
from tests.faults.reference import Reference
from tests.harness.small import prepared
from tests.harness.tracking.mirrored import free_port, serving

SHARE = 0.6  # of the undisturbed command's processor time: something was sent, and something is left
AWAY = 3.0  # seconds
TRIES = 3  # of the same command, at most


def database(reference: Reference) -> str | None:
    """MLflow's runs in PostgreSQL."""
    with postgresql.running("runs") as server:
        subprocess.run([sys.executable, "-m", "mlflow", "db", "upgrade", f"{server.url}runs"], check=True, timeout=600)
        return _tracked(reference, f"{server.url}runs", f"{server.url}runs", server.stop, server.start)


def mlflow(reference: Reference) -> str | None:
    """MLflow's own server, before a database of its own."""
    folder, port = reference.folder / "server", free_port()
    kept = f"sqlite:///{prepared(folder) / 'mlflow.db'}"
    up = [serving(kept, folder / "files", port)]

    def start() -> None:
        up.append(serving(kept, folder / "files", port))
        up[-1].__enter__()

    def stop() -> None:
        up.pop().__exit__(None, None, None)

    uri = up[0].__enter__()
    try:
        return _tracked(reference, uri, kept, stop, start)
    finally:
        stop()


def study(reference: Reference) -> str | None:
    """Optuna's study in PostgreSQL."""
    with postgresql.running("calm", "disturbed") as server:
        calm = run(*SWEEP, "--storage", f"{server.url}calm", store=reference.store("calm", 0))
        assert calm.code == 0, calm.err
        root = reference.store("study", 0)
        words = (*SWEEP, "--storage", f"{server.url}disturbed")
        end = _without(Command(*words, store=root), calm.seconds / 2, server.stop, server.start)
        for _ in range(TRIES):
            if end.code == 0:
                break
            if end.code != 2 or "Traceback" in end.err:
                return f"it ended with {end.code}: {end.err[-6000:]}"
            end = run(*words, store=root)
        if end.code:
            return f"the same command then ended with {end.code}: {end.last}"
        found, expected = (_trials(f"{server.url}{name}") for name in ("disturbed", "calm"))
        return None if found == expected else f"other trials: {found}, not {expected}"


def _tracked(
    reference: Reference, uri: str, kept: str, stop: Callable[[], None], start: Callable[[], None]
) -> str | None:
    """Stages do not wait for the server; what it missed, the same command sends. Nothing is there twice."""
    root = reference.store("tracked", 0)
    words = (*RUN, f"tracking.uri={uri}")
    end = _without(Command(*words, store=root), SHARE * reference.seconds, stop, start)
    if (wrong := reference.wrong(root, end, kept)) is None:
        return None
    if end.code or "Traceback" in end.err:
        return wrong
    return reference.wrong(root, run(*words, store=root), kept)


def _without(command: Command, moment: float, stop: Callable[[], None], start: Callable[[], None]) -> End:
    """The end of a command whose server goes away at a moment of its processor time, for a few seconds."""
    while command.spent() < moment:
        time.sleep(0.02)
    stop()
    time.sleep(AWAY)
    start()
    return command.wait()


def _trials(url: str) -> list[object]:
    (name,) = optuna.get_all_study_names(url)
    trials = optuna.load_study(study_name=name, storage=url).trials
    return sorted([sorted(trial.params.items()), trial.values] for trial in trials if trial.values)
