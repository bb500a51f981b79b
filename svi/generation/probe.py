"""The probe: a film's first frame from a clean and from a perturbed image with the same noise, for gain and eps."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from svi.generation.generator import Generator
from svi.generation.loop import Films, Probed
from svi.generation.reel import Script, groups
from svi.method.draws import keyed


def probe(maker: Generator, scripts: Sequence[Script]) -> dict[str, np.ndarray]:
    """First latent frames [S, C, h, w]: condition, perturbation, output_clean, output_perturbed.

    The condition is NaN where the loop's first frame is a new one, and so is the eps then. Those of several sizes lie in the top
    left corner of arrays as large as the largest, NaN elsewhere, and `sizes` [S, 2] says each one's h and w. Raises ValueError
    for a loop that cannot be probed.
    """
    loop = maker.loop
    if not isinstance(loop, Probed):
        raise ValueError(
            f"a gain is measured on a loop with a method `first` (svi.generation.loop.Probed), which {type(loop).__name__} has not"
        )
    maker.encode([script.prompts[0] for script in scripts])
    parts = [
        (rows, _probe(maker, loop, [scripts[row] for row in rows])) for rows in groups(scripts, maker.settings.together)
    ]
    return joined(parts)


def _probe(maker: Generator, loop: Probed, scripts: Sequence[Script]) -> dict[str, np.ndarray]:
    """Of the first clip, so that what is perturbed is what films are made from."""
    films, shape = maker.films_of(scripts), maker.backbone.latent_shape
    generators = [keyed("probe", s.name, maker.settings.seed) for s in scripts]
    one = (shape[0], *shape[2:])
    error = torch.stack([torch.randn(one, generator=g) for g in generators]) * maker.settings.probe_sigma
    noisy = _Noisy(films, torch.stack([torch.randn(shape, generator=g) for g in generators]))
    clean, perturbed = loop.first(noisy, torch.zeros_like(error)), loop.first(noisy, error)
    given = torch.full_like(error, torch.nan) if clean.given is None else clean.given
    return {
        "condition": given.numpy(),
        "perturbation": error.numpy(),
        "output_clean": clean.made.numpy(),
        "output_perturbed": perturbed.made.numpy(),
    }


class _Noisy:
    """Films whose first clip begins from this noise (protocol: svi.generation.loop.Films)."""

    def __init__(self, films: Films, noise: Tensor) -> None:
        self.images, self.clips, self.negative, self.text = films.images, films.clips, films.negative, films.text
        self.signals, self._films, self._noise = films.signals, films, noise

    def noise(self, clip: int) -> Tensor:
        return self._films.noise(clip) if clip else self._noise


def joined(parts: Sequence[tuple[Sequence[int], Mapping[str, np.ndarray]]]) -> dict[str, np.ndarray]:
    """Arrays [S, C, h, w] from those of groups and their rows; of several sizes: padded with NaN, and with `sizes` [S, 2]."""
    sizes = np.empty((sum(len(rows) for rows, _ in parts), 2), np.int64)
    for rows, part in parts:
        sizes[list(rows)] = next(iter(part.values())).shape[2:]
    whole = {}
    for name, first in parts[0][1].items():
        whole[name] = np.full((len(sizes), first.shape[1], *sizes.max(axis=0)), np.nan, first.dtype)
        for rows, part in parts:
            _, _, height, width = part[name].shape
            whole[name][list(rows), :, :height, :width] = part[name]
    return {**whole, "sizes": sizes} if len(np.unique(sizes, axis=0)) > 1 else whole
