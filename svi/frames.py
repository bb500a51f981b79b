"""The type of a clip's pixels."""

import numpy as np
from numpy.typing import NDArray

Frames = NDArray[np.uint8]
"""RGB, 0 to 255: a clip [F, H, W, 3], or one frame [H, W, 3]."""
