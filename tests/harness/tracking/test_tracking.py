"""Tracking against real MLflow: sqlite files, and a server on a loopback port."""

import json
import shutil
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.tracking import Tracker, resolve_uri
from tests.harness.small import database
from tests.harness.tracking.mirrored import (
    check_complete,
    filled,
    free_port,
    in_process,
    info,
    mirror,
    serving,
    trained,
    write_metrics,
)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store with an empty database and the files that a small experiment leaves."""
    shutil.copy(database(), tmp_path / "mlflow.db")
    return filled(tmp_path)


def ledger_of(store: Path) -> Path:
    (path,) = (store / "tracking").glob("*.json")
    return path


def test_all_of_a_command_is_uploaded_once(store: Path, capfd: pytest.CaptureFixture[str]) -> None:
    uri, said = resolve_uri(None, store), list[str]()
    assert mirror(store, uri, said) == 0
    assert mirror(store, uri, said) == 0
    check_complete(uri)
    assert said == []
    assert capfd.readouterr() == ("", "")
    assert (store / "mlartifacts" / "ablation_test").is_dir()


def test_a_command_without_news_does_not_import_mlflow(store: Path) -> None:
    uri = resolve_uri(None, store)
    assert mirror(store, uri, []) == 0
    before = ledger_of(store).stat().st_mtime_ns
    result = in_process(
        "said = []; print(mirror(Path(sys.argv[1]), sys.argv[2], said), said, 'mlflow' in sys.modules)", store, uri
    )
    assert result.stdout == "0 [] False\n", result.stderr
    assert ledger_of(store).stat().st_mtime_ns == before


@pytest.mark.slow
def test_a_killed_command_is_completed_without_duplicates(store: Path) -> None:
    uri = resolve_uri(None, store)
    code = """
        from mlflow import MlflowClient
        send, sent = MlflowClient.log_batch, []
        def log_batch(self, run_id, **entities):
            send(self, run_id, **entities)
            sent.extend(entities.get("metrics", ()))
            if len(sent) > 1000:  # on the server, and not yet in the ledger
                os.kill(os.getpid(), signal.SIGKILL)
        MlflowClient.log_batch = log_batch
        mirror(Path(sys.argv[1]), sys.argv[2], [])
    """
    assert in_process(code, store, uri).returncode == -signal.SIGKILL
    entries = json.loads(ledger_of(store).read_text())["runs"]
    assert 0 < entries["ablation_test/aa/full-0"]["pieces"]["metrics.jsonl"] < 700
    assert mirror(store, uri, []) == 0
    check_complete(uri)


def test_a_broken_ledger_makes_no_duplicates(store: Path) -> None:
    uri = resolve_uri(None, store)
    assert mirror(store, uri, []) == 0
    ledger_of(store).write_text("{broken")
    assert mirror(store, uri, []) == 0
    check_complete(uri)


def test_two_commands_at_once_share_their_runs_and_models(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow import MlflowClient

    look = MlflowClient.search_logged_models

    def slowly(self: MlflowClient, *arguments: Any, **options: Any) -> Any:
        found = look(self, *arguments, **options)
        time.sleep(0.5)  # in which the other command looks, too
        return found

    monkeypatch.setattr(MlflowClient, "search_logged_models", slowly)
    uri = resolve_uri(None, store)
    trackers = [Tracker(uri, store, "ablation_test", print) for _ in range(2)]
    for tracker in trackers:
        tracker.model(tracker.child(tracker.parent("aa", info("parent")), "bb", info("child")), trained(store))
    assert [tracker.close() for tracker in trackers] == [0, 0]
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("ablation_test")
    assert experiment is not None
    assert len(client.search_runs([experiment.experiment_id])) == 2
    (model,) = client.search_logged_models([experiment.experiment_id])
    (child,) = client.search_runs([experiment.experiment_id], "tags.mlflow.runName = 'child'")
    assert [output.model_id for output in child.outputs.model_outputs] == [model.model_id]


def test_a_growing_file_is_followed_and_a_resumed_one_adds_only_new_steps(store: Path) -> None:
    from mlflow import MlflowClient

    uri, path = resolve_uri(None, store), store / "partial" / "metrics.jsonl"
    tracker = Tracker(uri, store, "ablation_test", print)
    run = tracker.parent("aa", info("train"))
    tracker.metrics_file(run, path)
    path.parent.mkdir()
    write_metrics(path, range(1, 6))
    with path.open("a") as file:
        file.write('{"step": 6, "time": 1000000006.0, "train/lo')
    tracker.metrics_file(run, path)
    assert tracker.close() == 0
    # Resumed from a checkpoint at step 3: two steps are trained again, at another time.
    with_new = store / "metrics.jsonl"
    write_metrics(with_new, range(1, 8), started=2e9)
    tracker = Tracker(uri, store, "ablation_test", print)
    tracker.metrics_file(tracker.parent("aa", info("train")), with_new)
    assert tracker.close() == 0
    points = MlflowClient(uri).get_metric_history(str(tracker.run_id(run)), "bank/fill")
    assert sorted((p.step, p.timestamp // 10**12) for p in points) == [(s, 1 if s < 6 else 2) for s in range(1, 8)]


def test_the_trainings_of_two_experts_are_two_sets_of_curves(store: Path) -> None:
    from mlflow import MlflowClient

    uri, tracker = resolve_uri(None, store), Tracker(resolve_uri(None, store), store, "ablation_test", print)
    run = tracker.parent("aa", info("train"))
    for expert, steps in (("transformer", 5), ("transformer_2", 3)):
        path = store / f"{expert}.d" / "metrics.jsonl"
        path.parent.mkdir()
        write_metrics(path, range(1, steps + 1))
        tracker.metrics_file(run, path, f"{expert}/")
    assert tracker.close() == 0
    client, run_id = MlflowClient(uri), str(tracker.run_id(run))
    for expert, steps in (("transformer", 5), ("transformer_2", 3)):
        points = client.get_metric_history(run_id, f"{expert}/bank/fill")
        assert sorted(p.step for p in points) == list(range(1, steps + 1))


def test_runs_deleted_from_the_database_are_made_anew(store: Path) -> None:
    from mlflow import MlflowClient

    uri = resolve_uri(None, store)
    mirror(store, uri, [])
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("ablation_test")
    assert experiment is not None
    for run in client.search_runs([experiment.experiment_id], "tags.variant != 'base · seed 0'"):
        client.delete_run(run.info.run_id)
    assert mirror(store, uri, []) == 0
    check_complete(uri)


def test_a_replaced_database_is_filled_again(store: Path) -> None:
    from mlflow import MlflowClient

    uri, ids = resolve_uri(None, store), list[str]()
    for _ in range(2):
        tracker = Tracker(uri, store, "ablation_test", print)
        run = tracker.parent("aa", info("parent"))
        assert tracker.close() == 0
        ids.append(str(tracker.run_id(run)))
        assert MlflowClient(uri).get_run(ids[-1]).data.params["svi.p_img"] == "0.5"
        # Written over in place: this process keeps the file open, as a new command would not.
        shutil.copy(database(), store / "mlflow.db")
    assert ids[0] != ids[1]


def test_a_run_that_failed_goes_on_when_declared_again(store: Path) -> None:
    from mlflow import MlflowClient

    uri = resolve_uri(None, store)

    def status_after(status: str | None, error: type[BaseException] | None = None) -> str:
        try:
            with Tracker(uri, store, "ablation_test", print) as tracker:
                run = tracker.parent("aa", info("parent"))
                if status == "FINISHED":
                    tracker.finish(run, "FINISHED")
                if error:
                    raise error
        except (ValueError, KeyboardInterrupt):
            pass
        return str(MlflowClient(uri).get_run(str(tracker.run_id(run))).info.status)

    assert status_after(None, ValueError) == "FAILED"
    assert status_after(None) == "RUNNING"
    assert status_after(None, KeyboardInterrupt) == "KILLED"
    assert status_after("FINISHED") == "FINISHED"
    assert status_after(None, KeyboardInterrupt) == "FINISHED"


def test_a_model_cut_short_is_completed_and_its_card_told_again_without_its_weights(store: Path) -> None:
    from mlflow import MlflowClient
    from mlflow.artifacts import list_artifacts, load_text

    def send(card: str, told: str) -> list[str]:
        said: list[str] = []
        tracker = Tracker(resolve_uri(None, store), store, "ablation_test", said.append)
        tracker.model(tracker.parent("aa", info("film")), replace(trained(store, card), told=told))
        tracker.close()
        return said

    (store / "lora").rename(store / "away")
    assert "model of run 'film'" in send("# none yet", "nothing")[0]  # made, and nothing in it
    (store / "away").rename(store / "lora")
    assert send("# untold", "nothing") == []
    (store / "lora").rename(store / "away")
    assert send("# told", "a score") == []
    (model,) = MlflowClient(resolve_uri(None, store)).search_logged_models(["1"])
    assert load_text(f"{model.artifact_location}/README.md") == "# told"
    assert model.tags["mlflow.note.content"] == "# told"
    assert "adapter_config.json" in {Path(file.path).name for file in list_artifacts(model.artifact_location)}


def test_weights_that_stay_away_have_a_card(store: Path) -> None:
    from mlflow import MlflowClient
    from mlflow.artifacts import list_artifacts

    uri = resolve_uri(None, store)
    tracker = Tracker(uri, store, "ablation_test", print)
    tracker.model(tracker.parent("aa", info("film")), replace(trained(store), folder=None))
    assert tracker.close() == 0
    (model,) = MlflowClient(uri).search_logged_models(["1"])
    assert {Path(file.path).name for file in list_artifacts(model.artifact_location)} == {"MLmodel", "README.md"}


@pytest.mark.slow
def test_an_upload_of_everything_imports_no_torch(store: Path) -> None:
    result = in_process(
        "print(mirror(Path(sys.argv[1]), sys.argv[2], []), 'torch' in sys.modules)", store, resolve_uri(None, store)
    )
    assert result.stdout == "0 False\n", result.stderr


def test_a_piece_that_cannot_be_sent_stops_no_other(store: Path) -> None:
    from mlflow import MlflowClient

    uri, said = resolve_uri(None, store), list[str]()
    tracker = Tracker(uri, store, "ablation_test", said.append)
    run = tracker.parent("aa", info("parent"))
    tracker.artifact(run, "video", store / "absent.mp4")
    tracker.artifact(run, "plot", store / "absent.png")
    tracker.artifact(run, "report", store / "report.html", "pages")
    assert tracker.close() == 2
    assert [file.path for file in MlflowClient(uri).list_artifacts(str(tracker.run_id(run)), "pages")] == [
        "pages/report.html"
    ]
    assert len(said) == 2
    assert "video of run 'parent'" in said[0]
    assert "absent.mp4" in said[0]
    assert "2 uploads" in said[1]


def test_changed_content_is_uploaded_again(store: Path) -> None:
    from mlflow.artifacts import load_text

    uri = resolve_uri(None, store)
    mirror(store, uri, [])
    (store / "report.html").write_text("<p>another</p>")
    assert mirror(store, uri, []) == 0
    (path,) = (store / "mlartifacts").rglob("report.html")
    assert load_text(str(path)) == "<p>another</p>"


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def start_server(store: Path, port: int) -> Iterator[Callable[[], None]]:
    """Starts `mlflow server` on the port; before that the port is closed, as with a server that is away."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(serving(f"sqlite:///{store}/mlflow.db", store / "served", port))


@pytest.mark.slow
def test_a_server_that_was_away_gets_everything_later(store: Path, port: int, start_server: Callable[[], None]) -> None:
    from mlflow import MlflowClient

    uri, said = f"http://127.0.0.1:{port}", list[str]()
    began = time.monotonic()
    assert mirror(store, uri, said) == 19
    assert time.monotonic() - began < 5
    (line,) = said
    assert uri in line
    assert "refused" in line
    assert "run the same command again to upload" in line
    start_server()
    assert mirror(store, uri, said) == 0
    check_complete(uri)
    client = MlflowClient(uri)
    (full,) = client.search_runs(["1"], "tags.variant = 'full · seed 0'")
    client.delete_run(full.info.run_id)
    assert mirror(store, uri, said, extra="later") == 0
    check_complete(uri)
    assert len(said) == 1


@pytest.mark.slow  # for its clock
def test_a_server_that_never_answers_costs_seconds(store: Path) -> None:
    said: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        assert mirror(store, f"http://127.0.0.1:{silent.getsockname()[1]}", said) > 0
    assert time.monotonic() - began < 8
    assert len(said) == 1


def test_a_server_that_comes_back_is_used_by_the_same_command(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.tracking.tracker.RETRY_SECONDS", 0.1)
    answers = iter(["connection refused"])
    monkeypatch.setattr("harness.tracking.server.unreachable", lambda _: next(answers, None))
    said: list[str] = []
    tracker = Tracker(resolve_uri(None, store), store, "ablation_test", said.append)
    run = tracker.parent("aa", info("parent"))
    for _ in range(100):
        if tracker.run_id(run):
            break
        time.sleep(0.1)
    assert tracker.close() == 0
    assert tracker.run_id(run)
    assert len(said) == 1


def test_uris(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert resolve_uri(None, Path("runs")) == f"sqlite:///{tmp_path}/runs/mlflow.db"
    assert resolve_uri("sqlite:///own.db", Path("runs")) == f"sqlite:///{tmp_path}/own.db"
    assert resolve_uri("http://host:5000", Path("runs")) == "http://host:5000"
