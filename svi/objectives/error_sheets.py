"""What errors look like: a few of the bank's, kept when it is removed, and a model's own, decoded (the paper's Fig. 6)."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from svi.artifacts import ERRORS
from svi.backbones.backbone import Backbone
from svi.bank.bank import ErrorBank
from svi.data.cache import LatentCache
from svi.disk import write_whole
from svi.error_settings import InjectionSettings
from svi.frames import Frames
from svi.method import recycle
from svi.method.draws import keyed
from svi.method.injection import image_error

KEPT, FRAMES = 6, 3


def keep_errors(bank: ErrorBank, times: Tensor, seed: int, folder: Path) -> None:
    """Write some video errors of the bank into `folder`, whole or not at all: `vid` [N, C, 3, h, w] float16 and `t` [N].

    Of slots evenly spread over those that hold any, at most 6, and of each error the first 3 latent frames: some MB at 480p.
    """
    filled = bank.count.nonzero()[0]
    picked = [int(filled[i]) for i in np.linspace(0, len(filled) - 1, min(KEPT, len(filled))).round().astype(int)]
    found = [(error.vid, float(times[s])) for s in picked if (error := bank.sample(s, keyed("kept", seed, s)))]
    shape = (len(found), *bank.file.layout.shape[1:])
    vid = np.stack([e[:, :FRAMES].numpy() for e, _ in found]) if found else np.empty((0, shape[1], 0, *shape[3:]))
    buffer = io.BytesIO()
    np.savez(buffer, vid=vid.astype(np.float16), t=np.array([t for _, t in found]))
    write_whole(folder / ERRORS, buffer.getvalue())


@torch.no_grad()
def own_errors(
    backbone: Backbone, models: Mapping[str, nn.Module], data: LatentCache, cases: Sequence[tuple[int, float]]
) -> Tensor:
    """E_vid of one step from clean inputs, for each (clip, t); the noise depends on the clip alone. [N, C, T, h, w]"""
    errors = []
    for clip, time in cases:
        batch, t = data.batch([clip], [False], [0]), torch.tensor([time])
        noise = torch.randn(backbone.latent_shape, generator=keyed("shown", clip))[None]
        x_t = recycle.interpolate(batch.latents, noise, t)
        model = models[backbone.expert(1 - time)].eval()
        v = backbone.velocity(model, x_t, t, batch.condition, batch.text)
        r = recycle.residual(v, recycle.recycled_target(batch.latents, noise))
        predicted = backbone.learned(batch.condition)
        errors.append(recycle.errors_of(r if predicted is None else r * predicted, t).vid)
    return torch.cat(errors)


@dataclass(frozen=True)
class Sheet:
    """Pictures in named rows and columns: [rows, columns, H, W, 3] uint8."""

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    pictures: Frames


def own_sheet(
    backbone: Backbone, data: LatentCache, cases: Sequence[tuple[int, float]], before: Tensor, after: Tensor
) -> Sheet:
    """One-step predictions of both models, X_vid + E_vid, and their errors alone, on grey. Errors as of `own_errors`."""
    clean = data.batch([clip for clip, _ in cases], [False] * len(cases), [0] * len(cases)).latents
    true, *predicted = (_decoded(backbone, x, -1) for x in (clean, clean + before, clean + after))
    sizes = [[float(e.square().mean().sqrt()) for e in errors] for errors in (before, after)]
    columns = tuple(f"t = {t:.2g}\nRMS {old:.2f} to {new:.2f}" for (_, t), old, new in zip(cases, *sizes, strict=True))
    rows = ("clip", "predicted before", "predicted after", "error before", "error after")
    return Sheet(rows, columns, np.stack([true, *predicted, *(_on_grey(one, true) for one in predicted)]))


def injected_sheet(
    backbone: Backbone, data: LatentCache, settings: InjectionSettings, vid: Tensor, t: Sequence[float]
) -> Sheet:
    """The first clip's start as a condition, with each kept error injected as E_img, and the errors alone, on grey."""
    settings = settings.model_copy(update={"img_run": min(settings.img_run, vid.shape[2])})
    clean = data.batch([0] * len(vid), [False] * len(vid), [0] * len(vid)).latents[:, :, : vid.shape[2]]
    errors = [image_error(e, settings, keyed("shown", i)) for i, e in enumerate(vid)]
    true, injected = (_decoded(backbone, x, 0) for x in (clean, clean + torch.stack(errors)))
    columns = tuple(f"error of t = {time:.2g}" for time in t)
    return Sheet(("condition", "injected", "error"), columns, np.stack([true, injected, _on_grey(injected, true)]))


def _decoded(backbone: Backbone, latents: Tensor, frame: int) -> Frames:
    """One frame of the first few latents. [B, H, W, 3]"""
    pictures: Frames = backbone.decode(latents[:, :, :FRAMES])[:, frame].numpy()
    return pictures


def _on_grey(pictures: Frames, true: Frames) -> Frames:
    return (128 + pictures.astype(np.int16) - true).clip(0, 255).astype(np.uint8)
