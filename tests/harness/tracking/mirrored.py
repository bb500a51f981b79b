"""What a small experiment sends to MLflow, whole, and a look at whether it all arrived once."""

import json
import os
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from harness.tracking import Dataset, ExperimentPage, RunInfo, Tracker, TrainedModel
from harness.tracking.server import ENVIRONMENT, unreachable

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

ROOT = Path(__file__).parents[3]
CARD = "---\nlibrary_name: peft\n---\n\n# film, seed 0\n\n| metric | mean |\n| --- | --- |\n| psnr | 20 |\n"


def filled(store: Path) -> Path:
    """The store, with the files that a small experiment leaves."""
    (store / "lora").mkdir(parents=True)
    (store / "lora" / "adapter_config.json").write_text("{}")
    (store / "report.html").write_text("<p>report</p>")
    write_metrics(store / "metrics.jsonl", range(1, 701))
    return store


def write_metrics(path: Path, steps: range, started: float = 1e9) -> None:
    lines = [{"step": step, "time": started + step, "train/loss": 1 / step, "bank/fill": step / 10} for step in steps]
    lines[0]["train/loss"] = float("nan")
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))


def info(name: str, **params: object) -> RunInfo:
    return RunInfo(name, {"svi": {"p_img": 0.5, **params}}, {"name": name}, {"variant": name}, f"**{name}**")


def trained(store: Path, card: str = CARD) -> TrainedModel:
    return TrainedModel("model", "full: seed 0", "peft", store / "lora", {"train.rank": 4}, lambda: card, "sig3", "one")


def mirror(store: Path, uri: str, said: list[str], extra: str = "") -> int:
    """One whole command; returns the number of pieces that were left out."""
    tracker = Tracker(uri, store, "ablation_test", said.append)
    parent = tracker.parent("aa", info("test · tiny"))
    full = tracker.child(parent, "full-0", info("full · seed 0", prompts=["word " * 400, "x"]))
    tracker.child(parent, "base-0", info("base · seed 0"))
    tracker.metrics_file(full, store / "metrics.jsonl")
    points = [(clip, 20.0 - clip / 100) for clip in range(1100)]
    points[7] = (7, float("nan"))
    curves = {"score/consistent-50s/psnr": points, "score/consistent-50s/gain": [(0, 1.25)]}
    tracker.curve(full, "score consistent-50s", curves, identity="sig1", measured=1e9)
    tracker.artifact(full, "scores", store / "metrics.jsonl", "scores", identity="sig2")
    tracker.dataset(full, Dataset("world", "training", "ab" * 32, "svi.data.world", {"clips": 48}))
    tracker.dataset(full, Dataset("samples", "evaluation", "cd" * 32, "svi.data.world", {"samples": 2}))
    tracker.model(full, trained(store))
    tracker.page(parent, ExperimentPage("Why **drift**?", "test", ["late/x/psnr"], ["svi.p_img"], rising=False))
    tracker.artifact(parent, "report", store / "report.html")
    if extra:
        tracker.curve(full, extra, {extra: [(0, 1.0)]}, identity=extra, measured=1e9)
    for run in (full, parent):
        tracker.finish(run, "FINISHED")
    return tracker.close(wait_s=240.0)  # of a machine that is busy with other tests


def check_complete(uri: str) -> None:
    """Everything that `mirror` sends is there exactly once."""
    from mlflow import MlflowClient

    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("ablation_test")
    assert experiment is not None
    runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    assert sorted(runs) == ["base · seed 0", "full · seed 0", "test · tiny"]
    assert len(client.search_runs([experiment.experiment_id])) == 3
    full, parent = runs["full · seed 0"], runs["test · tiny"]
    assert [runs[name].info.status for name in sorted(runs)] == ["RUNNING", "FINISHED", "FINISHED"]
    nested = client.search_runs([experiment.experiment_id], f"tags.mlflow.parentRunId = '{parent.info.run_id}'")
    assert {run.info.run_id for run in nested} == {full.info.run_id, runs["base · seed 0"].info.run_id}
    assert full.data.tags["variant"] == "full · seed 0"
    to_parent = f"[All runs of the experiment, and its report](#/runs/{parent.info.run_id})"
    assert full.data.tags["mlflow.note.content"] == f"**full · seed 0**\n\n{to_parent}"
    assert full.data.params["svi.p_img"] == "0.5"
    assert len(full.data.params["svi.prompts"]) == 500
    loss = client.get_metric_history(full.info.run_id, "train/loss")
    assert sorted(point.step for point in loss) == list(range(2, 701))
    assert {point.timestamp - point.step * 1000 for point in loss} == {10**12}
    assert sorted(p.step for p in client.get_metric_history(full.info.run_id, "bank/fill")) == list(range(1, 701))
    psnr = client.get_metric_history(full.info.run_id, "score/consistent-50s/psnr")
    assert sorted(point.step for point in psnr) == [clip for clip in range(1100) if clip != 7]
    assert [p.value for p in client.get_metric_history(full.info.run_id, "score/consistent-50s/gain")] == [1.25]
    assert {file.path for file in client.list_artifacts(full.info.run_id)} == {"config.json", "scores"}
    check_data(full)
    check_model(client, full)
    assert experiment.tags["mlflow.note.content"] == "Why **drift**?"
    assert {file.path for file in client.list_artifacts(parent.info.run_id)} == {"config.json", "report.html"}


def check_data(run: "Run") -> None:
    """What the run was trained and evaluated on."""
    found = [(d.dataset.name, d.tags[0].value, d.dataset.digest, d.dataset.profile) for d in run.inputs.dataset_inputs]
    assert sorted(found) == [
        ("samples", "evaluation", "cd" * 18, '{"samples": 2}'),
        ("world", "training", "ab" * 18, '{"clips": 48}'),
    ]


def check_model(client: "MlflowClient", run: "Run") -> None:
    """One model, linked to its run in both directions, with its card as a file and as its description."""
    from mlflow.artifacts import download_artifacts, list_artifacts

    (model,) = client.search_logged_models([run.info.experiment_id], f"source_run_id = '{run.info.run_id}'")
    assert [output.model_id for output in run.outputs.model_outputs] == [model.model_id]
    assert (model.name, model.source_run_id, str(model.status)) == ("full- seed 0", run.info.run_id, "READY")
    assert (model.params, model.model_type) == ({"train.rank": "4"}, "peft")
    assert model.tags["mlflow.note.content"].startswith("# film, seed 0\n")
    listed = list_artifacts(artifact_uri=model.artifact_location, tracking_uri=client.tracking_uri)
    assert {Path(file.path).name for file in listed} == {"MLmodel", "README.md", "adapter_config.json"}
    there = f"{model.artifact_location}/README.md"
    assert Path(download_artifacts(there, tracking_uri=client.tracking_uri)).read_text() == CARD


def in_process(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run code that begins with this module's names in a fresh interpreter."""
    begin = f"import os, signal, sys; sys.path[:0] = [{str(ROOT)!r}]\nfrom tests.harness.tracking.mirrored import *\n"
    command = [sys.executable, "-c", begin + textwrap.dedent(code), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(backend: str, artifacts: Path, port: int) -> Iterator[str]:
    """A real `mlflow server` in front of a database, up while the block runs; yields its address."""
    options = ["--host", "127.0.0.1", "--port", str(port), "--workers", "1", "--uvicorn-opts", "--log-level error"]
    stored = ["--backend-store-uri", backend, "--artifacts-destination", str(artifacts)]
    environment = {**os.environ, **ENVIRONMENT, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with subprocess.Popen([sys.executable, "-m", "mlflow", "server", *options, *stored], env=environment) as process:
        try:
            deadline = time.monotonic() + 240
            while reason := unreachable(f"http://127.0.0.1:{port}"):
                assert time.monotonic() < deadline, reason
                time.sleep(0.2)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(timeout=20)
