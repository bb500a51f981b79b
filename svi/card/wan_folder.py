"""Wan models of random weights in diffusers' layout, small enough to be made and run in seconds.

Real classes throughout, from the tokenizer on; a model's own loading code reads the folder.
"""

from functools import cache
from pathlib import Path
from typing import Any, Literal

import torch
from diffusers import AutoencoderKLWan, UniPCMultistepScheduler, WanImageToVideoPipeline, WanTransformer3DModel
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

HEADS = 2
TEXT_DIM, IMAGE_DIM, INNER = 32, 32, 24
CORPUS = "a cat walks over the red square, then runs to the left; a dog looks at the blue disc, slowly. no text"


def write_wan_folder(folder: Path, kind: Kind = "wan2.1-i2v", seed: int = 0, inner: int = INNER) -> None:
    """A complete model: Wan 2.1 (CLIP feature), Wan 2.2 A14B (two transformers, boundary .9) or Wan 2.2 TI2V-5B.

    `inner`: channels of the transformer's two heads together.
    """
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
        transformer=_transformer(kind, inner),
        transformer_2=_transformer(kind, inner) if kind == "wan2.2-i2v" else None,
        boundary_ratio=0.9 if kind == "wan2.2-i2v" else None,
        expand_timesteps=kind == "wan2.2-ti2v",
    ).save_pretrained(folder)


def _transformer(kind: Kind, inner: int) -> WanTransformer3DModel:
    channels = {"wan2.2-ti2v": (48, 48)}.get(kind, (36, 16))
    image = kind == "wan2.1-i2v"
    return _shaken(
        WanTransformer3DModel(
            num_attention_heads=HEADS,
            attention_head_dim=inner // HEADS,
            in_channels=channels[0],
            out_channels=channels[1],
            text_dim=TEXT_DIM,
            freq_dim=16,
            ffn_dim=32,
            num_layers=2,
            cross_attn_norm=True,
            image_dim=IMAGE_DIM if image else None,
            added_kv_proj_dim=inner if image else None,
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


def _text_encoder() -> Any:
    config = UMT5Config(
        vocab_size=_tokenizer().vocab_size, d_model=TEXT_DIM, d_kv=8, d_ff=64, num_layers=2, num_heads=4, dropout_rate=0
    )
    encoder: Any = UMT5EncoderModel(config)
    return _shaken(encoder.eval())


def _image_encoder() -> Any:
    config = CLIPVisionConfig(
        hidden_size=IMAGE_DIM,
        intermediate_size=64,
        num_hidden_layers=3,
        num_attention_heads=4,
        image_size=28,
        patch_size=14,
    )
    encoder: Any = CLIPVisionModel(config)
    return _shaken(encoder.eval())


@cache
def _tokenizer() -> Any:
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
    kind: Any = PreTrainedTokenizerFast
    return kind(
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
        parameter.mul_(factor)
