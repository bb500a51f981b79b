"""Nearest neighbours by short random sketches: sketches say which few entries can be the nearest, exact distances which one is.

A sketch is a signed fold (count sketch, Charikar et al. 2002): every value gets a random sign, and values D apart are
summed. The cosine of two sketches estimates that of the vectors, with a standard error of (1 - cos^2) / sqrt(D); with the
exact norms it gives the distance.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

SEED = 20251009
MARGIN = 3.5  # standard errors that an estimate is trusted to: the nearest is missed in fewer than 1 of 1000 searches
FLOOR = 0.01  # of 1 - cos^2 in the standard error: an int8 sketch resolves no finer
CHUNK = 1 << 17  # values at once, so that every pass but the first finds them in the processor's cache
ROWS = 8  # sketches at once, for the same reason


class Sketch(NamedTuple):
    """Sketch of a vector: int8 numbers [D], the factor that makes them a unit vector, and the vector's squared norm."""

    numbers: Tensor
    scale: float
    norm: float


NO_SKETCH = Sketch(torch.empty(0, dtype=torch.int8), 0.0, 0.0)


class Sketcher:
    """Makes sketches of float32 vectors of one length, and compares them."""

    def __init__(self, values: int, size: int) -> None:
        """Sketches of `size` numbers for vectors of `values` numbers."""
        generator = torch.Generator().manual_seed(SEED)
        self.size = size
        self.signs = torch.randint(2, (values,), generator=generator, dtype=torch.int8).mul_(2).sub_(1).float()
        self._narrow, self._wide = torch.empty(ROWS, size, dtype=torch.int8), torch.empty(ROWS, size)

    @property
    def bytes(self) -> int:
        """Memory it holds."""
        return self.signs.nbytes + self._narrow.nbytes + self._wide.nbytes

    def sketch(self, x: Tensor) -> Sketch:
        folded = torch.zeros(self.size)
        for part, signs in zip(torch.split(x, self.size), torch.split(self.signs, self.size), strict=True):
            folded[: len(part)].addcmul_(part, signs)
        largest = float(folded.abs().max())
        numbers = folded.mul_(127 / largest if largest else 0).round_()
        length = float(numbers.norm())
        return Sketch(numbers.to(torch.int8), 1 / length if length else 0.0, float(x.dot(x)))

    def at_least(self, sketch: Sketch, sketches: Tensor, rows: Tensor, scales: Tensor, norms: Tensor) -> Tensor:
        """Squared distances that those of the vectors in `rows` [n] of `sketches` int8 [R, D] all but certainly reach. [n]"""
        cosine = (self._products(sketch, sketches, rows) * scales * sketch.scale).clamp(-1, 1)
        error = (1 - cosine.square()).clamp_min(FLOOR) / math.sqrt(self.size)
        return norms + sketch.norm - 2 * (norms * sketch.norm).sqrt() * (cosine + MARGIN * error)

    def _products(self, sketch: Sketch, sketches: Tensor, rows: Tensor) -> Tensor:
        wide, products = sketch.numbers.float(), torch.empty(len(rows))
        for some, out in zip(torch.split(rows, ROWS), torch.split(products, ROWS), strict=True):
            narrow = torch.index_select(sketches, 0, some, out=self._narrow[: len(some)])
            torch.mv(self._wide[: len(some)].copy_(narrow), wide, out=out)
        return products


def squared_distance(x: Tensor, stored: Tensor) -> float:
    """Exact squared L2 distance of a float32 vector to a stored one of any dtype, in float32 blocks."""
    total, room = 0.0, torch.empty(min(CHUNK, len(x)))
    for a, b in zip(torch.split(x, CHUNK), torch.split(stored, CHUNK), strict=True):
        difference = torch.sub(a, b, out=room[: len(a)])
        total += float(difference.dot(difference))
    return total
