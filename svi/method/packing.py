"""A long past in few frames: the older, the smaller (FramePack, arXiv 2504.12626)."""

import torch
from torch import Tensor
from torch.nn import functional as F

SCALES = (4, 2)
PAST = sum(scale**2 for scale in SCALES)
"""Latent frames that are packed; the one behind them is kept as it is."""
PACKED = len(SCALES)
"""Frames that they are packed into."""


def packed(past: Tensor) -> Tensor:
    """The last 20 latent frames of these, oldest first, in two: 16 at a quarter of the side, then 4 at half, side by side.

    [B, C, n, h, w] -> [B, C, 2, h, w], each picture in rows from its oldest frame; zeros where there is no past. The mean of
    each square of latents stands for it; what is left over of a side is cut, and zeros on the right and below. Raises ValueError
    for sides below 4.
    """
    batch, channels, frames, height, width = past.shape
    if min(height, width) < SCALES[0]:
        raise ValueError(
            f"latents of {height} x {width}: a packed past shows frames at a quarter of the side, and none is left; set "
            "data.height and data.width larger"
        )
    past = F.pad(past, (0, 0, 0, 0, max(0, PAST - frames), 0))[:, :, -PAST:]
    pictures = []
    for scale, part in zip(SCALES, torch.split(past, [scale**2 for scale in SCALES], dim=2), strict=True):
        small = F.avg_pool3d(part, (1, scale, scale))
        rows, columns = small.shape[3:]
        tiles = small.reshape(batch, channels, scale, scale, rows, columns).transpose(3, 4)
        picture = tiles.reshape(batch, channels, scale * rows, scale * columns)
        pictures.append(F.pad(picture, (0, width - scale * columns, 0, height - scale * rows)))
    return torch.stack(pictures, dim=2)
