"""The diffusers model inside what wraps it: PEFT, DeepSpeed, torch.compile."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

from diffusers import WanTransformer3DModel
from torch import Tensor, nn

LORA_TARGETS: tuple[str, ...] = (
    "to_q",
    "to_k",
    "to_v",
    "to_out.0",
    "ffn.net.0.proj",
    "ffn.net.2",
)  # ends of the names of linear layers


def bare(transformer: nn.Module) -> Any:
    """The WanTransformer3DModel itself."""
    return next(module for module in transformer.modules() if isinstance(module, WanTransformer3DModel))


def branch_of(wan: Any, branch: str) -> AbstractContextManager[Any]:
    """Keeps the states of diffusers' caching hooks apart by branch of guidance; nothing where there are none."""
    context: AbstractContextManager[Any] = wan.cache_context(branch) if wan.is_cache_enabled else nullcontext()
    return context


def a_token(timestep: Tensor, x: Tensor, patch: int) -> Tensor:
    """Timesteps as the transformer takes them: one a clip [B] as it is, one a latent frame [B, T] for each of its tokens.

    x [B, C, T, h, w] -> [B] or [B, T h/patch w/patch]
    """
    if timestep.dim() == 1:
        return timestep
    return timestep.repeat_interleave(x.shape[3] // patch * (x.shape[4] // patch), dim=1)
