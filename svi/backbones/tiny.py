"""The embedded backbone: diffusers' WanTransformer3DModel at tiny size, a fitted linear codec and hashed words for text."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import WanTransformer3DModel
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from svi.artifacts import CODEC, TRANSFORMER
from svi.backbones.adapters import Attached, load_like, showing
from svi.backbones.backbone import Condition
from svi.backbones.catalogue import (
    EXPERT,
    MASK_CHANNELS,
    TINY_FRAMES,
    tiny_frames_a_latent,
    tiny_latent_shape,
)
from svi.backbones.padding import masked, padded
from svi.backbones.wan_codec import WanCodec
from svi.backbones.wrapped import LORA_TARGETS, a_token, bare, branch_of
from svi.method.flow import EVERYWHERE, TIMESTEPS
from svi.settings import ConditionSettings, DataSettings, TinySettings


class Codec:
    """Orthonormal principal components of non-overlapping pixel patches, frame by frame; latents are scaled to unit variance."""

    def __init__(self, patch: int, mean: Tensor, basis: Tensor, scale: Tensor) -> None:
        """mean [p p 3], basis [p p 3, C] orthonormal, scale scalar."""
        self.patch, self.mean, self.basis, self.scale = patch, mean, basis, scale

    @classmethod
    def fit(cls, frames: Tensor, patch: int, channels: int) -> "Codec":
        """From frames [N, H, W, 3] uint8."""
        rows = cls._patches(frames, patch).flatten(0, 2).double()
        mean = rows.mean(0)
        _, vectors = torch.linalg.eigh(torch.cov((rows - mean).T))
        basis = vectors[:, -channels:].flip(1)
        basis = basis * torch.where(basis.sum(0) < 0, -1.0, 1.0)  # eigenvectors have no sign of their own
        scale = ((rows - mean) @ basis).std()
        return cls(patch, mean.float(), basis.float(), scale.float())

    @staticmethod
    def _patches(frames: Tensor, p: int) -> Tensor:
        n, height, width, _ = frames.shape
        x = frames.float().div(127.5).sub(1).reshape(n, height // p, p, width // p, p, 3)
        return x.permute(0, 1, 3, 2, 4, 5).flatten(3)

    def encode(self, frames: Tensor) -> Tensor:
        """[B, F, H, W, 3] uint8 -> [B, C, F, H/p, W/p]"""
        rows = self._patches(frames.flatten(0, 1), self.patch)
        latents = (rows - self.mean) @ self.basis / self.scale
        return latents.reshape(*frames.shape[:2], *latents.shape[1:]).permute(0, 4, 1, 2, 3)

    def decode(self, latents: Tensor, *, truncate: bool = False) -> Tensor:
        """[B, C, F, h, w] -> [B, F, H, W, 3] uint8"""
        b, _, f, h, w = latents.shape
        p = self.patch
        rows = latents.permute(0, 2, 3, 4, 1) * self.scale @ self.basis.T + self.mean
        x = rows.reshape(b, f, h, w, p, p, 3).permute(0, 1, 2, 4, 3, 5, 6).reshape(b, f, h * p, w * p, 3)
        x = x.add(1).mul(127.5)
        return (x if truncate else x.round()).clamp(0, 255).to(torch.uint8)

    @classmethod
    def load(cls, folder: Path, patch: int) -> "Codec":
        """From a folder that `save` wrote."""
        return cls(patch, **load_file(folder / CODEC))

    def save(self, folder: Path) -> None:
        save_file({"mean": self.mean, "basis": self.basis.contiguous(), "scale": self.scale}, folder / CODEC)


class TinyBackbone:
    """The embedded backbone (protocol: svi.backbones.backbone.Backbone)."""

    lora_targets: tuple[str, ...] = LORA_TARGETS

    def __init__(
        self, transformer: WanTransformer3DModel, codec: Codec | WanCodec, settings: TinySettings, data: DataSettings
    ) -> None:
        """A transformer and a codec for clips of the data's size. Raises ValueError as `tiny_latent_shape` does."""
        self.transformers: dict[str, nn.Module] = {EXPERT: transformer}
        self.codec = codec
        self.settings = settings
        self.clip_frames = data.clip_frames
        self.latent_shape = tiny_latent_shape(settings, data)

    @classmethod
    def create(
        cls, codec: Codec | WanCodec, settings: TinySettings, data: DataSettings, signal: Attached | None = None
    ) -> "TinyBackbone":
        """With random weights from `settings.seed`; it takes a signal where one is given."""
        torch.manual_seed(settings.seed)
        channels = settings.latent_channels
        transformer = WanTransformer3DModel(
            patch_size=(1, settings.patch, settings.patch),
            num_attention_heads=settings.heads,
            attention_head_dim=settings.head_dim,
            in_channels=2 * channels + MASK_CHANNELS,
            out_channels=channels,
            text_dim=settings.text_dim,
            freq_dim=64,
            ffn_dim=settings.ffn_dim,
            num_layers=settings.layers,
            cross_attn_norm=True,
            rope_max_seq_len=TINY_FRAMES,
        )
        if signal is not None:
            signal.attach(transformer, tiny_frames_a_latent(settings), settings.codec_patch * settings.patch)
        return cls(transformer, codec, settings, data)

    @classmethod
    def load(
        cls, folder: Path, settings: TinySettings, data: DataSettings, signal: Attached | None = None
    ) -> "TinyBackbone":
        """From a folder that `save` wrote, of a model that takes this signal."""
        if signal is None:
            transformer = WanTransformer3DModel.from_pretrained(folder / TRANSFORMER)
        else:
            transformer = WanTransformer3DModel.from_config(WanTransformer3DModel.load_config(folder / TRANSFORMER))
            signal.attach(transformer, tiny_frames_a_latent(settings), settings.codec_patch * settings.patch)
            transformer = load_like(transformer, folder / TRANSFORMER).eval()
        codec = WanCodec.load(folder) if settings.codec == "wan" else Codec.load(folder, settings.codec_patch)
        return cls(transformer, codec, settings, data)

    def resize(self, height: int, width: int) -> None:
        """Raises ValueError for another size than the one that codec and transformer were trained at."""
        patch = self.settings.codec_patch
        trained = (self.latent_shape[2] * patch, self.latent_shape[3] * patch)
        if (height, width) != trained:
            raise ValueError(
                f"the tiny backbone was trained on {trained[0]} x {trained[1]} pixels and makes nothing else; received "
                f"{height} x {width}"
            )

    def save(self, folder: Path) -> None:
        """Transformer in diffusers' layout, codec beside it."""
        self.transformers[EXPERT].save_pretrained(folder / TRANSFORMER)  # type: ignore[operator]
        self.codec.save(folder)
        (folder / "backbone.json").write_text(json.dumps(self.settings.model_dump(), indent=2))

    def encode(self, frames: Tensor) -> Tensor:
        """[B, F, H, W, 3] uint8 -> [B, C, T, h, w]; T = F where the codec does not compress time."""
        return self.codec.encode(frames)

    def decode(self, latents: Tensor, *, truncate: bool = False) -> Tensor:
        """[B, C, T, h, w] -> [B, F, H, W, 3] uint8"""
        return self.codec.decode(latents, truncate=truncate)

    def encode_text(self, prompts: Sequence[str]) -> Tensor:
        """Each word a fixed random vector (seeded by its hash) at its position; longer prompts are cut. [B, tokens, channels]

        In phrases, every word carries the first of its phrase, as a real encoder's tokens know their neighbours.
        """
        return torch.stack([self._embed(prompt) for prompt in prompts])

    def _embed(self, prompt: str) -> Tensor:
        tokens = torch.zeros(self.settings.text_tokens, self.settings.text_dim)
        words = prompt.lower().split()[: self.settings.text_tokens]
        for position, (word, head) in enumerate(zip(words, _heads(words), strict=True)):
            tokens[position] = self._vector(f"{position} {word}")
            if self.settings.text == "phrases":
                tokens[position] += self._vector(head)
        return tokens

    def _vector(self, text: str) -> Tensor:
        seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4])
        return torch.from_numpy(np.random.default_rng(seed).standard_normal(self.settings.text_dim)).float()

    def free_text_encoder(self) -> None:
        """There is none: words are hashed."""

    def expert(self, sigma: float) -> str:
        return EXPERT

    def span(self, expert: str) -> tuple[float, float]:
        return EVERYWHERE

    def condition(
        self, motion: Tensor, reference: Tensor, settings: ConditionSettings, latents: Tensor | None = None
    ) -> Condition:
        """Mask 1 on the first frame; latents of the motion frames, then of the padding."""
        known = self.encode(motion) if latents is None else latents
        latents = padded(known, self.encode(reference[:, None]), settings, self.latent_shape[1])
        return {"latents": masked(latents, MASK_CHANNELS, 1)}

    def latent_frames(self, frames: int) -> int:
        """Latent frames that hold the last `frames` pixel frames of a clip."""
        return -(-frames // tiny_frames_a_latent(self.settings))

    def learned(self, condition: Condition) -> None: ...

    def finish(self, x: Tensor, condition: Condition) -> Tensor:
        return x

    def velocity(
        self, transformer: nn.Module, x_t: Tensor, t: Tensor, condition: Condition, text: Tensor, branch: str = "cond"
    ) -> Tensor:
        """v [B, C, T, h, w]; Wan itself predicts noise - data from [noisy, mask, image] at timestep 1000 sigma."""
        model = bare(transformer)  # which DeepSpeed may have moved; everything else stays in float32 on the CPU
        like = model.patch_embedding.weight  # asking the model for its device looks through all of it
        x = torch.cat([x_t, condition["latents"]], dim=1).to(like)
        with branch_of(model, branch), showing(model, condition):
            timestep = a_token(TIMESTEPS * (1 - t), x, self.settings.patch).to(like.device)
            out: Any = transformer(x, timestep, text.to(like), return_dict=False)
        velocity: Tensor = -out[0].to(x_t.device, x_t.dtype)
        return velocity


def _heads(words: Sequence[str]) -> Iterator[str]:
    """Of each word, the first word of the phrase that it stands in; a comma ends a phrase."""
    head = ""
    for word in words:
        head = head or word.rstrip(",")
        yield head
        head = "" if word.endswith(",") else head
