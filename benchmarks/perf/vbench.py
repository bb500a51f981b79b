"""python -m benchmarks.perf.vbench: the six dimensions beside official VBench in one environment: seconds and memory.

Needs VBench's environment (`benchmarks.vbench.official.build`) and the weights where scoring reads them. Random weights
of the published architectures cost as much: `python -m tests.benchmarks.vbench.vbench_random_weights FOLDER` writes them.
"""

import json
import tempfile
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import click
import numpy as np
import numpy.typing as npt

from benchmarks.artifacts import OFFICIAL_RESULTS
from benchmarks.vbench import official
from benchmarks.weights import torch_home, vbench_cache

FPS = 16
PIXELS_A_FRAME = 6  # the texture's speed
_MIB = 2**20
Measurement = dict[str, Any]

DIMENSION = click.option(
    "--dimension", "dimensions", type=click.Choice(official.DIMENSIONS), multiple=True, default=official.DIMENSIONS,
    help="only this one; may be repeated",
)  # fmt: skip
JSON = click.option(
    "--json", "file", type=click.Path(path_type=Path, dir_okay=False), help="write the figures here too"
)


@click.group()
def main() -> None:
    """VBench's dimensions beside the official package, on a CPU, each in a process of its own."""


@main.command()
@DIMENSION
@click.option("--frames", type=click.IntRange(3, 100_000), default=81, show_default=True)
@click.option("--height", type=click.IntRange(121, 8192), default=480, show_default=True)
@click.option("--width", type=click.IntRange(121, 8192), default=832, show_default=True)
@JSON
def speed(dimensions: Sequence[str], frames: int, height: int, width: int, file: Path | None) -> None:
    """Seconds to score one moving video, official and native in turn, the loading of models apart.

    Native dynamic degree stops as soon as its answer stands, and is run once more over every pair, as for a curve. Both
    follow OMP_NUM_THREADS.
    """
    rows: list[Measurement] = []
    with tempfile.TemporaryDirectory() as folder:
        video = write_moving_video(Path(folder, "moving.mp4"), frames, height, width)
        for name in dimensions:
            theirs, ours = _run(name, video, native=False), _run(name, video, native=True, curve=False)
            rows.append({"dimension": name, "official": theirs, "native": ours})
            click.echo(f"{_speed_line(name, theirs, ours)}   scores {theirs['value']:.7f} {ours['value']:.7f}")
            if name == "dynamic_degree":
                rows[-1]["native with every pair"] = whole = _run(name, video, native=True)
                click.echo(_speed_line("  with every pair", theirs, whole))
    sums = [{key: sum(row[who][key] for row in rows) for key in _TIMES} for who in ("official", "native")]
    click.echo(_speed_line("total", *sums))
    click.echo("with imports and models: {:.1f} s and {:.1f} s".format(*(side["seconds"] for side in sums)))
    _write(file, rows)


@main.command()
@DIMENSION
@click.option("--frames", type=click.IntRange(3, 100_000), multiple=True, default=(100, 400), show_default=True)
@click.option("--height", type=click.IntRange(121, 8192), default=240, show_default=True)
@click.option("--width", type=click.IntRange(121, 8192), default=416, show_default=True)
@click.option("--native-only", is_flag=True, help="leave official VBench out")
@JSON
def memory(
    dimensions: Sequence[str], frames: Sequence[int], height: int, width: int, native_only: bool, file: Path | None
) -> None:
    """Peak memory of the process that scores a video, for short and long ones of the same size."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for count in frames:
            write_moving_video(Path(folder, f"{count}.mp4"), count, height, width)
        for name in dimensions:
            for native in (True,) if native_only else (False, True):
                runs = [_run(name, Path(folder, f"{count}.mp4"), native) for count in frames]
                peaks = {count: run["peak_bytes"] for count, run in zip(frames, runs, strict=True)}
                rows.append({"dimension": name, "native": native, "peak_bytes": peaks})
                figures = "".join(f"{peak / _MIB:10,.0f} MiB" for peak in peaks.values())
                click.echo(f"{name:24}{'native' if native else 'official':10}{figures}")
    _write(file, rows)


_TIMES = ("scoring_seconds", "scoring_cpu_seconds", "seconds")


def _run(name: str, video: Path, native: bool, curve: bool = True) -> Measurement:
    """One dimension over one video in a process of its own: what `official.run` records of it."""
    with tempfile.TemporaryDirectory() as out:
        official.run(
            official.default_folder(), [video], [name], vbench_cache(), torch_home(), Path(out), native=native,
            curve=curve,
        )  # fmt: skip
        record: Measurement = json.loads(Path(out, OFFICIAL_RESULTS).read_text(encoding="utf-8"))[name]
    return {**record, "value": record["videos"][str(video)]["value"]}


def _speed_line(name: str, theirs: Measurement, ours: Measurement) -> str:
    wall, processor = (theirs[key] / ours[key] for key in _TIMES[:2])
    return (
        f"{name:24}{theirs['scoring_seconds']:8.1f} s{ours['scoring_seconds']:8.1f} s   "
        f"{wall:.2f} x by the clock, {processor:.2f} x by the processor's"
    )


def write_moving_video(path: Path, frames: int, height: int, width: int) -> Path:
    """An untagged H.264 video of a smooth texture that slides; frames are encoded as they are made."""
    with av.open(str(path), "w") as container:
        options = {"crf": "18", "preset": "veryfast", "threads": "1"}
        stream = container.add_stream("libx264", rate=Fraction(FPS), options=options)
        stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
        for image in _moving(frames, height, width):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return path


def _moving(frames: int, height: int, width: int) -> Iterator[npt.NDArray[np.uint8]]:
    """Waves of random direction in each channel, sliding to the right and around the frame."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:height, :width]
    texture = np.zeros((height, width, 3))
    for turns in range(1, 13):
        phases, rows = rng.uniform(0, 2 * np.pi, 3), rng.uniform(-0.3, 0.3, 3)
        texture += np.sin(2 * np.pi * turns * x[..., None] / width + rows * y[..., None] + phases) / turns**0.5
    scaled = (texture - texture.min()) / (texture.max() - texture.min())
    image = np.rint(255 * scaled).astype(np.uint8)
    for t in range(frames):
        yield np.ascontiguousarray(np.roll(image, PIXELS_A_FRAME * t, axis=1))


def _write(file: Path | None, rows: list[Measurement]) -> None:
    if file is not None:
        file.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
