"""What a report says of how its films were made."""

import json
from pathlib import Path
from typing import Any

from harness.core.job import Job
from harness.results.made_of import made_of, meanings


def artifact(folder: Path, identity: dict[str, Any], footage: dict[str, Any] | None = None) -> Path:
    folder.mkdir()
    (folder / "manifest.json").write_text(json.dumps({"identity": identity}))
    if footage is not None:
        (folder / "footage.json").write_text(json.dumps(footage))
    return folder


def job(folder: Path, fingerprint: str, footage: dict[str, Any], starts: str, command: str, **train: Any) -> Job:
    """Of one training and its films."""
    trained = {"train.steps": 3500, "train.epochs": None, "train.batch": 8}
    trained |= {f"train.{key}": value for key, value in train.items()}
    inputs = {
        "base": [artifact(folder / "data", {"data.fingerprint": fingerprint}, footage)],
        "train": [artifact(folder / "train", trained)],
        "generate": [artifact(folder / "generate", {"eval.samples": starts})],
    }
    return Job("report", folder, {"command": command}, inputs, lambda *_: None)


def test_real_videos_their_number_steps_and_what_was_set(tmp_path: Path) -> None:
    command = (
        "harness run ablation_eimg --only 'base,full' tracks=consistent-50s data.path='my videos' train.steps=3500"
    )
    found = made_of(job(tmp_path, "0a1b", {"clips": 1200, "videos": 24}, "held back", command))
    assert found == {
        "trained on": "24 real videos, 1,200 clips",
        "training": "3,500 steps, 8 clips a step",
        "films start from": "clips held back from training",
        "set on the command line": "data.path=my videos, train.steps=3500",
    }


def test_the_embedded_world_is_called_so_and_what_was_not_set_is_left_out(tmp_path: Path) -> None:
    found = made_of(job(tmp_path, "embedded world", {"clips": 6144, "videos": 0}, "scenes", "harness run x"))
    assert found["trained on"] == "the embedded world, 6,144 clips"
    assert "set on the command line" not in found


def test_epochs_decide_how_long_a_training_is(tmp_path: Path) -> None:
    made = job(tmp_path, "0a1b", {"clips": 1200, "videos": 24}, "held back", "harness run x", epochs=10, batch=1)
    assert made_of(made)["training"] == "10 epochs, 1 clip a step"


def test_a_setting_means_something_without_the_values_of_the_sources() -> None:
    assert meanings()["injection.p_img"] == "probability of E_img on the condition"
    assert meanings()["train.enabled"] == "the base model as it is"
    assert all(meanings().values())
