"""Profiles: one switch that scales an experiment. A profile sets sizes and starts from a recipe."""

from dataclasses import dataclass
from typing import Any

from harness.core.registry import Registry
from svi.backbones.catalogue import FOLDER, MODELS, Published
from svi.settings import TINY


@dataclass(frozen=True)
class Profile:
    """Dotted settings, the recipe they start from, and what results at this scale may claim."""

    about: str
    backbone: str
    recipe: str
    caption: str
    values: dict[str, Any]
    real_videos: dict[str, Any]  # laid over `values` when data.path is set

    @property
    def named(self) -> str:
        """The backbone's name in its settings."""
        return str(self.values.get("backbone.name", TINY))


PROFILES: Registry[Profile] = Registry("profile")
DEFAULT = "tiny"


def embedded() -> list[str]:
    """The names of those whose model is trained here."""
    return [name for name in PROFILES.names() if PROFILES.get(name).named == TINY]


PROFILES.add(
    DEFAULT,
    Profile(
        about="CPU, minutes: diffusers' WanTransformer3DModel at tiny size on the embedded world, or on real videos made tiny",
        backbone="tiny Wan (WanTransformer3DModel, trained from scratch)",
        recipe="svi-tiny",
        caption=(
            "A model of under a million parameters at a few pixels; the recipe svi-tiny trains every one of them, no LoRA, and "
            "lora_only is the control by the paper's name. All variants start from one base model and are scored on the same "
            "scenes. These rows may show which injected error stops drift here, "
            "with every other thing equal; they say nothing of how large the effect is on Wan 2.1 14B, nor of visual quality."
        ),
        values={
            "data.height": 16,
            "data.width": 16,
            "data.fps": 8,
            "data.clip_frames": 5,
            "generate.lossless": True,
            "score.vbench": "none",  # made for photographs, not for 16 pixels
        },
        real_videos={"data.height": 16, "data.width": 24},
    ),
)

PROFILES.add(
    "small",
    Profile(
        about="CPU, half an hour: a larger one at 32 x 32 pixels, two objects in a landscape, a codec that loses detail, LoRA",
        backbone="small Wan (WanTransformer3DModel and AutoencoderKLWan, trained from scratch)",
        recipe="svi-small",
        caption=(
            "A model of two million parameters at 32 x 32 pixels, fine-tuned by LoRA. All variants start from one base model and "
            "are scored on the same scenes. These rows may show which injected error stops drift here, with every other thing "
            "equal; they say nothing of how large the effect is on Wan 2.1 14B, nor of visual quality."
        ),
        values={
            "data.world": "lanes",
            "data.height": 32,
            "data.width": 32,
            "data.fps": 8,
            "data.clip_frames": 5,
            "data.clips": 12288,
            "tiny.codec": "wan",
            "tiny.codec_frames": 1,
            "tiny.codec_steps": 14000,
            "tiny.codec_batch": 8,
            "tiny.codec_lr": 3e-3,
            "tiny.latent_channels": 4,  # a frame is 256 numbers: the fewer, the sooner the base model learns motion
            "tiny.patch": 4,  # 16 pixels a token, four tokens a frame: most of motion then stays within a token
            "tiny.layers": 4,
            "tiny.heads": 6,
            "tiny.head_dim": 32,
            "tiny.ffn_dim": 512,
            "tiny.text_tokens": 7,
            "tiny.text_dim": 64,
            "tiny.text": "phrases",
            "tiny.steps": 2500,
            "tiny.batch": 32,
            "tiny.lr": 2e-3,
            "generate.lossless": True,
            "score.vbench": "none",  # made for photographs, not for 32 pixels
        },
        real_videos={},
    ),
)

AT_SIZE: dict[str, Any] = {
    "backbone.dtype": "bfloat16",
    "data.dtype": "bfloat16",
    "data.shard_clips": 16,
    "data.references": 4,
    "bank.dtype": "bfloat16",
    "train.dtype": "bfloat16",
    "train.batch": 8,
    "train.micro_batch": 1,
    "train.checkpointing": "block",
    "train.checkpoint_every": 100,
    "train.log_every": 5,
    "generate.together": 1,
}


CAPTION = (
    "All variants start from the same weights, and their films from the same samples. The embedded measures compare "
    "variants with each other; they are not the paper's."
)


def _at_size(name: str, model: Published) -> dict[str, Any]:
    size = {"clip_frames": model.frames, "height": model.height, "width": model.width, "fps": model.fps}
    return {
        **AT_SIZE,
        "backbone.name": name,
        **{f"data.{key}": value for key, value in size.items()},
        "data.hop": model.frames,
    }


for _name, _model in MODELS.items():
    PROFILES.add(
        _name,
        Profile(
            about=(
                f"{_model.height} x {_model.width}, {_model.frames} frames, {_model.fps} fps, bf16; "
                f"{_model.parameters} billion parameters, {_model.download} GB of files"
            ),
            backbone=_name,
            recipe="svi-2.0" if len(_model.geometry.experts) > 1 else "svi-film",
            caption=CAPTION,
            values=_at_size(_name, _model),
            real_videos={},
        ),
    )

PROFILES.add(
    "folder",
    Profile(
        about="any Wan in diffusers' layout: backbone.weights=FOLDER, at 480 x 832, 81 frames, 16 fps unless told otherwise",
        backbone="a local folder in diffusers' layout",
        recipe="svi-film",
        caption=CAPTION,
        values=_at_size(FOLDER, MODELS["wan2.1-i2v-14b-480p"]),
        real_videos={},
    ),
)
