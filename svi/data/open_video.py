"""One video file, open: its frames at a rate and of a size."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

from svi.data.picture import kept
from svi.frames import Frames
from svi.settings import DataSettings

DECODED_AT_ONCE = 32  # frames of the source's size in memory
KEPT_BYTES = 2**28  # of resized frames of the open file, so that neighbouring clips decode their common frames once


class OpenVideo:
    """One open file: its frames at the settings' fps, cropped and resized."""

    def __init__(self, file: Path, settings: DataSettings) -> None:
        """Reads the header. Raises ValueError if the file holds no readable video."""
        import decord

        self.file, self.settings = file, settings
        self._kept: dict[int, Frames] = {}
        with _decoding():
            self._reader = decord.VideoReader(str(file), num_threads=1)
            self._fps = float(self._reader.get_avg_fps())
        if len(self._reader) == 0 or not self._fps > 0:
            raise ValueError("it holds no frames")

    def __len__(self) -> int:
        """Frames at the settings' fps."""
        return max(int(len(self._reader) * self.settings.fps / self._fps), 1)

    def frames(self, picks: Sequence[int]) -> Frames:
        """[len(picks), H, W, 3]; raises ValueError if one cannot be decoded."""
        missing = sorted(set(picks) - self._kept.keys())
        s = self.settings
        if (len(self._kept) + len(missing)) * s.height * s.width * 3 > KEPT_BYTES:
            self._kept = {p: self._kept[p] for p in picks if p in self._kept}
        sources = np.minimum(
            np.round(np.array(missing) * self._fps / s.fps).astype(int), len(self._reader) - 1
        ).tolist()
        for at in range(0, len(missing), DECODED_AT_ONCE):
            some = slice(at, at + DECODED_AT_ONCE)
            with _decoding():
                decoded = self._reader.get_batch(sources[some]).asnumpy()
            self._kept.update(zip(missing[some], fit_frames(decoded, s.height, s.width), strict=True))
        return np.stack([self._kept[p] for p in picks])


@contextmanager
def _decoding() -> Iterator[None]:
    """decord's errors become ValueError."""
    import decord

    try:
        yield
    except (decord.DECORDError, RuntimeError, IndexError, ZeroDivisionError, OSError) as error:
        raise ValueError("it cannot be decoded, or has no video stream") from error


def padded_frames(frames: Frames, height: int, width: int) -> Frames:
    """As large as they go without a cut, in the middle of black. [F, h, w, 3] -> [F, height, width, 3]"""
    rows, columns = kept(height, width, frames.shape[1], frames.shape[2])
    found = np.zeros((len(frames), height, width, 3), np.uint8)
    found[:, rows, columns] = fit_frames(frames, rows.stop - rows.start, columns.stop - columns.start)
    return found


def fit_frames(frames: Frames, height: int, width: int) -> Frames:
    """Centre crop to the aspect of height x width, then resize with antialiasing. [F, h, w, 3] -> [F, height, width, 3]"""
    rows, columns = kept(frames.shape[1], frames.shape[2], height, width)
    x = torch.from_numpy(frames[:, rows, columns].copy()).permute(0, 3, 1, 2).float()
    x = torch.nn.functional.interpolate(x, (height, width), mode="bilinear", antialias=True)
    return x.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()
