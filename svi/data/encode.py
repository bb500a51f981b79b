"""What a latent cache keeps of a block of clips: latents, and the condition for every motion variant and reference image."""

import torch
from torch import Tensor

from svi.backbones.backbone import Backbone, Condition
from svi.settings import ConditionSettings, DataSettings

Tensors = dict[str, Tensor]


def alternatives(condition: ConditionSettings, data: DataSettings) -> int:
    """How many conditions a clip has (K): one a reference image where it is shown, or motion frames are augmented."""
    return data.references if condition.shows_reference or data.augment_motion else 1


def encode_clips(
    backbone: Backbone,
    frames: Tensor,
    references: Tensor,
    condition: ConditionSettings,
    augmented: Tensor | None = None,
) -> Tensors:
    """From frames [B, L, H, W, 3] and references [B, K, H, W, 3]: "latents" [B, 1, 1, C, T, h, w], "mask" [B, V, K, M, T, h, w],
    "condition.latents" [B, V, K, C, T, h, w], and whatever else the backbone's condition holds.

    The motion variants are all m motion frames, and one. Behind an anchor they are the clip's own latents, from the second on:
    the anchor's stands in for the first, and the hand-off never leaves latent space (SVI 2.0 Pro). `augmented` motion frames
    [B, K, m, H, W, 3] take the place of the clip's in the condition's latents alone, as in the authors' code: CLIP sees the
    clip's own.
    """
    latents, m = backbone.encode(frames), condition.motion_frames
    if condition.anchor:
        known = [latents[:, :, 1 : 1 + n] for n in dict.fromkeys([backbone.latent_frames(m), 1])]
        motions: list[tuple[Tensor, Tensor | None]] = [(frames[:, :m], x) for x in known]
    else:
        motions = [(frames[:, :n], None) for n in dict.fromkeys([m, 1])]
    given = [[backbone.condition(f, image, condition, x) for image in references.unbind(1)] for f, x in motions]
    if augmented is not None:
        for row, (f, x) in zip(given, motions, strict=True):
            for k, clean in enumerate(row):
                seen = backbone.condition(augmented[:, k, : f.shape[1]], references[:, k], condition, x)
                row[k] = {**clean, "latents": seen["latents"]}
    stacked = {name: torch.stack([torch.stack([c[name] for c in row], 1) for row in given], 1) for name in given[0][0]}
    both, channels = stacked.pop("latents"), backbone.latent_shape[0]
    return {
        "latents": latents[:, None, None],
        "mask": both[:, :, :, :-channels],
        "condition.latents": both[:, :, :, -channels:],
        **{f"condition.{name}": tensor for name, tensor in stacked.items()},
    }


def assembled(read: Tensors, anchor: bool) -> tuple[Tensor, Condition]:
    """Latents [B, C, T, h, w] and the condition of a batch, from what `encode_clips` gives, of one motion variant and reference.

    The mask stands before the condition's latents. Behind an anchor, a clip's first latent is the anchor's, as in its condition:
    no film shows that frame.
    """
    condition = {name.removeprefix("condition."): x for name, x in read.items() if name.startswith("condition.")}
    latents, given = read["latents"], condition["latents"]
    if anchor:
        latents = torch.cat([given[:, :, :1], latents[:, :, 1:]], dim=2)
    return latents, {**condition, "latents": torch.cat([read["mask"], given], dim=1)}


def once(x: Tensor) -> Tensor:
    """Without the copies: along each of the first three dimensions over which x does not change, its size becomes 1."""
    for dim in range(3):
        first = x.narrow(dim, 0, 1)
        if torch.equal(x, first.expand_as(x)):
            x = first
    return x.contiguous()
