"""One pass over a video: its frames are decoded once, and every dimension is fed the same blocks."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.films.video_file import VideoFile
from benchmarks.vbench.dimension import Dimension, DimensionScore, VideoInfo

BLOCK_FRAMES = 16


def score_video(path: Path, dimensions: Sequence[Dimension], block: int = BLOCK_FRAMES) -> dict[str, DimensionScore]:
    """The score of each dimension by its name; memory grows with `block`, not with the video.

    Raises:
        ValueError: a video that cannot be read whole, or dimensions of one name.
    """
    names = [dimension.name for dimension in dimensions]
    if len(set(names)) != len(names):
        raise ValueError(f"dimensions: received {names}, expected each once")
    video = VideoFile.open(path)
    info = VideoInfo(path.name, video.fps, video.frames, video.height, video.width)
    for dimension in dimensions:
        dimension.begin(info)
    for frames in video.blocks(block):
        for dimension in dimensions:
            dimension.feed(frames)
    return {dimension.name: dimension.end() for dimension in dimensions}
