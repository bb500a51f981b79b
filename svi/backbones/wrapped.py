"""The diffusers model inside what wraps it: PEFT, DeepSpeed, torch.compile."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

from diffusers import ModelMixin
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
    """The model of diffusers itself: a WanTransformer3DModel, or one of somebody's own."""
    return next(module for module in transformer.modules() if isinstance(module, ModelMixin))


def caches(model: Any) -> bool:
    """Whether hooks of diffusers cache between its steps, which not every model can have."""
    return bool(getattr(model, "is_cache_enabled", False))


def branch_of(wan: Any, branch: str) -> AbstractContextManager[Any]:
    """Keeps the states of diffusers' caching hooks apart by branch of guidance; nothing where there are none."""
    context: AbstractContextManager[Any] = wan.cache_context(branch) if caches(wan) else nullcontext()
    return context


def a_token(timestep: Tensor, x: Tensor, patch: int) -> Tensor:
    """Timesteps as the transformer takes them: one a clip [B] as it is, one a latent frame [B, T] for each of its tokens.

    x [B, C, T, h, w] -> [B] or [B, T h/patch w/patch]
    """
    if timestep.dim() == 1:
        return timestep
    return timestep.repeat_interleave(x.shape[3] // patch * (x.shape[4] // patch), dim=1)
