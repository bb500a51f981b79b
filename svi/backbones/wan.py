"""Wan 2.1 and 2.2 image-to-video from a local folder in diffusers' layout; computes what WanImageToVideoPipeline computes."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKLWan, WanTransformer3DModel
from PIL import Image
from torch import Tensor, nn

from svi.artifacts import MODEL_INDEX
from svi.backbones.adapters import Attached, showing
from svi.backbones.backbone import Condition
from svi.backbones.catalogue import Geometry
from svi.backbones.padding import masked, padded
from svi.backbones.speed import default_device
from svi.backbones.wan_vae import pixels, statistics
from svi.backbones.weights import read_geometry
from svi.backbones.wrapped import LORA_TARGETS, a_token, bare, branch_of
from svi.foreign import read_object
from svi.method.flow import EVERYWHERE, TIMESTEPS
from svi.method.recycle import over
from svi.settings import BackboneSettings, ConditionSettings, DataSettings


class WanBackbone:
    """A Wan model in files (protocol: svi.backbones.backbone.Backbone).

    VAE and CLIP compute in float32, text encoder and transformers in `settings.dtype`. Encoders are loaded when first used, on
    the GPU if there is one; transformers stay where they are put.
    """

    lora_targets: tuple[str, ...] = LORA_TARGETS

    def __init__(
        self,
        folder: Path,
        shape: Geometry,
        transformers: dict[str, nn.Module],
        settings: BackboneSettings,
        data: DataSettings,
    ) -> None:
        """Transformers by expert. Raises ValueError if the data's size does not divide into the model's tokens."""
        self.folder, self.shape, self.settings = folder, shape, settings
        self.transformers = transformers
        self.clip_frames = data.clip_frames
        self.latent_shape = shape.latent_shape(data.height, data.width, data.clip_frames)
        self.boundary = settings.boundary or shape.boundary
        if len(shape.experts) > 1 and self.boundary is None:
            raise ValueError(f"{folder} has two experts and names no boundary between them: set backbone.boundary")

    @classmethod
    def load(
        cls,
        folder: Path,
        settings: BackboneSettings,
        data: DataSettings,
        experts: Sequence[str] | None = None,
        signal: Attached | None = None,
    ) -> "WanBackbone":
        """From a folder that `find_weights` gave. `experts`: the transformers to load, None: all; encoding needs none. Each takes
        the signal, where one is given.

        Raises ValueError, before weights are read, for a folder or a clip size that does not fit.
        """
        backbone = cls(folder, read_geometry(folder), {}, settings, data)
        for expert in backbone.shape.experts if experts is None else experts:
            transformer = WanTransformer3DModel.from_pretrained(folder / expert, torch_dtype=backbone.dtype)
            if signal is not None:
                with torch.random.fork_rng(devices=[]):
                    torch.manual_seed(0)  # of what no published weights replace
                    signal.attach(transformer, backbone.shape.frames_a_latent, backbone.shape.side)
            backbone.transformers[expert] = transformer.requires_grad_(False).eval()
        return backbone

    def resize(self, height: int, width: int) -> None:
        """Nothing is loaded again: sizes are in no weight. Raises ValueError for a size that does not divide into tokens."""
        self.latent_shape = self.shape.latent_shape(height, width, self.clip_frames)

    @property
    def dtype(self) -> torch.dtype:
        """Numbers of text encoder and transformers."""
        dtype: torch.dtype = getattr(torch, self.settings.dtype)
        return dtype

    @property
    def device(self) -> torch.device:
        """Where encoders compute: this process's GPU if there is one."""
        return default_device()

    # Experts

    def expert(self, sigma: float) -> str:
        """The first one from the boundary on. Compared as timesteps in float32, as diffusers does."""
        if len(self.shape.experts) == 1 or _timestep(sigma) >= _timestep(self._boundary):
            return self.shape.experts[0]
        return self.shape.experts[1]

    def span(self, expert: str) -> tuple[float, float]:
        """All noise levels, or those above or below the boundary."""
        if len(self.shape.experts) == 1:
            return EVERYWHERE
        low, high = EVERYWHERE
        return (self._boundary, high) if expert == self.shape.experts[0] else (low, self._boundary)

    @property
    def _boundary(self) -> float:
        assert self.boundary is not None  # __init__ refuses two experts without one
        return self.boundary

    # Encoders, each loaded at its first use

    @cached_property
    def vae(self) -> Any:
        """AutoencoderKLWan in float32."""
        vae = AutoencoderKLWan.from_pretrained(self.folder / "vae", torch_dtype=torch.float32)
        if self.settings.vae_tiling:
            vae.enable_tiling()
        return vae.requires_grad_(False).eval().to(self.device)

    @cached_property
    def text_encoder(self) -> tuple[Any, Any]:
        """Tokenizer and UMT5."""
        return self._component("tokenizer"), self._encoder("text_encoder", self.dtype)

    @cached_property
    def image_encoder(self) -> tuple[Any, Any]:
        """Image processor and CLIP's vision model in float32."""
        return self._component("image_processor"), self._encoder("image_encoder", torch.float32)

    def _component(self, name: str, **options: Any) -> Any:
        """By the class that the folder names, as diffusers does: tokenizers of other classes cut prompts differently."""
        import transformers

        index = read_object(self.folder / MODEL_INDEX)
        return getattr(transformers, index[name][1]).from_pretrained(self.folder / name, **options)

    def _encoder(self, name: str, dtype: torch.dtype) -> Any:
        return self._component(name, dtype=dtype).requires_grad_(False).eval().to(self.device)

    def free_text_encoder(self) -> None:
        """Give its memory back; the next encode_text loads it again."""
        self.__dict__.pop("text_encoder", None)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def rest_text_encoder(self) -> None:
        """Give the card's memory back, and wait in the machine's; the next encode_text takes it from there."""
        if "text_encoder" in self.__dict__:
            self.text_encoder[1].to("cpu")
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    # Text

    @torch.no_grad()
    def encode_text(self, prompts: Sequence[str]) -> Tensor:
        """UMT5's last hidden states, zeros behind the prompt's tokens. [B, settings.text_tokens, channels] float32"""
        return torch.stack([self._embed(prompt) for prompt in prompts])

    def _embed(self, prompt: str) -> Tensor:
        from diffusers.pipelines.wan.pipeline_wan_i2v import prompt_clean

        tokenizer, encoder = self.text_encoder
        encoder.to(self.device)  # where it rested
        length = self.settings.text_tokens
        tokens = tokenizer(
            [prompt_clean(prompt)], padding="max_length", max_length=length, truncation=True, return_tensors="pt"
        )
        mask = tokens.attention_mask
        states = encoder(tokens.input_ids.to(self.device), mask.to(self.device)).last_hidden_state
        written = states[0, : int(mask.sum())].float().cpu()
        return F.pad(written, (0, 0, 0, length - len(written)))

    # Pixels and latents

    def encode(self, frames: Tensor) -> Tensor:
        """[B, F, H, W, 3] uint8 -> [B, C, T, h, w], clip by clip; T = (F - 1) / 4 + 1."""
        return torch.cat([self._encode(pixels(clip[None])) for clip in frames])

    @torch.no_grad()
    def _encode(self, x: Tensor) -> Tensor:
        """[1, 3, F, H, W] in [-1, 1] -> normalised latents, the distribution's mode."""
        mean, scale = self._statistics
        mode: Tensor = self.vae.encode(x.to(self.device)).latent_dist.mode().cpu()
        return (mode - mean) * scale

    @torch.no_grad()
    def decode(self, latents: Tensor, *, truncate: bool = False) -> Tensor:
        """[B, C, T, h, w] -> [B, F, H, W, 3] uint8, clip by clip."""
        mean, scale = self._statistics
        return torch.stack([self._decode(clip[None] / scale + mean, truncate) for clip in latents])

    def _decode(self, z: Tensor, truncate: bool) -> Tensor:
        x: Tensor = self.vae.decode(z.to(self.device)).sample[0].permute(1, 2, 3, 0)
        x = x.mul(0.5).add(0.5).clamp(0, 1).mul(255)
        return (x if truncate else x.round()).to(torch.uint8).cpu()

    @property
    def _statistics(self) -> tuple[Tensor, Tensor]:
        """Mean and reciprocal standard deviation of the latents, as diffusers computes them."""
        mean, std = statistics(self.vae)
        return mean, 1.0 / std

    def latent_frames(self, frames: int) -> int:
        """Latent frames that hold the last `frames` pixel frames of a clip: four each."""
        return self.shape.latent_frames(frames)

    # Condition

    def condition(
        self, motion: Tensor, reference: Tensor, settings: ConditionSettings, latents: Tensor | None = None
    ) -> Condition:
        """Motion frames, then padding, as one encoded video; the mask is 1 on the first latent frame alone.

        With `latents`, behind an anchor and in TI2V-5B it is put together from latents instead; TI2V-5B's mask is 1 on all that
        are given. CLIP's feature is that of the first frame. Raises ValueError for settings that do nothing in this model.
        """
        self.shape.check_condition(settings)
        given = 1
        if latents is None and not settings.anchor and not self.shape.expand_timesteps:
            films = zip(motion[:, None], reference[:, None, None], strict=True)
            videos = (padded(pixels(known), pixels(image), settings, self.clip_frames) for known, image in films)
            video = torch.cat([self._encode(x) for x in videos])
        else:
            known = self._motion_latents(motion, settings.anchor) if latents is None else latents
            image = self.encode(reference[:, None])
            given = known.shape[2] + settings.anchor if self.shape.expand_timesteps else given
            video = padded(known, image, settings, self.latent_shape[1])
        condition = {"latents": masked(video, self.shape.mask_channels, given)}
        if self.shape.image_dim is not None:
            condition["image"] = self._image_feature(reference if settings.anchor else motion[:, 0])
        return condition

    def _motion_latents(self, motion: Tensor, anchored: bool) -> Tensor:
        """Latents of motion frames alone, as many as hold them.

        A video's first latent holds one frame, every other four. Behind an anchor stand latents of four, as in a hand-off: the
        first frame is repeated before the others until they are whole, and the latent of one frame is dropped.
        """
        if not anchored:
            return self.encode(motion)
        wanted = self.latent_frames(motion.shape[1])
        ahead = 1 + wanted * self.shape.frames_a_latent - motion.shape[1]
        return self.encode(torch.cat([motion[:, :1].expand(-1, ahead, -1, -1, -1), motion], dim=1))[:, :, 1:]

    @torch.no_grad()
    def _image_feature(self, images: Tensor) -> Tensor:
        """CLIP's last hidden states but one. [B, H, W, 3] uint8 -> [B, 257, 1280]"""
        processor, encoder = self.image_encoder
        if self.settings.clip_image == "squash":
            values = squashed(images, encoder.config.image_size, processor.image_mean, processor.image_std)
        else:
            pictures = [Image.fromarray(image.numpy()) for image in images]
            values = processor(images=pictures, return_tensors="pt")["pixel_values"]
        states = encoder(pixel_values=values.to(self.device), output_hidden_states=True).hidden_states
        feature: Tensor = states[-2].float().cpu()
        return feature

    # Denoising

    def velocity(
        self, transformer: nn.Module, x_t: Tensor, t: Tensor, condition: Condition, text: Tensor, branch: str = "cond"
    ) -> Tensor:
        """v [B, C, T, h, w] float32 at t [B]; Wan itself predicts noise - data at timestep 1000 sigma.

        With t = 1 - timestep / 1000 in float64, the model gets a scheduler's timestep to the last bit.
        """
        wan = bare(transformer)
        x, timestep = self._model_input(x_t, _timestep(1 - t.double()), condition)
        image = condition.get("image")
        with branch_of(wan, branch), showing(wan, condition):
            out: Any = transformer(
                hidden_states=x.to(wan.device, wan.dtype),
                timestep=timestep.to(wan.device),
                encoder_hidden_states=text.to(wan.device, wan.dtype),
                encoder_hidden_states_image=None if image is None else image.to(wan.device, wan.dtype),
                return_dict=False,
            )
        velocity: Tensor = -out[0].float().to(x_t.device)
        return velocity

    def _model_input(self, x_t: Tensor, timestep: Tensor, condition: Condition) -> tuple[Tensor, Tensor]:
        """What the transformer sees, and its timesteps, one a clip or a token; TI2V-5B: one a token, 0 where a latent is given."""
        patch = self.shape.patch
        if not self.shape.expand_timesteps:
            return torch.cat([x_t, condition["latents"]], dim=1), a_token(timestep, x_t, patch)
        noisy = 1 - condition["latents"][:, :1]
        each = (noisy * over(timestep, noisy))[:, 0, :, ::patch, ::patch].flatten(1)
        return self.finish(x_t, condition), each

    def learned(self, condition: Condition) -> Tensor | None:
        """TI2V-5B: 0 on given latent frames, [B, 1, T, 1, 1]; the others predict everywhere."""
        return 1 - condition["latents"][:, :1, :, :1, :1] if self.shape.expand_timesteps else None

    def finish(self, x: Tensor, condition: Condition) -> Tensor:
        """TI2V-5B: with the given latents in place; the others as it is."""
        if not self.shape.expand_timesteps:
            return x
        given, latents = condition["latents"][:, :1], condition["latents"][:, 1:]
        return given * latents + (1 - given) * x


def squashed(images: Tensor, side: int, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Images [B, H, W, 3] uint8 as a square, bicubic without antialiasing (the authors' code), normalised. [B, 3, side, side]"""
    square = F.interpolate(pixels(images[:, None])[:, :, 0], size=(side, side), mode="bicubic", align_corners=False)
    offset, scale = (torch.tensor(values)[:, None, None] for values in (mean, std))
    return (square / 2 + 0.5 - offset) / scale


def _timestep(sigma: Any) -> Any:
    return torch.as_tensor(TIMESTEPS * sigma, dtype=torch.float32)
