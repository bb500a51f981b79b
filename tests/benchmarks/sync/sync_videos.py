"""Small mp4 videos with sound, and seeded random weights of both networks, for the tests of Sync-C and Sync-D."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import torch

from benchmarks.arrays import UInt8
from benchmarks.sync.files import S3FD_WEIGHTS, SYNCNET_WEIGHTS
from benchmarks.sync.s3fd import S3fd
from benchmarks.sync.syncnet import SyncNet
from tests.benchmarks.vbench.vbench_videos import moving_frames

RATE = 16_000


def hum(seconds: float, rate: int = RATE) -> np.ndarray:
    """A tone that rises and swells, int16 [S]."""
    time = np.arange(round(seconds * rate)) / rate
    return np.round(9000 * np.sin(2 * np.pi * (200 + 90 * time) * time) * (1 + np.sin(11 * time)) / 2).astype(np.int16)


def write_talking(
    path: Path, frames: UInt8, fps: Fraction | int = 25, sound: np.ndarray | None = None, index_first: bool = False
) -> Path:
    """An H.264 mp4 with the `sound`, int16 mono at 16 kHz, as AAC; `index_first` puts the index before the frames."""
    with av.open(str(path), "w", options={"movflags": "faststart"} if index_first else {}) as container:
        video = container.add_stream("libx264", rate=Fraction(fps), options={"crf": "12", "threads": "1"})
        video.height, video.width, video.pix_fmt = frames.shape[1], frames.shape[2], "yuv420p"
        voice = container.add_stream("aac", rate=RATE, layout="mono") if sound is not None else None
        for image in frames:
            container.mux(video.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(video.encode())
        if sound is not None:
            for start in range(0, len(sound), 1024):
                part = av.AudioFrame.from_ndarray(sound[None, start : start + 1024], format="s16", layout="mono")
                part.sample_rate, part.pts, part.time_base = RATE, start, Fraction(1, RATE)
                container.mux(voice.encode(part))
            container.mux(voice.encode())
    return path


def write_wav(path: Path, sound: np.ndarray, rate: int = RATE) -> Path:
    """`sound`, int16 [S] or, of several channels, [S, C], as a wav."""
    sound = sound.reshape(len(sound), -1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=rate, layout={1: "mono", 2: "stereo"}[sound.shape[1]])
        frame = av.AudioFrame.from_ndarray(sound.reshape(1, -1), format="s16", layout=stream.layout.name)
        frame.sample_rate = rate
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def face_frames(count: int, height: int = 128, width: int = 160, seed: int = 0) -> UInt8:
    """A texture that moves, without the noise and the cut of `moving_frames`, RGB [F, H, W, 3]."""
    return moving_frames(2 * count + 1, height, width, seed)[:count]


def write_weights(folder: Path) -> Path:
    """Both files below `folder`, as HARNESS_WEIGHTS would name it; SyncNet's without counters, as it is published."""
    for file, model in ((S3FD_WEIGHTS, S3fd), (SYNCNET_WEIGHTS, SyncNet)):
        with torch.random.fork_rng([]):
            torch.manual_seed(1)
            network = model()
        tensors = {name: value for name, value in network.state_dict().items() if "num_batches" not in name}
        path = folder / file.path_under / file.name
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(tensors, path)
    return folder
