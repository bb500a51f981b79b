"""Wan models of random weights in diffusers' layout, small enough for a test, and diffusers' own pipeline on them."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Literal

import torch
from diffusers import (
    AutoencoderKLWan,
    FlowMatchEulerDiscreteScheduler,
    UniPCMultistepScheduler,
    WanImageToVideoPipeline,
    WanTransformer3DModel,
)
from PIL import Image
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from torch import Tensor, nn
from transformers import (
    CLIPImageProcessor,
    CLIPVisionConfig,
    CLIPVisionModel,
    PreTrainedTokenizerFast,
    UMT5Config,
    UMT5EncoderModel,
)

Kind = Literal["wan2.1-i2v", "wan2.2-i2v", "wan2.2-ti2v"]
WanFolder = Callable[[Kind], Path]  # the fixture wan_folder: one of each kind a session, to be read
KINDS: tuple[Kind, ...] = ("wan2.1-i2v", "wan2.2-i2v", "wan2.2-ti2v")

TEXT_DIM, IMAGE_DIM, INNER = 32, 32, 24
CORPUS = "a cat walks over the red square, then runs to the left; a dog looks at the blue disc, slowly. no text"


def write_wan_folder(folder: Path, kind: Kind = "wan2.1-i2v", seed: int = 0) -> None:
    """A complete model: Wan 2.1 (CLIP feature), Wan 2.2 A14B (two transformers, boundary .9) or Wan 2.2 TI2V-5B."""
    torch.manual_seed(seed)
    image = kind == "wan2.1-i2v"
    WanImageToVideoPipeline(
        tokenizer=_tokenizer(),
        text_encoder=_text_encoder(),
        vae=_vae(kind),
        scheduler=UniPCMultistepScheduler(
            prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=5.0, num_train_timesteps=1000
        ),
        image_processor=CLIPImageProcessor(size={"shortest_edge": 28}, crop_size=28) if image else None,
        image_encoder=_image_encoder() if image else None,
        transformer=_transformer(kind),
        transformer_2=_transformer(kind) if kind == "wan2.2-i2v" else None,
        boundary_ratio=0.9 if kind == "wan2.2-i2v" else None,
        expand_timesteps=kind == "wan2.2-ti2v",
    ).save_pretrained(folder)


def _transformer(kind: Kind) -> WanTransformer3DModel:
    channels = {"wan2.2-ti2v": (48, 48)}.get(kind, (36, 16))
    image = kind == "wan2.1-i2v"
    return _shaken(
        WanTransformer3DModel(
            num_attention_heads=2,
            attention_head_dim=INNER // 2,
            in_channels=channels[0],
            out_channels=channels[1],
            text_dim=TEXT_DIM,
            freq_dim=16,
            ffn_dim=32,
            num_layers=2,
            cross_attn_norm=True,
            image_dim=IMAGE_DIM if image else None,
            added_kv_proj_dim=INNER if image else None,
            rope_max_seq_len=32,
        ).eval()
    )


def _vae(kind: Kind) -> AutoencoderKLWan:
    if kind != "wan2.2-ti2v":
        return _scaled(AutoencoderKLWan(base_dim=8, num_res_blocks=1).eval())
    return _scaled(
        AutoencoderKLWan(
            base_dim=8,
            decoder_base_dim=8,
            z_dim=48,
            num_res_blocks=1,
            latents_mean=[0.1] * 48,
            latents_std=[0.5] * 48,
            is_residual=True,
            in_channels=12,
            out_channels=12,
            patch_size=2,
            scale_factor_spatial=16,
        ).eval()
    )


def _text_encoder() -> UMT5EncoderModel:
    config = UMT5Config(
        vocab_size=_tokenizer().vocab_size, d_model=TEXT_DIM, d_kv=8, d_ff=64, num_layers=2, num_heads=4, dropout_rate=0
    )
    return _shaken(UMT5EncoderModel(config).eval())


def _image_encoder() -> CLIPVisionModel:
    config = CLIPVisionConfig(
        hidden_size=IMAGE_DIM,
        intermediate_size=64,
        num_hidden_layers=3,
        num_attention_heads=4,
        image_size=28,
        patch_size=14,
    )
    return _shaken(CLIPVisionModel(config).eval())


@cache
def _tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level BPE: every prompt has tokens of its own, the corpus' words one each."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        [CORPUS],
        trainers.BpeTrainer(
            vocab_size=400,
            special_tokens=["<pad>", "</s>", "<unk>"],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=512
    )


def _shaken(module: Any) -> Any:
    """With noise on every weight: none is left at zero, so that everything put in reaches what comes out."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter += 0.2 * torch.randn_like(parameter) / max(parameter.shape[-1], 1) ** 0.5
    return module


def _scaled(vae: Any) -> Any:
    """With latents about as large as the config's statistics say, and pixels that fill their range."""
    x = torch.rand(1, 3, 9, 32, 48) * 2 - 1
    with torch.no_grad():
        wanted = torch.tensor(vae.config.latents_std).mean()
        _amplify(vae.quant_conv, wanted / vae.encode(x).latent_dist.mode().std())
        pixels = vae.decode(torch.randn_like(vae.encode(x).latent_dist.mode()) * wanted).sample
        _amplify(vae.decoder.conv_out, 0.5 / pixels.std())
    return vae


def _amplify(layer: nn.Module, factor: Tensor) -> None:
    for parameter in layer.parameters():
        parameter *= factor


def pinned(sigmas: Tensor) -> FlowMatchEulerDiscreteScheduler:
    """diffusers' Euler scheduler that takes these noise levels whatever a pipeline asks for. sigmas [steps], without the final 0"""
    scheduler = FlowMatchEulerDiscreteScheduler(shift=1.0)
    original = scheduler.set_timesteps
    scheduler.set_timesteps = lambda num_inference_steps, device=None: original(sigmas=sigmas.numpy(), device=device)
    return scheduler


def euler_sigmas(steps: int, shift: float) -> Tensor:
    """shift(linspace(1, 0, steps + 1)[:-1]). [steps] float32"""
    u = torch.linspace(1, 0, steps + 1, dtype=torch.float64)[:-1]
    return (shift * u / (1 + (shift - 1) * u)).float()


def scheduler_for(solver: str, steps: int, shift: float) -> Any:
    """The scheduler a film is made with; both solvers, noise levels set."""
    if solver == "euler":
        return pinned(euler_sigmas(steps, shift))
    return UniPCMultistepScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=shift, num_train_timesteps=1000
    )


def pipeline_latents(
    folder: Path,
    image: Tensor,
    prompt: str,
    negative: str,
    noise: Tensor,
    steps: int,
    shift: float,
    guidance: float,
    guidance_2: float | None = None,
    solver: str = "euler",
    text_tokens: int = 512,
) -> Tensor:
    """One clip by WanImageToVideoPipeline in float32 on the CPU. image [H, W, 3] uint8, noise [1, C, T, h, w] -> latents."""
    pipeline = WanImageToVideoPipeline.from_pretrained(folder)
    pipeline.scheduler = scheduler_for(solver, steps, shift)
    pipeline.set_progress_bar_config(disable=True)
    height, width, _ = image.shape
    out: Tensor = pipeline(
        image=Image.fromarray(image.numpy()),
        prompt=prompt,
        negative_prompt=negative,
        height=height,
        width=width,
        num_frames=4 * (noise.shape[2] - 1) + 1,
        num_inference_steps=steps,
        guidance_scale=guidance,
        guidance_scale_2=guidance_2,
        latents=noise,
        max_sequence_length=text_tokens,
        output_type="latent",
    ).frames
    return out
