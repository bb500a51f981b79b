"""One film on several cards: each holds the transformers and computes its share of a clip's tokens (diffusers' context parallelism,
DeepSpeed-Ulysses, arXiv 2309.14509).

The first rank makes the film as if it were alone; whatever it asks a transformer, the others are told, and they answer with it.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import torch
import torch.distributed as dist
from torch import nn
from torch.utils._pytree import tree_map_only

from svi.backbones.wrapped import bare


def share(models: Mapping[str, nn.Module], ranks: int) -> None:
    """Compute these transformers together from now on, in place; to be called by all ranks, once each has joined.

    Raises ValueError for attention heads that so many ranks cannot share equally.
    """
    from diffusers import ContextParallelConfig

    for expert, model in models.items():
        wan = bare(model)
        if heads := wan.config.num_attention_heads % ranks:
            raise ValueError(
                f"{expert} has {wan.config.num_attention_heads} attention heads, which {ranks} cards cannot share equally "
                f"({heads} are left); take as many cards as divide them"
            )
        with _counted():
            wan.enable_parallelism(config=ContextParallelConfig(ulysses_degree=ranks))
        if dist.get_rank() == 0:
            wan.register_forward_pre_hook(_teller(expert), with_kwargs=True)


def call() -> None:
    """Let the other ranks open the same transformers; by the first one."""
    _broadcast(True)


def called() -> bool:
    """Whether the first rank needs this one at all; waits until it says so."""
    return _broadcast(None) is not None


def serve(models: Mapping[str, nn.Module]) -> None:
    """What every rank but the first one does, until that dismisses it."""
    with torch.no_grad():
        while (asked := _broadcast(None)) is not None:
            expert, args, kwargs = asked
            wan = bare(models[expert])
            args, kwargs = _moved((args, kwargs), wan.device)
            wan(*args, **kwargs)


def dismiss() -> None:
    """Let the other ranks end, which have served."""
    _broadcast(None)


def _teller(expert: str) -> Callable[..., None]:
    """A hook that tells the other ranks what this one is about to ask a transformer."""

    def tell(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        _broadcast((expert, *_moved((args, kwargs), "cpu")))  # each rank has a card of its own

    return tell


def _moved(asked: Any, to: torch.device | str) -> Any:
    return tree_map_only(torch.Tensor, lambda x: x.to(to), asked)


def _broadcast(said: Any) -> Any:
    """What the first rank says."""
    held = [said]
    dist.broadcast_object_list(held, src=0)
    return held[0]


@contextmanager
def _counted() -> Iterator[None]:
    """Where there is no card, ranks are processes on the CPU: diffusers 0.42 takes a rank modulo the number of cards."""
    if torch.cuda.is_available():
        yield
        return
    with patch.object(torch.accelerator, "device_count", return_value=1):
        yield
