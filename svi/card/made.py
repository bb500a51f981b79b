"""What this process's device makes of a small Wan: GPU if torch sees one, else the processor, through the code that runs use.

Everything random is drawn on the processor, so that two devices are asked the very same.
"""

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
import torch.distributed as dist
from torch import Tensor

from svi.backbones import speed
from svi.backbones.padding import masked
from svi.backbones.wan import WanBackbone
from svi.card.wan_folder import IMAGE_DIM, TEXT_DIM
from svi.error_settings import BankSettings, InjectionSettings
from svi.generation.denoiser import Denoiser, Given
from svi.lora import adapter
from svi.objectives.error_recycling import ErrorRecycling
from svi.perf.random_clips import RandomClips
from svi.settings import (
    BackboneSettings,
    ConditionSettings,
    DataSettings,
    FlowSettings,
    GenerateSettings,
    SpeedSettings,
    TrainSettings,
)
from svi.training import ranks
from svi.training.engine import engine_for, take_step
from svi.training.loop import share_of

Dtype = Literal["float32", "bfloat16"]
DTYPES: tuple[Dtype, ...] = ("float32", "bfloat16")
DATA = DataSettings(height=64, width=96, clip_frames=9)
CLIPS, BATCH, STEPS = 8, 4, 3
SLOTS, CAPACITY = 2, 2  # so few that errors are replaced, by the nearest, within the three steps
PROMPT, TOKENS, IMAGE_TOKENS = "a cat walks over the red square", 16, 5


@dataclass
class Made:
    """Results by name, float32 on the CPU; and by part what went wrong, a traceback."""

    tensors: dict[str, Tensor] = field(default_factory=dict)
    wrong: dict[str, str] = field(default_factory=dict)


def made(folder: Path, dtype: Dtype, scratch: Path) -> Made:
    """All parts with numbers of this type, each from a model freshly loaded from the folder (svi.card.wan_folder).

    float32 is exact: TensorFloat-32 is off; in bfloat16 the encoders, which compute in float32, run as torch has them.
    """
    parts: dict[str, Callable[[], dict[str, Tensor]]] = {
        "forward": lambda: _forward(load(folder, dtype)),
        "encoders": lambda: _encoders(load(folder, dtype)),
        "training": lambda: trained(load(folder, dtype), dtype, scratch),
        "clip": lambda: _clip(load(folder, dtype)),
    }
    found = Made()
    with exact(dtype == "float32"):
        for name, part in parts.items():
            try:
                found.tensors |= {key: x.detach().float().cpu().contiguous() for key, x in part().items()}
            except Exception:  # a broken card may raise anything; the other parts are still worth a look
                found.wrong[name] = traceback.format_exc()
    return found


def load(folder: Path, dtype: Dtype) -> WanBackbone:
    """As films and trainings load it."""
    return WanBackbone.load(folder, BackboneSettings(name="folder", dtype=dtype, text_tokens=TOKENS), DATA)


@contextmanager
def exact(yes: bool) -> Iterator[None]:
    """Without TensorFloat-32, which torch's convolutions use on a GPU: its products have 10 bits."""
    cudnn, matmul = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    if yes:
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = cudnn, matmul


def random_clips(shape: tuple[int, ...]) -> RandomClips:
    """What a latent cache gives, the same on every machine."""
    draw = torch.Generator().manual_seed(2)
    latents = torch.randn(CLIPS, *shape, generator=draw)
    condition = {
        "latents": masked(torch.randn(CLIPS, *shape, generator=draw), 4, 1),
        "image": torch.randn(CLIPS, IMAGE_TOKENS, IMAGE_DIM, generator=draw),
    }
    return RandomClips(latents, condition, torch.randn(CLIPS, TOKENS, TEXT_DIM, generator=draw))


def asked(backbone: WanBackbone) -> tuple[Given, Tensor]:
    """What one clip is made from, and its noise."""
    clips = random_clips(backbone.latent_shape)
    one = clips.batch([0], [False], [0])
    return Given(one.condition, one.text, clips.text[1:2]), clips.latents[1:2]


@torch.no_grad()
def _forward(backbone: WanBackbone) -> dict[str, Tensor]:
    given, noise = asked(backbone)
    models = speed.prepare(backbone.transformers, SpeedSettings(attention="sdpa"))
    return {"forward": Denoiser(backbone, models, GenerateSettings()).velocity(0.7, noise, given)}


def _encoders(backbone: WanBackbone) -> dict[str, Tensor]:
    draw = torch.Generator().manual_seed(1)
    size = (1, DATA.clip_frames, DATA.height, DATA.width, 3)
    frames = torch.randint(0, 256, size, dtype=torch.uint8, generator=draw)
    latents = torch.randn(1, *backbone.latent_shape, generator=draw)
    condition = backbone.condition(frames[:, -1:], frames[:, 0], ConditionSettings(motion_frames=1))
    return {
        "VAE, encoded": backbone.encode(frames),
        "VAE, decoded": backbone.decode(latents).float(),
        "text encoder": backbone.encode_text([PROMPT]),
        "image encoder": condition["image"],
    }


def _clip(backbone: WanBackbone) -> dict[str, Tensor]:
    """Four guided steps, and the frames that come of them."""
    given, noise = asked(backbone)
    models = speed.prepare(backbone.transformers, SpeedSettings(attention="sdpa"))
    denoiser = Denoiser(backbone, models, GenerateSettings(steps=4))
    latents = denoiser.clip(given, noise)
    return {"clip, latents": latents, "clip, frames": torch.from_numpy(denoiser.decode(latents)).float()}


def trained(backbone: WanBackbone, dtype: Dtype, scratch: Path) -> dict[str, Tensor]:
    """A few steps of error recycling with a LoRA, of several ranks by ZeRO-2, and the bank that they leave on this one."""
    ranks.join()
    world = dist.get_world_size()
    settings = TrainSettings(
        rank=8, alpha=8, batch=BATCH * world, ranks=world, lr=1e-3, dtype=dtype, checkpointing="block"
    )
    model = adapter.adapted(backbone, settings)
    speed.put(backbone.transformers, "none", backbone.device)
    clips: Any = random_clips(backbone.latent_shape)
    bank = BankSettings(capacity=CAPACITY, dtype=dtype)
    flow, condition = FlowSettings(inference_steps=SLOTS), ConditionSettings(motion_frames=1)
    scratch.mkdir(parents=True, exist_ok=True)
    losses, norms = [], []
    with ErrorRecycling(backbone, clips, flow, InjectionSettings(), bank, condition, 0, scratch) as objective:
        engine = engine_for(model, settings)
        for step in range(STEPS):
            samples, following = share_of(settings, step), share_of(settings, step + 1)
            for loss in objective.losses(engine, samples, BATCH, step, following):
                engine.backward(loss)
                norms.append(take_step(engine, settings.grad_clip))
                losses.append(loss.detach())
        objective.state_dict()  # waits for the thread
        entries = [objective.bank.entries(slot).flatten() for slot in range(SLOTS)]
        counts = torch.from_numpy(objective.bank.count.copy())
    weights = adapter.weights_of(model)
    assert weights is not None  # every rank asks for them whole
    return {
        "training, losses": torch.stack(losses),
        "training, gradient norms": torch.tensor(norms),
        "training, LoRA": torch.cat([b.flatten() for _, b in weights.modules.values()]),
        "bank, errors": torch.cat(entries),
        "bank, entries a slot": counts,
    }
