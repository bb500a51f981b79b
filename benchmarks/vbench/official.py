"""VBench's own code as the judge: an environment of its own for it, and runs of it there.

VBench pins packages that do not go with current ones, so it never shares an environment with the harness. `build` makes
the environment (about 6 GB) with venv and pip from whatever index pip is set to; `run` has it score videos; nothing is
imported from it. Every dimension runs in a process of its own, which gives its time and its peak memory.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock

from benchmarks.artifacts import OFFICIAL_RESULTS
from benchmarks.atomic import write_whole

VBENCH_VERSION = "0.1.5"
_RUNNER = Path(__file__).with_name("official_runner.py")
_CHECKOUT = _RUNNER.parents[2]
_READY = "READY"
_SHOWN_LINES = 8
# Without these Python would look for modules first in the runner's folder, where a clip.py of ours would pass for
# OpenAI's package, and in whatever PYTHONPATH names.
_ALONE, _WITH_PYTHONPATH = "-I", "-P"

# In order. openai-clip's setup.py imports pkg_resources, which setuptools 82 dropped: it must be built with an older
# one, installed before. What the three packages ask for is not what the six dimensions need: --no-deps.
_STEPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("build tools", ("setuptools<82", "wheel")),
    ("torch", ("torch==2.12.1", "torchvision==0.27.1")),
    (
        "small packages",
        (
            "av", "decord==0.6.0", "easydict==1.14", "einops==0.8.2", "ftfy==6.3.1", "imageio==2.38.1",
            "numpy==2.4.6", "omegaconf==2.4.0", "opencv-python-headless==5.0.0.93", "pillow==13.0.0", "regex",
            "requests", "scipy==1.17.1", "timm==1.0.31", "tqdm", "transformers>=5",
        ),
    ),
    (
        "VBench",
        ("--no-deps", "--no-build-isolation", f"vbench=={VBENCH_VERSION}", "pyiqa==0.1.16", "openai-clip==1.0.1"),
    ),
)  # fmt: skip
# What each dimension reads below VBench's cache; DINO's weights it reads below torch's home instead.
_CACHE_FILES = {
    "subject_consistency": ("dino_model/facebookresearch_dino_main",),
    "background_consistency": ("clip_model/ViT-B-32.pt",),
    "aesthetic_quality": ("clip_model/ViT-L-14.pt", "aesthetic_model/emb_reader/sa_0_4_vit_l_14_linear.pth"),
    "imaging_quality": ("pyiqa_model/musiq_spaq_ckpt-358bb6af.pth",),
    "dynamic_degree": ("raft_model/models/raft-things.pth",),
    "motion_smoothness": ("amt_model/amt-s.pth",),
}
_DINO_WEIGHTS = "hub/checkpoints/dino_vitbase16_pretrain.pth"
_DINO_NEVER_READ = "dino_model/dino_vitbase16_pretrain.pth"  # VBench only downloads it if it is not there
DIMENSIONS = tuple(_CACHE_FILES)


def default_folder() -> Path:
    """Where the environment is: HARNESS_VBENCH_ENV, else ~/.cache/svi-harness/vbench."""
    return Path(os.environ.get("HARNESS_VBENCH_ENV") or "~/.cache/svi-harness/vbench").expanduser()


def python_of(folder: Path) -> Path:
    """The environment's interpreter.

    Raises:
        ValueError: there is none.
    """
    python = folder / "bin" / "python"
    if not python.is_file():
        raise ValueError(f"environment {folder}: received no bin/python, expected VBench's environment; build it first")
    return python


def build(folder: Path, say: Callable[[str], None]) -> None:
    """Make the environment, or finish one that was begun; `say` is told each step. An environment that is up to date
    stays as it is. Builds of one folder at the same time wait for each other.

    Raises:
        ValueError: a step failed (with the end of its output), or the finished environment does not work.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "build.lock"):
        if _is_ready(folder):
            say(f"{folder} is up to date")
            return
        if not _has_pip(folder):
            say(f"making {folder}")
            _checked("making the environment", [sys.executable, "-m", "venv", "--clear", str(folder)])
        for name, packages in _STEPS:
            say(f"installing {name}: {' '.join(packages)}")
            _checked(
                f"installing {name}", [str(python_of(folder)), _ALONE, "-m", "pip", "install", "--quiet", *packages]
            )
        say("checking the environment")
        if problems := check(folder):
            raise ValueError(f"environment {folder}: {'; '.join(problems)}; remove the folder and build it again")
        (folder / _READY).write_text(_recipe(), encoding="utf-8")


def check(folder: Path) -> list[str]:
    """What keeps the environment from scoring, a sentence each: no interpreter, wrong versions, failing imports."""
    try:
        python = python_of(folder)
    except ValueError as error:
        return [str(error)]
    pins = [package for _, packages in _STEPS for package in packages if "==" in package]
    done = subprocess.run([python, _ALONE, _RUNNER, "check", *pins], capture_output=True, text=True)
    if done.returncode:
        return [f"its check failed: {_end_of(done.stderr)}"]
    problems: list[str] = json.loads(done.stdout.splitlines()[-1])
    return problems


def run(
    folder: Path,
    videos: Sequence[Path],
    dimensions: Sequence[str],
    cache_dir: Path,
    torch_home: Path,
    out: Path,
    device: str = "cpu",
    native: bool = False,
    curve: bool = True,
) -> dict[str, dict[str, float]]:
    """Score `videos` (.mp4) in `dimensions` by the environment in `folder`: {video's path: {dimension: value}}.

    `cache_dir` and `torch_home` hold the weights, as VBENCH_CACHE_DIR and TORCH_HOME would name them. Writes `OFFICIAL_RESULTS`
    in `out`: of every dimension VBench's overall value, each video's, in their order, on 0..1 (VBench lists imaging quality
    on 0..100), its frames' statistics (dynamic degree and motion smoothness), seconds in all and of the scoring alone,
    peak memory in bytes, and versions; and a log a dimension.
    With `native` the harness's own dimensions run there in VBench's place, so that both can be compared under one torch;
    without `curve` its dynamic degree stops as soon as the answer stands.

    Raises:
        ValueError: no environment, an unknown dimension, a missing video or weight file, or a run that failed.
    """
    python = python_of(folder)
    _check_videos(videos)
    links = {name: weights_of(name, cache_dir, torch_home) for name in dimensions}
    out.mkdir(parents=True, exist_ok=True)
    results = {}
    for name in dimensions:
        with tempfile.TemporaryDirectory(prefix="vbench-") as work:
            cache = Path(work, "cache")
            for link, target in links[name].items():
                _link(cache / link, target)
            for index, video in enumerate(videos):
                _link(Path(work, "videos", f"{index:05}.mp4"), video)
            settings = {"VBENCH_CACHE_DIR": str(cache), "TORCH_HOME": str(torch_home.resolve()), "HF_HUB_OFFLINE": "1"}
            if native:
                settings["PYTHONPATH"] = str(_CHECKOUT)
            mode = ("native" if curve else "early") if native else "official"
            isolation = _WITH_PYTHONPATH if native else _ALONE
            command = [str(python), isolation, str(_RUNNER), mode, name, work, device]
            _logged(f"VBench's {name}", command, settings, out / f"{name}.log")
            results[name] = _read_result(Path(work), videos)
    write_whole(out / OFFICIAL_RESULTS, json.dumps(results, indent=1).encode())
    return {str(video): {name: results[name]["videos"][str(video)]["value"] for name in dimensions} for video in videos}


def _check_videos(videos: Sequence[Path]) -> None:
    wrong = [str(video) for video in videos if video.suffix.lower() != ".mp4" or not video.is_file()]
    if wrong or not videos:
        raise ValueError(f"videos: received {', '.join(wrong) or 'none'}, expected existing .mp4 files")


def weights_of(name: str, cache_dir: Path, torch_home: Path) -> dict[str, Path]:
    """The dimension's files by their paths below the cache that VBench is shown. All are there, so that it has
    nothing to download."""
    if name not in _CACHE_FILES:
        raise ValueError(f"dimension: received {name!r}, expected one of {', '.join(DIMENSIONS)}")
    files = {path: cache_dir / path for path in _CACHE_FILES[name]}
    if name == "subject_consistency":
        files[_DINO_NEVER_READ] = torch_home / _DINO_WEIGHTS
    missing = [str(file) for file in files.values() if not file.exists()]
    if missing:
        raise ValueError(f"weights of {name}: received no {', '.join(missing)}, expected them there")
    return files


def _link(link: Path, target: Path) -> None:
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(target.resolve())


def _read_result(work: Path, videos: Sequence[Path]) -> dict[str, Any]:
    result: dict[str, Any] = json.loads((work / "result.json").read_text(encoding="utf-8"))
    result["videos"] = {str(video): result["videos"][f"{index:05}"] for index, video in enumerate(videos)}
    return result


def _recipe() -> str:
    return json.dumps({"python": f"{sys.version_info[0]}.{sys.version_info[1]}", "steps": _STEPS})


def _is_ready(folder: Path) -> bool:
    ready = folder / _READY
    return ready.is_file() and ready.read_text(encoding="utf-8") == _recipe() and not check(folder)


def _has_pip(folder: Path) -> bool:
    python = folder / "bin" / "python"
    return (
        python.is_file()
        and not subprocess.run([python, _ALONE, "-m", "pip", "--version"], capture_output=True).returncode
    )


def _checked(what: str, command: list[str]) -> None:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise ValueError(f"{what}: exit status {done.returncode} from {' '.join(command)}: {_end_of(done.stdout)}")


def _logged(what: str, command: list[str], settings: dict[str, str], log: Path) -> None:
    with log.open("w", encoding="utf-8") as stream:
        done = subprocess.run(command, stdout=stream, stderr=subprocess.STDOUT, env={**os.environ, **settings})
    if done.returncode:
        end = _end_of(log.read_text(encoding="utf-8", errors="replace"))
        raise ValueError(f"{what}: exit status {done.returncode}, expected scores; the log {log} ends with: {end}")


def _end_of(text: str) -> str:
    return "\n".join(text.strip().splitlines()[-_SHOWN_LINES:])
