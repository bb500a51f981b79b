"""RAFT, the optical flow that dynamic_degree measures: torchvision's network with the authors' "things" weights.

Source: Teed and Deng, "RAFT: Recurrent All-Pairs Field Transforms for Optical Flow", ECCV 2020. torchvision's
`raft_large` is the same network under other tensor names. What is added here: the features of a frame can serve the
pairs on both its sides, and only the last flow is brought to full size.
The paddings that AMT, built on RAFT's correlation, needs too are here as well.
Shapes: frames [B, 3, H, W] with H and W multiples of 8 and at least 128, feature maps [B, 256, H / 8, W / 8].
"""

import re
from collections.abc import Mapping

from torch import Tensor, nn
from torchvision.models.optical_flow import raft_large
from torchvision.models.optical_flow._utils import make_coords_grid, upsample_flow

from benchmarks.vbench.files import RAFT_THINGS

ITERATIONS = 20
MIN_SIDE = 128

_PUBLISHED_TO_TORCHVISION = (
    (r"^module\.", ""),
    (r"^fnet\.", "feature_encoder."),
    (r"^cnet\.", "context_encoder."),
    (r"^update_block\.encoder\.convc(\d)", r"update_block.motion_encoder.convcorr\1.0"),
    (r"^update_block\.encoder\.convf(\d)", r"update_block.motion_encoder.convflow\1.0"),
    (r"^update_block\.encoder\.conv\.", "update_block.motion_encoder.conv.0."),
    (r"^update_block\.gru\.conv([zrq])(\d)", r"update_block.recurrent_block.convgru\2.conv\1"),
    (r"^update_block\.mask\.0", "mask_predictor.convrelu.0"),
    (r"^update_block\.mask\.2", "mask_predictor.conv"),
)
_ENCODER_TO_TORCHVISION = (
    (r"^(layer\d\.\d)\.conv(\d)", r"\1.convnormrelu\2.0"),
    (r"^(layer\d\.\d)\.norm(\d)", r"\1.convnormrelu\2.1"),
    (r"^conv1\.", "convnormrelu.0."),
    (r"^norm1\.", "convnormrelu.1."),
    (r"^conv2\.", "conv."),
)
_ENCODERS = ("feature_encoder.", "context_encoder.")


class Raft(nn.Module):
    """Flow in pixels from a frame to the next one."""

    def __init__(self) -> None:
        super().__init__()
        self.network = raft_large(weights=None, progress=False).eval()

    @classmethod
    def load(cls) -> "Raft":
        """The network with the weights of `RAFT_THINGS`, on the CPU.

        Raises:
            ValueError: the file is missing or holds something else.
        """
        raft = cls()
        RAFT_THINGS.load_into(raft.network, torchvision_names(RAFT_THINGS.read()))
        return raft

    def features(self, frame: Tensor) -> Tensor:
        """Feature map of a frame on 0..255."""
        features: Tensor = self.network.feature_encoder(_signed(frame))
        return features

    def forward(self, frame: Tensor, features: Tensor, next_features: Tensor) -> Tensor:
        """Flow [B, 2, H, W], x before y, from `frame` (0..255), given its features and the next frame's."""
        correlation, update = self.network.corr_block, self.network.update_block
        correlation.build_pyramid(features, next_features)
        hidden_width = update.hidden_state_size
        context = self.network.context_encoder(_signed(frame))
        hidden, context = context[:, :hidden_width].tanh(), context[:, hidden_width:].relu()
        start = make_coords_grid(len(features), *features.shape[-2:], device=features.device)
        position = start
        for _ in range(ITERATIONS):
            hidden, step = update(hidden, context, correlation.index_pyramid(position), position - start)
            position = position + step
        flow: Tensor = upsample_flow(position - start, self.network.mask_predictor(hidden))
        return flow


def torchvision_names(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a published RAFT file under torchvision's names.

    A block's third norm is left out: the file holds it a second time, within "downsample".
    """
    renamed = {}
    for published, tensor in tensors.items():
        name = _substituted(published, _PUBLISHED_TO_TORCHVISION)
        if ".norm3." in name:
            continue
        encoder = next((encoder for encoder in _ENCODERS if name.startswith(encoder)), None)
        renamed[encoder + encoder_name(name.removeprefix(encoder)) if encoder else name] = tensor
    return renamed


def encoder_name(published: str) -> str:
    """A tensor's name within torchvision's feature encoder, from its name within the authors'."""
    return _substituted(published, _ENCODER_TO_TORCHVISION)


def padding(height: int, width: int, multiple: int) -> tuple[int, int, int, int]:
    """Pixels to add left, right, above and below (the order of `torch.nn.functional.pad`) so that both sides become
    multiples; an odd pixel goes right and below."""
    more_height, more_width = -height % multiple, -width % multiple
    return more_width // 2, more_width - more_width // 2, more_height // 2, more_height - more_height // 2


def check_size(model: str, height: int, width: int, multiple: int) -> None:
    """Refuse sizes whose coarsest correlation would be one cell across.

    Raises:
        ValueError: a side that padding to a `multiple` leaves below 128 pixels. The official code goes on with NaN.
    """
    shortest = MIN_SIDE - multiple + 1
    if min(height, width) < shortest:
        raise ValueError(
            f"video: received frames of {width} x {height} pixels, expected at least {shortest} a side: {model} cannot "
            "correlate smaller ones (VBench's own code then scores NaN as if it were motion); enlarge the video or "
            "leave the dimension out"
        )


def _substituted(name: str, rules: tuple[tuple[str, str], ...]) -> str:
    for pattern, replacement in rules:
        name = re.sub(pattern, replacement, name)
    return name


def _signed(frame: Tensor) -> Tensor:
    """0..255 -> -1..1."""
    return 2 * (frame / 255) - 1
