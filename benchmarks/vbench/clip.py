"""CLIP's image towers (Radford et al. 2021) from OpenAI's files, run by transformers' CLIP in float32; for texts, prompt_match.py.

OpenAI's own code runs CLIP in half precision on a GPU; here it is float32 everywhere, so that scores do not depend on
the device. `encode` gives what openai-clip gives on a CPU, bit by bit.
"""

import re
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from benchmarks.arrays import UInt8
from benchmarks.vbench.images import centre_crop, normalise, resize_short_side, to_images
from benchmarks.weights import WeightFile

if TYPE_CHECKING:
    from transformers import CLIPVisionConfig

SIDE = 224
MEAN = (0.48145466, 0.4578275, 0.40821073)
DEVIATION = (0.26862954, 0.26130258, 0.27577711)
HEAD_WIDTH = 64
_RENAMED = (
    (r"^class_embedding$", "embeddings.class_embedding"),
    (r"^positional_embedding$", "embeddings.position_embedding.weight"),
    (r"^token_embedding\.", "embeddings.token_embedding."),
    (r"^ln_final\.", "final_layer_norm."),
    (r"^conv1\.", "embeddings.patch_embedding."),
    (r"^ln_pre\.", "pre_layrnorm."),
    (r"^ln_post\.", "post_layernorm."),
    (r"^transformer\.resblocks\.", "encoder.layers."),
    (r"\.ln_(\d)\.", r".layer_norm\1."),
    (r"\.mlp\.c_fc\.", ".mlp.fc1."),
    (r"\.mlp\.c_proj\.", ".mlp.fc2."),
    (r"\.attn\.out_proj\.", ".self_attn.out_proj."),
)


class ClipTower:
    """An image tower: normalised images [B, 3, 224, 224] -> features [B, D] on its device."""

    def __init__(self, file: WeightFile, device: str | torch.device = "cpu") -> None:
        """Read the tower from `file`; its sizes are those of the file's tensors, as in openai-clip.

        Raises:
            ValueError: the weight file is missing or holds no vision transformer of CLIP's.
        """
        from transformers import CLIPVisionModelWithProjection  # seconds, which the other dimensions need not wait for

        tensors = _read_tower(file)
        model = CLIPVisionModelWithProjection(_config(tensors))
        model.set_attn_implementation("sdpa")  # openai-clip's own; the eager one differs in the last digit
        file.load_into(model, _renamed(tensors))
        self._model = cast(nn.Module, model).to(device).eval().requires_grad_(False)
        self._device = device
        self._images, self._features = torch.empty(0), torch.empty(0)

    def encode(self, images: Tensor) -> Tensor:
        """The last images' features are kept, for the next dimension that asks for the same."""
        if images is not self._images:
            self._images, self._features = images, self._model(pixel_values=images.to(self._device)).image_embeds
        return self._features


class ClipImages:
    """Frames as CLIP sees them; the last block's images are kept, for the next dimension that is fed the same block."""

    def __init__(self) -> None:
        self._frames: UInt8 | None = None
        self._images = torch.empty(0)

    def of(self, frames: UInt8) -> Tensor:
        """RGB frames [B, H, W, 3] -> float32 [B, 3, 224, 224]: short side to 224 bicubically, the middle, normalised."""
        if frames is not self._frames:
            images = centre_crop(resize_short_side(to_images(frames), SIDE, "bicubic"), SIDE)
            self._frames, self._images = frames, normalise(images, MEAN, DEVIATION)
        return self._images


def read_clip(file: WeightFile) -> dict[str, Tensor]:
    """The tensors of both towers in float32, by OpenAI's names.

    Raises:
        ValueError: the weight file is missing or unreadable.
    """
    path = file.find()
    try:
        tensors = torch.jit.load(str(path), map_location="cpu").state_dict()  # type: ignore[no-untyped-call]
    except RuntimeError as error:
        raise ValueError(f"weights {path}: received an unreadable file, {_expected(file)}") from error
    return {name: value.float() for name, value in tensors.items()}


def _read_tower(file: WeightFile) -> dict[str, Tensor]:
    """The tensors of the image tower, by their names without the "visual." before them."""
    tower = {
        name.removeprefix("visual."): value for name, value in read_clip(file).items() if name.startswith("visual.")
    }
    if not {"conv1.weight", "proj", "ln_pre.weight"} <= tower.keys():
        raise ValueError(f"weights {file.path}: received no vision transformer of CLIP's, {_expected(file)}")
    return tower


def _expected(file: WeightFile) -> str:
    return f"expected the published {file.name} (a TorchScript archive); get it from {file.where_to_get}"


def _config(tensors: dict[str, Tensor]) -> "CLIPVisionConfig":
    from transformers import CLIPVisionConfig

    width, _, patch, _ = tensors["conv1.weight"].shape
    return CLIPVisionConfig(
        hidden_size=width,
        intermediate_size=4 * width,
        projection_dim=tensors["proj"].shape[1],
        num_hidden_layers=sum(name.endswith("attn.in_proj_weight") for name in tensors),
        num_attention_heads=width // HEAD_WIDTH,
        image_size=SIDE,
        patch_size=patch,
        hidden_act="quick_gelu",
    )


def _renamed(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """OpenAI's names -> transformers' names."""
    blocks = {"vision_model." + name: value for name, value in renamed(tensors).items() if name != "proj"}
    return {"visual_projection.weight": tensors["proj"].T, **blocks}


def renamed(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """A tower's tensors by transformers' names; the joint projection of query, key and value is parted."""
    found = {}
    for name, value in tensors.items():
        for pattern, new in _RENAMED:
            name = re.sub(pattern, new, name)
        if ".attn.in_proj_" in name:
            for letter, part in zip("qkv", value.chunk(3), strict=True):
                found[name.replace("attn.in_proj_", f"self_attn.{letter}_proj.")] = part
        else:
            found[name] = value
    return found
