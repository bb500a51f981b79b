"""What each part of a stage at size holds and does: a training step, a call of the denoiser, a clip through the VAE, a prompt.

The real classes are built on the meta device and run there on tensors without numbers (svi/size/live.py). Transformers are run with
two and with three blocks: blocks are alike, so each further one adds what the third one did. So it is with the VAE's latent frames.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from svi.backbones.architectures import CLIP_TOKENS, Architecture
from svi.backbones.backbone import Condition
from svi.backbones.catalogue import EXPERT, Geometry
from svi.lora import adapter
from svi.settings import BackboneSettings, DataSettings, TrainSettings
from svi.size.live import Live, counted
from svi.training.engine import checkpoint_activations

FEW = 2  # blocks, or latent frames behind the first; and one more
ADAM = 8  # bytes a trained number: two moments in float32
MASTER = 12  # with bfloat16: the float32 value beside them
SUMS = 4  # with bfloat16: gradients summed in float32
BUCKET = 2 * 5 * 10**8  # bytes of DeepSpeed's reduce_bucket_size in bfloat16: ZeRO-2 reserves it for each backward pass


@dataclass(frozen=True)
class Demand:
    """Bytes on the device that computes, and FLOPs. `weights`: of all that is loaded; `optimiser`: gradients, moments and what the
    engine reserves; `activations`: the rest of the peak. `host`: bytes of host memory beside it; `trained`: numbers."""

    weights: int
    optimiser: int = 0
    activations: int = 0
    flops: int = 0
    host: int = 0
    trained: int = 0

    @property
    def peak(self) -> int:
        """Bytes at most."""
        return self.weights + self.optimiser + self.activations


@dataclass(frozen=True)
class Model:
    """A model that need not be there: how it is built, and the clips it is given."""

    architecture: Architecture
    geometry: Geometry
    backbone: BackboneSettings
    data: DataSettings

    @property
    def dtype(self) -> torch.dtype:
        dtype: torch.dtype = getattr(torch, self.backbone.dtype)
        return dtype

    @property
    def layers(self) -> int:
        return int(self.architecture.transformer["num_layers"])

    @property
    def transformer_bytes(self) -> int:
        """Of one expert."""
        with torch.device("meta"):
            return _bytes(transformer(self, self.layers))

    @property
    def text_bytes(self) -> int:
        from transformers import UMT5Config, UMT5EncoderModel

        with torch.device("meta"):
            numbers: Any = UMT5EncoderModel(UMT5Config(**self.architecture.text))
            return _bytes(numbers.to(self.dtype))

    @property
    def image_bytes(self) -> int:
        """Of CLIP in float32; 0 where the model has none."""
        from transformers import CLIPVisionConfig, CLIPVisionModel

        if self.architecture.image is None:
            return 0
        with torch.device("meta"):
            return _bytes(CLIPVisionModel(CLIPVisionConfig(**self.architecture.image)))


def training_step(model: Model, train: TrainSettings) -> Demand:
    """Of one rank: a micro-batch forward and back, through LoRAs, and what the engine keeps (svi/training/engine.py).

    `flops` are of one clip. What objectives keep beyond error recycling (teachers, critics, rollouts) is not in it.
    """
    clips = train.clips_at_once()
    few, more = (_step(model, train, blocks, clips) for blocks in (FEW, FEW + 1))
    offloads = train.checkpointing == "offload"
    numbers = _grown(few.trained, more.trained, model.layers)
    weights = _grown(few.weights, more.weights, model.layers)
    peak = _grown(few.live.most, more.live.most, model.layers)
    kept = model.layers * clips * _tokens(model) * _width(model) * model.dtype.itemsize if offloads else 0
    half = train.dtype == "bfloat16"
    sharded = half or (train.zero and train.ranks > 1)
    share = train.ranks if sharded else 1
    gradients = numbers * (2 if half else 4)
    optimiser = gradients + -(-numbers * (MASTER + SUMS if half else ADAM) // share) + (BUCKET if half else 0)
    whole = -(-weights // train.ranks) if train.zero == 3 and train.ranks > 1 else weights
    return Demand(
        weights=whole,
        optimiser=optimiser,
        activations=max(0, peak - weights - gradients - kept),
        flops=_grown(few.live.flops, more.live.flops, model.layers) // clips,
        host=kept,
        trained=numbers,
    )


def call(model: Model, together: int = 1) -> Demand:
    """One forward pass of the denoiser on `together` clips; `flops` are of one clip."""
    few, more = (_call(model, blocks, together) for blocks in (FEW, FEW + 1))
    weights = _grown(few.weights, more.weights, model.layers)
    peak = _grown(few.live.most, more.live.most, model.layers)
    flops = _grown(few.live.flops, more.live.flops, model.layers)
    return Demand(weights, activations=peak - weights, flops=flops // together)


def decoding(model: Model) -> Demand:
    """One clip's latents to pixels."""
    return _through_vae(model, lambda vae, frames: vae.decode(torch.empty(_latents(model, frames))))


def encoding(model: Model) -> Demand:
    """One clip's pixels to latents."""
    each = model.geometry.frames_a_latent

    def encode(vae: Any, frames: int) -> Tensor:
        pixels = torch.empty(1, 3, (frames - 1) * each + 1, model.data.height, model.data.width)
        mode: Tensor = vae.encode(pixels).latent_dist.mode()
        return mode

    return _through_vae(model, encode)


# What is run


@dataclass(frozen=True)
class _Run:
    """What a few blocks took: bytes of weights, how many numbers are trained, and all that was counted."""

    weights: int
    trained: int
    live: Live


def transformer(model: Model, blocks: int) -> nn.Module:
    """One expert with so many blocks, frozen, in the numbers that diffusers loads it in, where new tensors are made."""
    from diffusers import WanTransformer3DModel

    built: Any = WanTransformer3DModel(**{**model.architecture.transformer, "num_layers": blocks})
    precise = set(built._keep_in_fp32_modules or ())
    for name, parameter in built.named_parameters():
        if not precise & set(name.split(".")):
            parameter.data = parameter.data.to(model.dtype)
    frozen: nn.Module = built.requires_grad_(False).eval()
    return frozen


def inputs(model: Model, clips: int) -> tuple[Tensor, Tensor, Condition, Tensor]:
    """x_t, t, condition and text of so many clips, as a training gives them."""
    built, (_, *rest) = model.architecture.transformer, _latents(model)[1:]
    channels = model.geometry.z_dim
    condition = {"latents": torch.zeros(clips, channels + model.geometry.mask_channels, *rest)}
    if model.geometry.image_dim is not None:
        condition["image"] = torch.zeros(clips, CLIP_TOKENS, model.geometry.image_dim)
    text = torch.zeros(clips, model.backbone.text_tokens, built["text_dim"])
    return torch.zeros(clips, channels, *rest), torch.full((clips,), 0.5), condition, text


def step(model: Model, train: TrainSettings, built: nn.Module, clips: int) -> nn.Module:
    """A micro-batch forward and back; the gradients are left in the model that is returned."""
    base = _backbone(model, built)
    trained = adapter.adapted(base, train)
    if train.dtype == "bfloat16":  # as DeepSpeed casts them
        for parameter in trained.parameters():
            if parameter.requires_grad:
                parameter.data = parameter.data.to(torch.bfloat16)
    checkpoint_activations(built, train.checkpointing)
    trained.train()
    x, t, condition, text = inputs(model, clips)
    velocity = base.velocity(trained, x, t, condition, text)
    (velocity - torch.zeros_like(velocity)).square().mean().backward()
    return trained


def _step(model: Model, train: TrainSettings, blocks: int, clips: int) -> _Run:
    plain = train.model_copy(update={"from_": None, "with_signal": False})
    if plain.checkpointing == "offload":  # the same, but that inputs of blocks lie in host memory
        plain = plain.model_copy(update={"checkpointing": "block"})
    with counted() as live:
        built = transformer(model, blocks)
        weights = _bytes(built)
        trained = step(model, plain, built, clips)
        numbers = sum(p.numel() for p in trained.parameters() if p.requires_grad)
        extra = sum(_of(p) for p in trained.parameters() if p.requires_grad)
    return _Run(weights + extra, numbers, live)


def _call(model: Model, blocks: int, clips: int) -> _Run:
    with counted() as live, torch.no_grad():
        built = transformer(model, blocks)
        x, t, condition, text = inputs(model, clips)
        _backbone(model, built).velocity(built, x, t, condition, text)
        return _Run(_bytes(built), 0, live)


def _backbone(model: Model, built: nn.Module) -> Any:
    from svi.backbones.wan import WanBackbone

    return WanBackbone(Path("no files"), model.geometry, {EXPERT: built}, model.backbone, model.data)


def _through_vae(model: Model, run: Callable[[Any, int], Any]) -> Demand:
    from diffusers import AutoencoderKLWan

    whole, found = _latents(model)[2], []
    for frames in (FEW + 1, FEW + 2):
        with counted() as live, torch.no_grad():
            vae = AutoencoderKLWan(**model.architecture.vae).requires_grad_(False).eval()
            weights = _bytes(vae)
            if model.backbone.vae_tiling:
                vae.enable_tiling()
            run(vae, frames)
        found.append(live)
    peak, flops = (_grown(getattr(found[0], of), getattr(found[1], of), whole, FEW + 1) for of in ("most", "flops"))
    return Demand(weights, activations=peak - weights, flops=flops)


def _latents(model: Model, frames: int | None = None) -> tuple[int, int, int, int, int]:
    data = model.data
    channels, whole, high, wide = model.geometry.latent_shape(data.height, data.width, data.clip_frames)
    return 1, channels, whole if frames is None else frames, high, wide


def _tokens(model: Model) -> int:
    _, _, frames, high, wide = _latents(model)
    return frames * (high // model.geometry.patch) * (wide // model.geometry.patch)


def _width(model: Model) -> int:
    built: Mapping[str, Any] = model.architecture.transformer
    return int(built["num_attention_heads"] * built["attention_head_dim"])


def _grown(few: int, more: int, count: int, begin: int = FEW) -> int:
    """What `count` take, where `begin` and one more take so much."""
    return few + (more - few) * (count - begin)


def _bytes(module: nn.Module) -> int:
    return sum(_of(tensor) for tensor in (*module.parameters(), *module.buffers()))


def _of(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()
