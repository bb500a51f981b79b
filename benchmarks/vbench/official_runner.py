"""Runs inside VBench's environment: one dimension over the videos of a folder, by VBench's own code or by the harness's.

    official_runner.py official|native|early DIMENSION WORK DEVICE   reads WORK/videos/*.mp4, writes WORK/result.json
    official_runner.py check PACKAGE==VERSION...                     prints a JSON list of problems as its last line

"early" is "native" with a dynamic degree that stops as soon as its answer stands.
Written for that environment's packages; "official" and "check" import nothing of the harness.
"""

import functools
import importlib
import importlib.metadata
import json
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

_MODULES = (
    "subject_consistency", "background_consistency", "aesthetic_quality", "imaging_quality", "dynamic_degree",
    "motion_smoothness", "third_party.amt.networks.AMT-S",
)  # fmt: skip
# The function that goes over the videos, once the model is loaded; elsewhere it is called as its dimension is.
_LOOPS = {"aesthetic_quality": "laion_aesthetic", "imaging_quality": "technical_quality"}
# Of a video and of a frame: VBench's class and its methods that give the statistics which it does not report.
_STATISTICS = {
    "dynamic_degree": ("DynamicDegree", "infer", "get_score"),
    "motion_smoothness": ("MotionSmoothness", "motion_score", "get_diff"),
}
_PER_VIDEO_SCALE = {"imaging_quality": 100.0}  # VBench divides only its overall value by 100
_VERSIONS = ("vbench", "torch", "torchvision", "numpy", "opencv-python-headless", "decord", "pyiqa", "timm")


def main() -> None:
    mode, *arguments = sys.argv[1:]
    if mode == "check":
        print(json.dumps(problems(arguments)))
        return
    name, work, device = arguments
    modes: dict[str, Callable[[str, Path, str], dict[str, Any]]] = {
        "official": official, "native": native, "early": functools.partial(native, curve=False),
    }  # fmt: skip
    result = measured(lambda: modes[mode](name, Path(work), device), device)
    installed = {found.name: found.version for found in importlib.metadata.distributions()}
    result["versions"] = {package: installed[package] for package in _VERSIONS if package in installed}
    Path(work, "result.json").write_text(json.dumps(result), encoding="utf-8")


def problems(pins: list[str]) -> list[str]:
    """Packages of another version than pinned, and modules of the six dimensions that cannot be imported."""
    found = []
    for pin in pins:
        package, expected = pin.split("==")
        try:
            received = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            received = "none"
        if received.split("+")[0] != expected:
            found.append(f"{package}: received {received}, expected {expected}")
    for module in _MODULES:
        try:
            importlib.import_module(f"vbench.{module}")
        except Exception as error:  # whatever keeps a package from its import is what is to be told
            found.append(f"vbench.{module}: cannot be imported ({type(error).__name__}: {error})")
    return found


def measured(score: Callable[[], dict[str, Any]], device: str) -> dict[str, Any]:
    """What `score` gives, with all its seconds and the peak memory of the process and of the GPU in bytes."""
    import torch

    begin = time.perf_counter()
    result = score()
    result |= {"seconds": time.perf_counter() - begin, "peak_bytes": _resident_peak()}
    if device.startswith("cuda"):
        result["gpu_peak_bytes"] = torch.cuda.max_memory_allocated()
    return result


def official(name: str, work: Path, device: str) -> dict[str, Any]:
    """VBench's scores through its Python API."""
    import torch

    # The published AMT-S file holds its optimiser's numpy numbers, which VBench 0.1.5 does not expect torch to refuse.
    torch.serialization.add_safe_globals(numpy_scalars())
    statistics = recorded(name) if name in _STATISTICS else {}
    module, loop, clock = importlib.import_module(f"vbench.{name}"), _LOOPS.get(name, name), Clock()
    setattr(module, loop, clock.around(getattr(module, loop)))
    vbench = importlib.import_module("vbench")
    judge = vbench.VBench(torch.device(device), str(work / "none.json"), str(work))
    judge.evaluate(
        videos_path=str(work / "videos"), name="judge", dimension_list=[name], local=True, read_frame=False,
        mode="custom_input",
    )  # fmt: skip
    overall, videos = json.loads((work / "judge_eval_results.json").read_text(encoding="utf-8"))[name]
    scale = _PER_VIDEO_SCALE.get(name, 1.0)
    values = {Path(video["video_path"]).stem: video["video_results"] / scale for video in videos}
    return {
        "overall": float(overall),
        "videos": {stem: {"value": float(value), "frames": statistics.get(stem)} for stem, value in values.items()},
        **clock.seconds,
    }


class Clock:
    """Seconds of the scoring alone, without imports and the loading of models, by the wall and by the processor."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any, **named: Any) -> Any:
            wall, processor = time.perf_counter(), time.process_time()
            result = function(*arguments, **named)
            self.seconds["scoring_seconds"] = time.perf_counter() - wall
            self.seconds["scoring_cpu_seconds"] = time.process_time() - processor
            return result

        return timed


def recorded(name: str) -> dict[str, list[float]]:
    """Have VBench's class note what it finds of each frame; the dictionary fills, by video, as it runs."""
    class_name, per_video, per_frame = _STATISTICS[name]
    owner = getattr(importlib.import_module(f"vbench.{name}"), class_name)
    of_video, of_frame = getattr(owner, per_video), getattr(owner, per_frame)
    found: dict[str, list[float]] = {}

    def video(self: Any, path: str) -> Any:
        found[Path(path).stem] = []
        return of_video(self, path)

    def frame(self: Any, *images: Any) -> Any:
        value = of_frame(self, *images)
        next(reversed(found.values())).append(float(value))
        return value

    setattr(owner, per_video, video)
    setattr(owner, per_frame, frame)
    return found


def native(name: str, work: Path, device: str, curve: bool = True) -> dict[str, Any]:
    """The harness's own scores, under this environment's packages."""
    from benchmarks.vbench.dimensions import DIMENSIONS
    from benchmarks.vbench.stream import score_video

    kind: Any = next(one for one in DIMENSIONS if one.name == name)
    options = {"curve": curve} if name == "dynamic_degree" else {}
    dimension, clock = kind.load(device, **options), Clock()
    paths = sorted((work / "videos").iterdir())
    scores = clock.around(lambda: {path.stem: score_video(path, [dimension])[name] for path in paths})()
    return {
        "overall": sum(s.value * s.weight for s in scores.values()) / sum(s.weight for s in scores.values()),
        "videos": {
            stem: {"value": score.value, "frames": [None if math.isnan(x) else float(x) for x in score.frames]}
            for stem, score in scores.items()
        },
        **clock.seconds,
    }


def numpy_scalars() -> list[Any]:
    """What a numpy number in a torch file needs, under numpy's module names before and since version 2."""
    import numpy as np

    scalar = np.float64(0).__reduce__()[0]
    return [(scalar, "numpy.core.multiarray.scalar"), scalar, np.dtype, type(np.dtype(np.float64))]


def _resident_peak() -> int:
    """By Linux's count for this program; getrusage's begins with that of the process which started it."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return 1024 * int(line.split()[1])


if __name__ == "__main__":
    main()
