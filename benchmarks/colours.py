"""How different two colours look: the distance in CIELAB of 1976, of which 2.3 is just visible.

sRGB after IEC 61966-2-1, white D65. The threshold is of Mahy, Van Eycken and Oosterlinck, "Evaluation of uniform color spaces
developed after the adoption of CIELAB and CIELUV", Color Research and Application 19 (1994).
"""

import numpy as np

from benchmarks.arrays import Array, Floats

JUST_VISIBLE = 2.3
_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
_WHITE = _TO_XYZ.sum(axis=1)
_LINEAR = 6 / 29  # below its cube the cube root gives way to a line


def difference(one: Array, other: Array) -> Floats:
    """Distance of each pixel's colours in CIELAB, of uint8 frames [..., 3]. [...]"""
    return np.asarray(np.linalg.norm(lab(one / 255) - lab(other / 255), axis=-1))


def lab(colours: Array) -> Floats:
    """sRGB on 0..1 [..., 3] -> L, a, b [..., 3]."""
    coded = colours.astype(np.float64)
    light = np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4)
    share = light @ _TO_XYZ.T / _WHITE
    root = np.where(share > _LINEAR**3, np.cbrt(share), share / (3 * _LINEAR**2) + 4 / 29)
    x, y, z = np.moveaxis(root, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)
