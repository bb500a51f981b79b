"""Names that would lead out of the store, given to each command that makes paths of them."""

import json
from pathlib import Path
from typing import Any

import pytest

from harness.core.errors import UseError
from harness.core.store import Store
from harness.results.scored_videos import ScoredVideos, scored_videos
from tests.harness.small import harness

UP = "../../up"
LONG = "n" * 72  # what is made of a sweep has a longer name
FILE = f"""
from harness import Variant, experiment
from harness.declare.spec import Experiment
from sweeps.declared import BANK

globals()["{UP}"] = {LONG} = BANK
mine = Experiment(name={{name!r}}, question="?", variants=({{variant}},), baseline="full", tracks=("{{track}}",))
"""
FULL = 'Variant("full")'


@pytest.mark.parametrize("command", ["run", "plan", "forecast"])
@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"name": UP, "variant": FULL, "track": "consistent-50s"}, f"an experiment is named '{UP}'"),
        ({"name": "mine", "variant": f'Variant("{UP}")', "track": "consistent-50s"}, f"a variant is named '{UP}'"),
    ],
)
def test_of_an_experiment(command: str, values: dict[str, str], said: str, tmp_path: Path) -> None:
    check_refused(f"{said}; expected letters", tmp_path, command, FILE.format(**values), "mine")


def test_of_a_track(tmp_path: Path) -> None:
    text = FILE.format(name="mine", variant=FULL, track=UP)
    check_refused(f"unknown track '{UP}': available: consistent-50s", tmp_path, "plan", text, "mine")


def test_of_a_sweep(tmp_path: Path) -> None:
    text = FILE.format(name="mine", variant=FULL, track="consistent-50s")
    check_refused(f"a sweep is named '{UP}'; expected letters", tmp_path, "sweep", text, UP)
    check_refused(f"a sweep's best trials is named 'sweep_{LONG}_best'; expected", tmp_path, "sweep", text, LONG)


def check_refused(said: str, folder: Path, command: str, text: str, name: str) -> None:
    """One message, exit code 2, and nothing written beside the store."""
    file = folder / "mine.py"
    file.write_text(text)
    done = harness(command, f"{file}:{name}", store=folder / "runs")
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert {path.name for path in folder.iterdir()} <= {"mine.py", "runs"}


@pytest.mark.parametrize("changed", [{"name": UP}, {"track": UP}])
def test_of_scored_videos_in_a_store_from_elsewhere(changed: dict[str, str], tmp_path: Path) -> None:
    about: dict[str, Any] = {
        "name": "FramePack",
        "track": "dance-50s",
        "videos": "/v",
        "scores": {},
        "command": "",
        "by_name": True,
    }
    file = tmp_path / "scored" / "dance-50s" / "FramePack.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(about))
    assert scored_videos(Store(tmp_path)) == [ScoredVideos(**about)]
    file.write_text(json.dumps({**about, **changed}))
    with pytest.raises(UseError, match=f"is named '{UP}'; expected letters"):
        scored_videos(Store(tmp_path))
