"""docs/extend.md, as a user would: its files written down, its commands run, and what each part has changed."""

import hashlib
import json
import runpy
import shlex
import shutil
import tomllib
from collections.abc import Callable, Iterator
from contextlib import chdir
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from safetensors.torch import load_file

from harness.cli import cli
from svi.backbones.adapters import added
from svi.backbones.wan import WanBackbone
from svi.lora.adapter import adapted, save
from svi.settings import BackboneSettings, DataSettings, TrainSettings
from tests.benchmarks.vbench.vbench_videos import moving_frames, write_video
from tests.guide import COMMANDS, FILES, blocks, written
from tests.harness.commands.wan_words import WORDS
from tests.harness.finished import finished
from tests.harness.packages import installed
from tests.harness.small import ONE_TRACK, SMALL, harness
from tests.harness.wan import wan

PLAIN = "harness run ablation_eimg --only full"


@dataclass(frozen=True)
class Lab:
    """A folder with the files of the guide, two videos, and a store that its commands share."""

    folder: Path

    @property
    def store(self) -> Path:
        return self.folder / "runs"

    def run(self, command: str) -> CompletedProcess[str]:
        """A command of the guide, at a size for tests."""
        _, *words = shlex.split(command, comments=True)
        if words[0] in ("show", "list"):  # which have no store
            with chdir(self.folder):
                said = CliRunner().invoke(cli, words, catch_exceptions=False)
            return CompletedProcess(words, said.exit_code, said.stdout, said.stderr)
        if words[0] in ("run", "plan"):
            words += [*SMALL, *([] if any(word.startswith("tracks=") for word in words) else [ONE_TRACK])]
        if words[0] == "generate":
            words = [word for word in words if word not in ("--profile", "wan2.1-i2v-14b-480p")]
            words += ["--profile", "folder", f"backbone.weights={wan()}", *WORDS, "data.width=48"]
        if words[0] == "score":
            words[words.index("VIDEOS")] = "short" if "my_track.py:SHORT" in words else "videos"
            words.append("score.vbench=none")
        return harness(*words, store=self.store, cwd=self.folder, drawn=False)

    def before(self) -> set[Path]:
        return set(self.store.glob("artifacts/*/*/manifest.json"))

    def report(self) -> str:
        """The last one, with all its tables."""
        return max(self.store.glob("reports/*/report.md"), key=lambda file: file.stat().st_mtime).read_text()

    @cached_property
    def plain(self) -> dict[str, Path]:
        """What the command without any part of one's own has made, by kind."""
        return {kind: folder for folder, kind in made(self.before()) if kind == "train" or "train" in upstream(folder)}


def made(manifests: set[Path]) -> Iterator[tuple[Path, str]]:
    return ((one.parent, json.loads(one.read_text())["kind"]) for one in manifests)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """Beside what `ablation_eimg --only base,full` makes at that size."""
    lab = Lab(tmp_path_factory.mktemp("lab"))
    shutil.copytree(finished(), lab.store, symlinks=True)
    written(lab.folder)
    for name, frames in (("videos", 100), ("short", 20)):
        (lab.folder / name).mkdir()
        write_video(lab.folder / name / "a.mp4", moving_frames(frames, 32, 64, 0), 2)
    write_samples(lab.folder)
    assert {"train", "generate"} <= set(lab.plain)
    return lab


def write_samples(folder: Path) -> None:
    """What the signal of the guide is trained on, one of them bad; what films start from; and all that one film takes."""
    for sample in ("a", "b", "bad"):
        made = folder / "MADE" / sample
        made.mkdir(parents=True)
        write_video(made / "video.mp4", moving_frames(60, 32, 64, 0), 2)
        (made / "prompt.txt").write_text("a red disc")
        (made / "level.txt").write_text("loud" if sample == "bad" else "\n".join(str(i % 20) for i in range(300)))
    for sample in ("one", "two"):
        start = folder / "SAMPLES" / sample
        start.mkdir(parents=True)
        Image.new("RGB", (32, 32), (200, 40, 90)).save(start / "frame.png")
        (start / "prompt.txt").write_text("a red disc")
        (start / "level.txt").write_text("\n".join(str(i % 7 + len(sample)) for i in range(500)))
    Image.new("RGB", (96, 64), (200, 40, 90)).save(folder / "fox.jpg")
    (folder / "prompts.txt").write_text("a red disc")
    (folder / "level.txt").write_text("\n".join(map(str, range(50))))
    data, settings = DataSettings(height=32, width=48, clip_frames=9), BackboneSettings(name="folder", text_tokens=16)
    signal = runpy.run_path(str(folder / "my_signal.py"))["Level"]()
    model = adapted(WanBackbone.load(wan(), settings, data, signal=signal), TrainSettings(rank=4, with_signal=True))
    for parameter in added(model).values():
        torch.nn.init.ones_(parameter)
    save(model, folder)
    (folder / "lora").rename(folder / "LORA")


def identity(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "manifest.json").read_text())["identity"]
    return found


def upstream(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "manifest.json").read_text())["upstream"]
    return found


def source(name: str) -> str:
    return hashlib.sha256(FILES[name].encode()).hexdigest()


def new(lab: Lab, before: set[Path], kind: str) -> list[Path]:
    """The folders of a kind that a command has made."""
    return sorted(folder for folder, its in made(lab.before() - before) if its == kind)


def weights(folder: Path) -> bytes:
    return next(folder.glob("transformer/*.safetensors")).read_bytes()


def films(folder: Path) -> Any:
    return np.load(folder / "frames.npy")


def check_objective(lab: Lab, before: set[Path], done: CompletedProcess[str]) -> None:
    [trained] = new(lab, before, "train")
    known = identity(trained)
    assert (known["method.objective"], known["method.objective.source"]) == ("NoisyPast", source("my_objective.py"))
    assert weights(trained) != weights(lab.plain["train"])


def check_experiment(lab: Lab, before: set[Path], done: CompletedProcess[str]) -> None:
    """Three trainings beside the one that is there, each another one; the class beside them inherits what it does not say."""
    trained = [
        folder for folder, kind in made(lab.before()) if kind == "train" and "objective" in str(identity(folder))
    ]
    named = {identity(folder)["method.objective"]: weights(folder) for folder in trained}
    assert {"flow_matching", "NoisyPast", "NoisierPast"} <= set(named)
    assert len(set(named.values())) == len(named)
    assert all(f"| {name} " in done.stdout for name in ("plain", "noisy", "noisier", "full"))


def check_loop(lab: Lab, before: set[Path], done: CompletedProcess[str]) -> None:
    """The same first clip (4 frames of it are its own), and films that part from there; nothing is trained."""
    assert not new(lab, before, "train")
    assert not new(lab, before, "forecast")
    [folder] = new(lab, before, "generate")
    assert identity(folder)["method.generation.source"] == source("my_loop.py")
    mine, plain = films(folder), films(lab.plain["generate"])
    assert np.array_equal(mine[:, :4], plain[:, :4])
    assert not np.array_equal(mine[:, 4:], plain[:, 4:])


def check_memory(lab: Lab, before: set[Path], done: CompletedProcess[str]) -> None:
    """Beside films that pad with the start image: the reference has moved by the second clip, which the third one shows."""
    [folder] = new(lab, before, "generate")
    assert identity(folder)["method.memory"] == "Halfway"
    assert identity(folder)["condition.padding"] == "reference"
    so_far = lab.before()
    assert lab.run(f"{PLAIN} method.memory=reference_padding").returncode == 0
    [still] = new(lab, so_far, "generate")
    assert np.array_equal(films(folder)[:, :4], films(still)[:, :4])
    assert not np.array_equal(films(folder), films(still))


def check_cache(lab: Lab, before: set[Path], done: CompletedProcess[str]) -> None:
    """Beside the window that is the usual memory of a cache."""
    [folder] = new(lab, before, "generate")
    assert identity(folder)["method.memory.source"] == source("my_cache.py")
    so_far = lab.before()
    words = "method.architecture=causal method.objective=teacher_forcing method.generation=blocks"
    assert lab.run(f"{PLAIN} {words}").returncode == 0
    assert not new(lab, so_far, "train")
    [window] = new(lab, so_far, "generate")
    assert not np.array_equal(films(folder), films(window))


def check_signal(lab: Lab, before: set[Path], done: CompletedProcess[str]) -> None:
    """The adapter is trained with the embedded model, on whole samples; beside films of that model that follow nothing."""
    [cache], [trained], [folder] = (new(lab, before, kind) for kind in ("data", "train", "generate"))
    for one in (cache, trained, folder):
        assert identity(one)["condition.signal.source"] == source("my_signal.py")
    footage = json.loads((cache / "footage.json").read_text())
    [(name, why)] = footage["skipped"]
    assert (name, footage["videos"]) == ("bad", 2)
    assert "could not convert string to float: 'loud', expected a file of numbers, 10 a second" in why
    learned = load_file(next(trained.glob("transformer/*.safetensors")))
    assert all(x.any() for name, x in learned.items() if ".level.spread." in name)
    assert (folder / "signals" / "two.level.txt").read_text().split()[:3] == ["3.0", "8.0", "6.0"]
    so_far, words = lab.before(), "condition.signal=my_signal.py:Level data.path=MADE eval.path=SAMPLES"
    assert lab.run(f"{PLAIN} {words} generate.signal=none").returncode == 0
    assert not new(lab, so_far, "train")
    [nothing] = new(lab, so_far, "generate")
    assert not np.array_equal(films(folder), films(nothing))


def check_single(lab: Lab, before: set[Path], done: CompletedProcess[str]) -> None:
    """Another film where the file says something else; none where it ends too early, or is no such file."""
    film = (lab.folder / "film.mp4").read_bytes()
    [command] = [one for one in COMMANDS if "generate film.mp4" in one]
    for levels, code in ((["1"] * 50, 0), (["1"] * 9, 2), (["loud"], 2)):
        (lab.folder / "level.txt").write_text("\n".join(levels))
        again = lab.run(command)
        assert again.returncode == code, again.stderr
        if code:
            assert ("--seconds 0.75, or give a longer one" in again.stderr) or ("'loud', expected a" in again.stderr)
    assert (lab.folder / "film.mp4").read_bytes() != film


def check_metric(lab: Lab, before: set[Path], done: CompletedProcess[str]) -> None:
    """One suite more, of the films that were there."""
    kinds = sorted(kind for _, kind in made(lab.before() - before))
    assert kinds in (["report", "score"], ["video_scores", "video_scores"])
    folder = next(folder for folder, kind in made(lab.before() - before) if identity(folder).get("suite") == "Flicker")
    with np.load(folder / "scores.npz") as scores:
        assert scores["flicker"].shape[1] == (25 if "run" in done.args else 10)  # clips, or windows of 5 s
        assert (scores["flicker"] > 0).any()
    assert "flicker late ↓" in (done.stdout if "score" in done.args else lab.report())


def check_track(lab: Lab, before: set[Path], done: CompletedProcess[str]) -> None:
    assert "short-10s" in done.stdout
    for folder in new(lab, before, "generate"):
        assert json.loads((folder / "film.json").read_text())["n_frames"] == 20  # at 2 a second
    assert new(lab, before, "generate") or new(lab, before, "video_scores")


def check_backbone(lab: Lab, before: set[Path], done: CompletedProcess[str]) -> None:
    [trained], [folder] = new(lab, before, "train"), new(lab, before, "generate")
    for one in (trained, folder, *new(lab, before, "data")):
        assert (identity(one)["backbone.name"], identity(one)["backbone.source"]) == (
            "Mosaic",
            source("my_backbone.py"),
        )
    assert json.loads((trained / "transformer" / "config.json").read_text())["_class_name"] == "Net"
    assert films(folder).shape == films(lab.plain["generate"]).shape
    assert not np.array_equal(films(folder), films(lab.plain["generate"]))
    assert "backbone Mosaic" in lab.report()


def check_shown(lab: Lab, before: set[Path], done: CompletedProcess[str]) -> None:
    assert "Gaussian noise on the frames that a clip is conditioned on." in done.stdout
    assert source("my_objective.py")[:12] in done.stdout


def check_signal_shown(lab: Lab, before: set[Path], done: CompletedProcess[str]) -> None:
    assert done.stdout.startswith("condition.signal=my_signal.py:Level: How much of something there is in every frame.")
    assert source("my_signal.py")[:12] in done.stdout


def check_planned(lab: Lab, before: set[Path], done: CompletedProcess[str]) -> None:
    assert "full" in done.stdout
    assert lab.before() == before


def check_package(lab: Lab, before: set[Path], done: CompletedProcess[str]) -> None:
    [trained] = new(lab, before, "train")
    assert identity(trained)["method.objective"] == "noisy_past"
    assert identity(trained)["method.objective.package"] == "noisy-past 1.0"
    assert "flicker late ↓" in lab.report()
    assert "short-10s" in done.stdout


Check = Callable[[Lab, set[Path], CompletedProcess[str]], None]
CHECKS: dict[str, Check] = {
    "harness show my_objective.py:NoisyPast": check_shown,
    "harness plan ablation_eimg --only full method.objective=my_objective.py:NoisyPast": check_planned,
    "harness run ablation_eimg --only full method.objective=my_objective.py:NoisyPast": check_objective,
    "harness run my_experiment.py:my_experiment": check_experiment,
    "method.generation=my_loop.py:Levelled": check_loop,
    "method.memory=my_memory.py:Halfway": check_memory,
    "method.memory=my_cache.py:FirstAndEven": check_cache,
    "harness show my_signal.py:Level": check_signal_shown,
    "harness run ablation_eimg --only full condition.signal=my_signal.py:Level": check_signal,
    "harness generate film.mp4": check_single,
    "score.metrics=my_metric.py:Flicker": check_metric,
    "my_track.py:SHORT": check_track,
    "backbone.name=my_backbone.py:Mosaic": check_backbone,
}
REFUSED, PACKAGED = "my_words.py:Careful", "method.objective=noisy_past"


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(one, marks=pytest.mark.slow if "harness run" in one else ())
        for one in COMMANDS
        if REFUSED not in one and PACKAGED not in one
    ],
)
def test_a_command_of_the_guide_does_what_it_says(lab: Lab, command: str) -> None:
    [check] = [check for part, check in CHECKS.items() if part in command]
    before = lab.before()
    done = lab.run(command)
    assert done.returncode == 0, done.stderr
    check(lab, before, done)


def test_what_a_part_says_is_held_against_the_others(lab: Lab) -> None:
    [command] = [one for one in COMMANDS if REFUSED in one]
    done = lab.run(command)
    assert done.returncode == 2
    assert "method.objective=Careful needs a past without an anchor" in done.stderr
    fitting = lab.run(command.replace("condition.anchor=true", "").replace("harness plan", "harness run"))
    assert fitting.returncode == 0, fitting.stderr


def test_the_package_of_the_guide_adds_its_parts(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its pyproject.toml as an installer writes it down."""
    [text] = blocks("toml")
    project = tomllib.loads(text)["project"]
    points = "".join(
        f"[{group}]\n" + "".join(f"{name} = {target}\n" for name, target in one.items())
        for group, one in project["entry-points"].items()
    )
    modules = {
        name.removesuffix(".py"): FILES[name]
        for name in ("my_objective.py", "my_signal.py", "my_metric.py", "my_track.py")
    }
    site = installed(tmp_path, project["name"], points, modules, project["version"])
    monkeypatch.syspath_prepend(site)
    listed = lab.run("harness list")
    assert "my_objective:NoisyPast, of noisy-past 1.0" in listed.stdout
    assert "my_signal:Level, of noisy-past 1.0" in listed.stdout
    [command] = [one for one in COMMANDS if PACKAGED in one]
    before = lab.before()
    done = lab.run(command)
    assert done.returncode == 0, done.stderr
    check_package(lab, before, done)


def test_every_file_and_command_of_the_guide_is_tested() -> None:
    assert set(FILES) == {f"my_{name}.py" for name in
        ("objective", "experiment", "loop", "memory", "cache", "signal", "metric", "track", "backbone", "words")}  # fmt: skip
    used = [part for part in CHECKS if any(part in command for command in COMMANDS)]
    assert used == list(CHECKS)
