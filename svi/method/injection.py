"""Which errors go where: a pure draw from a generator."""

from dataclasses import dataclass

import torch
from torch import Tensor

from svi.error_settings import InjectionSettings


@dataclass(frozen=True)
class Gates:
    """Injection gates of one sample; `clean`: it was drawn to stay clean, so all three are off."""

    vid: bool
    img: bool
    noi: bool
    clean: bool


@dataclass(frozen=True)
class Handcrafted:
    """Which errors of one sample come not from the bank but are made by hand."""

    vid: bool
    img: bool
    noi: bool


def draw_gates(settings: InjectionSettings, generator: torch.Generator) -> Gates:
    """Independent Bernoulli gates; with probability p_clean all three are off (effective p_img = p_img (1 - p_clean))."""
    clean, vid, img, noi = torch.rand(4, generator=generator).tolist()
    if clean < settings.p_clean:
        return Gates(False, False, False, clean=True)
    return Gates(vid < settings.p_vid, img < settings.p_img, noi < settings.p_noi, clean=False)


def image_error(error: Tensor, settings: InjectionSettings, generator: torch.Generator) -> Tensor:
    """E_img from a stored video error: one contiguous run of its latent frames. [C, T, H, W] -> [C, T, H, W]

    A random run, or the last one, of frames that a clip hands on. img_run 0 takes the whole error (notes). "head" adds the run to
    the first latents of the condition and zeros after it (authors' code); "tile" repeats it over the clip, for a condition that
    itself is repeated.
    """
    frames = error.shape[1]
    run = settings.img_run or frames
    settings.check_run(frames)
    last = frames - run
    start = last if settings.img_pick == "last" else int(torch.randint(last + 1, (), generator=generator))
    return spread(error[:, start : start + run], frames, settings)


def spread(piece: Tensor, frames: int, settings: InjectionSettings) -> Tensor:
    """A run of an error's latent frames, on the first of `frames` or repeated over all. [C, run, H, W] -> [C, frames, H, W]"""
    if settings.img_spread == "tile":
        return piece.repeat(1, -(-frames // piece.shape[1]), 1, 1)[:, :frames]
    return torch.cat([piece, piece.new_zeros(len(piece), frames - piece.shape[1], *piece.shape[2:])], dim=1)


def shuffled(error: Tensor, generator: torch.Generator) -> Tensor:
    """An error with its latent pixels in another order, one for all channels and frames: as large, and nowhere in place."""
    order = torch.randperm(error.shape[-2] * error.shape[-1], generator=generator)
    return error.flatten(2)[:, :, order].reshape(error.shape)


def draw_handcrafted(settings: InjectionSettings, generator: torch.Generator) -> Handcrafted:
    """Which of a sample's errors are made by hand, if they are injected: none, all, or each by even chance (both)."""
    if settings.source == "both":
        return Handcrafted(*(torch.rand(3, generator=generator) < 0.5).tolist())
    every = settings.source == "handcrafted"
    return Handcrafted(every, every, every)
