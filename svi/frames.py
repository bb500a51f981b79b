"""Types that many rooms share: a clip's pixels, and how far a task is."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Progress = Callable[[int, int], None]
"""Is told how many are done, and of how many."""
Frames = NDArray[np.uint8]
"""RGB, 0 to 255: a clip [F, H, W, 3], or one frame [H, W, 3]."""
