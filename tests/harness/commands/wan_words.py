"""A Wan of random weights, a few videos, and the settings with which a run on them takes seconds."""

import csv
from pathlib import Path

import av
import numpy as np

WORDS = (
    "data.height=32",
    "data.clip_frames=9",
    "data.hop=9",
    "data.fps=4",
    "data.dtype=float32",
    "backbone.dtype=float32",
    "backbone.text_tokens=16",
    "bank.capacity=4",
    "bank.dtype=float32",
    "injection.img_run=1",
    "train.dtype=float32",
    "train.epochs=1",
    "train.batch=2",
    "train.rank=4",
    "train.alpha=4",
    "generate.steps=2",
    "generate.samples=1",
    "generate.length=seconds",
)


def write_videos(root: Path) -> Path:
    """Two clips of moving noise in the authors' layout."""
    folder = root / "videos" / "Noise"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        picture = rng.integers(0, 255, (64, 96, 3), dtype=np.uint8)
        with av.open(str(folder / f"{name}.mp4"), "w") as container:
            stream = container.add_stream("libx264", rate=8, options={"threads": "1"})
            stream.height, stream.width, stream.pix_fmt = 64, 96, "yuv420p"
            for shift in range(80):
                frame = np.roll(picture, shift, axis=1)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
            container.mux(stream.encode())
    with (folder / "Noise.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["Video Title", "Video Description", "Video URL", "Download URL", "Filename"])
        rows.writerow(["a", "noise that moves", "", "", "a.mp4"])
    return folder.parent
