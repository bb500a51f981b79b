"""The probe: one clip from a clean and from a perturbed condition with the same noise, which gain and eps are measured on."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from svi.generation.clips import ClipLoop
from svi.generation.denoiser import Given
from svi.generation.generator import Generator
from svi.generation.reel import Script, groups
from svi.method.draws import keyed


def probe(maker: Generator, scripts: Sequence[Script]) -> dict[str, np.ndarray]:
    """First latent frames [S, C, h, w]: condition, perturbation, output_clean, output_perturbed.

    Those of several sizes lie in the top left corner of arrays as large as the largest, NaN elsewhere, and `sizes` [S, 2] says
    each one's h and w. Raises ValueError for a generator whose clips have no condition to perturb.
    """
    loop = maker.loop
    if not isinstance(loop, ClipLoop):
        raise ValueError(f"a probe perturbs the condition of a clip; received the loop {type(loop).__name__}")
    maker.encode([script.prompts[0] for script in scripts])
    parts = [
        (rows, _probe(maker, loop, [scripts[row] for row in rows])) for rows in groups(scripts, maker.settings.together)
    ]
    return joined(parts)


def _probe(maker: Generator, loop: ClipLoop, scripts: Sequence[Script]) -> dict[str, np.ndarray]:
    """Of the first clip's own condition, so that what is perturbed is what films are made from."""
    films, shape = maker.films_of(scripts), maker.backbone.latent_shape
    condition = loop.first_condition(films.images)
    clean = condition["latents"][:, -shape[0] :, 0]
    generators = [keyed("probe", s.name, maker.settings.seed) for s in scripts]
    noise = torch.stack([torch.randn(clean.shape[1:], generator=g) for g in generators]) * maker.settings.probe_sigma
    x = torch.stack([torch.randn(shape, generator=g) for g in generators])
    perturbed = {**condition, "latents": condition["latents"].clone()}
    # As an error of the frame that is handed on: where that frame is repeated, its error is too.
    reached = slice(None) if loop.condition.padding == "repeat" else slice(1)
    perturbed["latents"][:, -shape[0] :, reached] += noise[:, :, None]
    text, negative = films.text(0), films.negative
    outputs = [maker.denoiser.clip(Given(c, text, negative), x)[:, :, 0].numpy() for c in (condition, perturbed)]
    return {
        "condition": clean.numpy(),
        "perturbation": noise.numpy(),
        "output_clean": outputs[0],
        "output_perturbed": outputs[1],
    }


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
