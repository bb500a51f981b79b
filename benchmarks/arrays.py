"""The arrays that scorers speak of: their types, frames that are read as an array is, and the mean of what is defined."""

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
UInt8 = npt.NDArray[np.uint8]
Int16 = npt.NDArray[np.int16]
Int32 = npt.NDArray[np.int32]


class Frames(Protocol):
    """Frames uint8 [F, H, W, 3] that are read in slices: an array, or a video that is decoded as it is read."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def dtype(self) -> np.dtype[Any]: ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: slice, /) -> Array: ...


def known_mean(values: Floats) -> Floats:
    """[N, K] -> [N]: the mean of each row's defined values; NaN for a row without one."""
    known = ~np.isnan(values)
    total, count = np.where(known, values, 0.0).sum(axis=1), known.sum(axis=1)
    means: Floats = np.divide(total, count, out=np.full(len(values), np.nan), where=count > 0)
    return means
