"""The features of a video's clips in one pass: its frames are decoded once, and only those of unfinished windows are held."""

from collections import deque
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks.arrays import Floats
from benchmarks.films.video_file import VideoFile
from benchmarks.fvd.extractor import Extractor
from benchmarks.fvd.i3d import CLASSES
from benchmarks.fvd.windows import check_starts, span

_BLOCK_FRAMES = 16


def clip_features(video: Path, starts: Sequence[int], extractor: Extractor, stride: int = 1) -> Floats:
    """I3D's logits [n, 400] of the n windows that start at the frames `starts`, in their order; they may overlap.

    Memory grows with a window's span, not with the video; what lies behind the last window is not decoded.

    Raises:
        ValueError: a video that cannot be read, or does not hold every window.
    """
    file = VideoFile.open(video)
    try:
        check_starts(file.frames, starts, stride)
    except ValueError as error:
        raise ValueError(f"{video}: {error}") from error
    features = np.empty((len(starts), CLASSES))
    waiting = deque(sorted(range(len(starts)), key=lambda window: starts[window]))
    used = {frame for start in starts for frame in range(start, start + span(stride), stride)}
    held: dict[int, Tensor] = {}
    decoded = 0
    for block in file.blocks(_BLOCK_FRAMES):
        wanted = [row for row in range(len(block)) if decoded + row in used]
        if wanted:
            held |= zip((decoded + row for row in wanted), extractor.images(block[wanted]), strict=True)
        decoded += len(block)
        while waiting and starts[waiting[0]] + span(stride) <= decoded:
            window = waiting.popleft()
            frames = range(starts[window], starts[window] + span(stride), stride)
            features[window] = extractor.logits(torch.stack([held[frame] for frame in frames], dim=1)[None])[0]
            if not waiting:
                return features
            held = {frame: image for frame, image in held.items() if frame >= starts[waiting[0]]}
    return features
