"""How transformers are run: attention kernel, compilation, where weights lie and how they are stored, caching between steps.

All of it is diffusers' own: attention backends, regional compilation, group offloading, layerwise casting and caching hooks;
int8 is torchao's, whole models are offloaded by accelerate.
"""

import os
from collections.abc import Mapping
from importlib.util import find_spec
from shutil import which
from typing import Any

import torch
from torch import nn

from svi.backbones.wrapped import bare, caches
from svi.settings import SpeedSettings

HALF = (torch.bfloat16, torch.float16)  # what flash-attn computes in


def default_device() -> torch.device:
    """This process's GPU if there is one, else the CPU."""
    return torch.device("cuda", torch.cuda.current_device()) if torch.cuda.is_available() else torch.device("cpu")


def prepare(
    models: Mapping[str, nn.Module], speed: SpeedSettings, device: torch.device | None = None
) -> Mapping[str, nn.Module]:
    """Make transformers by expert, wrapped by PEFT or not, ready to generate on a device; in place, and handed back.

    Raises ValueError, before anything is changed, for what this machine, its packages or a transformer cannot do.
    """
    device = device or default_device()
    _check(models, speed, device)
    for model in models.values():
        _store(model, speed.weights)
    put(models, speed.offload, device)
    for model in models.values():
        if speed.cache != "none":
            bare(model).enable_cache(_cache(speed))
        kernels(model, speed, device)
    return models


def kernels(model: nn.Module, speed: SpeedSettings, device: torch.device) -> None:
    """Attention backend and compilation, which training uses as well; in place. Raises ValueError as `prepare`."""
    _check_compiler(speed)
    wan = bare(model)
    wan.set_attention_backend(_attention(speed, device, wan.dtype))
    if speed.compile:
        wan.compile_repeated_blocks()


def rest(model: nn.Module) -> None:
    """After a clip: forget what caching hooks keep, and give the card back if whole models are offloaded."""
    from diffusers.hooks import HookRegistry

    wan = bare(model)
    if caches(wan):
        HookRegistry.check_if_exists_or_initialize(wan).reset_stateful_hooks()
    if hasattr(wan, "_hf_hook"):  # accelerate's
        wan.to("cpu")


def _check(models: Mapping[str, nn.Module], speed: SpeedSettings, device: torch.device) -> None:
    if speed.offload != "none" and device.type == "cpu":
        raise ValueError(
            f"speed.offload is {speed.offload!r}, which keeps weights in host memory until a GPU needs them, but torch sees "
            "no GPU here; set speed.offload=none"
        )
    if speed.weights == "int8" and find_spec("torchao") is None:
        raise ValueError("speed.weights is 'int8', which needs torchao: pip install 'svi-harness[quant]'")
    _check_compiler(speed)
    for expert, model in models.items():
        _attention(speed, device, bare(model).dtype)
        if speed.cache == "first_block" and len(bare(model).blocks) < 2:
            raise ValueError(
                f"speed.cache is 'first_block', but {expert} has one block and nothing behind it to skip; set speed.cache=none"
            )


def _check_compiler(speed: SpeedSettings) -> None:
    """Raises ValueError if compilation is asked for and there is nothing to compile with."""
    compiler = os.environ.get("CXX", "g++")  # as torch looks for it
    if speed.compile and which(compiler) is None:
        raise ValueError(
            f"speed.compile needs a C++ compiler, but {compiler} is not on the PATH; install one, or set speed.compile=false"
        )


def _attention(speed: SpeedSettings, device: torch.device, dtype: torch.dtype) -> str:
    """diffusers' name of the attention backend."""
    can = device.type == "cuda" and dtype in HALF
    installed = find_spec("flash_attn") is not None
    if speed.attention == "flash" and not installed:
        raise ValueError(
            "speed.attention is 'flash', but flash-attn is not installed: pip install 'svi-harness[flash-attn]' "
            "--no-build-isolation, or set speed.attention=sdpa"
        )
    if speed.attention == "flash" and not can:
        raise ValueError(
            f"speed.attention is 'flash', which computes in bfloat16 on a GPU; received {dtype} on {device.type}: "
            "set speed.attention=sdpa or backbone.dtype=bfloat16"
        )
    return "flash" if speed.attention != "sdpa" and installed and can else "native"


def _store(model: nn.Module, weights: str) -> None:
    """Store the weights of linear layers (fp8: convolutions too) in a byte each; adapters and norms stay as they are."""
    wan = bare(model)
    if weights == "fp8":
        wan.enable_layerwise_casting(storage_dtype=torch.float8_e4m3fn, compute_dtype=wan.dtype)
    elif weights == "int8":
        from torchao.quantization import Int8WeightOnlyConfig, quantize_

        quantize_(wan, Int8WeightOnlyConfig(), filter_fn=_quantisable)


def _quantisable(module: nn.Module, name: str) -> bool:
    return isinstance(module, nn.Linear) and name.startswith("blocks.") and "lora_" not in name


def put(models: Mapping[str, nn.Module], offload: str, device: torch.device) -> None:
    """Put the weights where they are computed with, or leave them in host memory with hooks that fetch them."""
    hook = None
    for model in models.values():
        wan = bare(model)
        if offload == "none":
            wan.to(device)
        elif offload == "group":
            wan.enable_group_offload(
                onload_device=device,
                offload_type="block_level",
                num_blocks_per_group=1,
                use_stream=device.type == "cuda",
            )
        else:
            from accelerate import cpu_offload_with_hook

            _, hook = cpu_offload_with_hook(wan, device, prev_module_hook=hook)


def _cache(speed: SpeedSettings) -> Any:
    """diffusers' configuration of a caching hook whose states are kept by branch."""
    from diffusers import FirstBlockCacheConfig, TaylorSeerCacheConfig

    if speed.cache == "first_block":
        return FirstBlockCacheConfig(threshold=speed.cache_threshold)
    # Lite: whole blocks are skipped and the output projection predicted; per layer the factors would outweigh the model.
    return TaylorSeerCacheConfig(use_lite_mode=True, taylor_factors_dtype=torch.float32)
