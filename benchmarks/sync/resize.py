"""Resizing of uint8 images as OpenCV's `cv2.resize` does it (bilinear), in integers and equal to it bit by bit.

The published pipeline resizes with OpenCV before each of its networks. Its arithmetic is small enough to stand here:
weights in 1/2048, rows then columns, two shifts that cut off. Seen equal to opencv-python-headless 5.0.0 on 400 random
sizes; a library of 60 MB would bring nothing else. torch and Pillow round otherwise, by up to one level.
"""

import numpy as np

from benchmarks.arrays import Int32, UInt8

_ONE = 2048


def resize(image: UInt8, height: int, width: int) -> UInt8:
    """[H, W, C] -> [height, width, C]; without antialiasing, so a large reduction samples."""
    above, below, above_share, below_share = _taps(image.shape[0], height)
    left, right, left_share, right_share = _taps(image.shape[1], width, cut_weights=True)
    pixels = image.astype(np.int32)
    rows = pixels[:, left] * left_share[:, None] + pixels[:, right] * right_share[:, None] >> 4
    upper = above_share[:, None, None] * rows[above] >> 16
    lower = below_share[:, None, None] * rows[below] >> 16
    return np.asarray(upper + lower + 2 >> 2, dtype=np.uint8)


def quarter(image: UInt8) -> UInt8:
    """[H, W, C] -> [round(H / 4), round(W / 4), C], as `cv2.resize(image, (0, 0), fx=.25, fy=.25)`.

    Each pixel is the mean of the middle four of sixteen. Unlike `resize` to that size, every pixel steps by exactly 4,
    so that the last one may reach beyond the border, which then repeats.
    """
    height, width = image.shape[:2]
    rows = [np.minimum(4 * np.arange(round(height / 4)) + step, height - 1) for step in (1, 2)]
    columns = [np.minimum(4 * np.arange(round(width / 4)) + step, width - 1) for step in (1, 2)]
    pixels = image[np.concatenate(rows)].astype(np.int32)
    pixels = pixels[: len(rows[0])] + pixels[len(rows[0]) :]
    return np.asarray(pixels[:, columns[0]] + pixels[:, columns[1]] + 2 >> 2, dtype=np.uint8)


def _taps(length: int, to: int, cut_weights: bool = False) -> tuple[Int32, Int32, Int32, Int32]:
    """For each of `to` pixels: the two positions that are mixed, and the share of each in 1/2048.

    Beyond the border both positions are the same. OpenCV then gives the first all the weight along the width
    (`cut_weights`) but not along the height, which rounds otherwise.
    """
    centres = ((np.arange(to) + 0.5) * (1 / (to / length)) - 0.5).astype(np.float32)
    first = np.floor(centres).astype(np.int32)
    share = centres - first.astype(np.float32)
    if cut_weights:
        share[(first < 0) | (first >= length - 1)] = 0
    shares = [np.rint(part * np.float32(_ONE)).astype(np.int32) for part in (np.float32(1) - share, share)]
    return first.clip(0, length - 1), (first + 1).clip(0, length - 1), shares[0], shares[1]
