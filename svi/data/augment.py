"""First-frame augmentation: motion frames that have other colours, less or more sharpness than the clip that follows them."""

import torch
from torch import Tensor
from torchvision.transforms import v2

from svi.frames import Frames
from svi.method.draws import keyed

# The authors' code of Stable Video Infinity (`use_first_aug`, off in its scripts); sharpness has even chance twice there.
CHANGES = v2.Compose(
    [
        v2.RandomApply([v2.ColorJitter(brightness=0.3, contrast=0.3, saturation=0.3, hue=0.1)], p=0.7),
        v2.RandomApply([v2.GaussianBlur(kernel_size=3, sigma=(0.1, 2.0))], p=0.5),
        v2.RandomAdjustSharpness(sharpness_factor=2, p=0.25),
    ]
)


def augmented(frames: Frames, *key: int | str) -> Tensor:
    """Every frame changed by draws of its own, which depend on the key alone. [m, H, W, 3] uint8 -> the same"""
    pictures = torch.from_numpy(frames).permute(0, 3, 1, 2)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(keyed("augment", *key).initial_seed())
        changed = torch.stack([CHANGES(picture) for picture in pictures])
    return changed.permute(0, 2, 3, 1).contiguous()
