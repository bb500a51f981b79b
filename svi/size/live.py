"""Counts what a computation holds and does without doing it: on torch's meta device tensors have shapes and no numbers."""

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only
from torch.utils.flop_counter import flop_registry

ATEN = torch.ops.aten
_COUNTED_AS = {  # some versions of torch have no formula for the left ones, whose arguments are the right ones'
    ATEN._scaled_dot_product_flash_attention_for_cpu: ATEN._scaled_dot_product_flash_attention,
    ATEN._scaled_dot_product_flash_attention_for_cpu_backward: ATEN._scaled_dot_product_flash_attention_backward,
}


class Live(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Bytes of all tensors that are alive, made while it is entered; the most there were at once; and FLOPs of products,
    convolutions and attention, as torch counts them."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now, self.most, self.flops = 0, 0, 0
        self._sizes: dict[int, int] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        named = kwargs or {}
        out = func(*args, **named)
        tree_map_only(Tensor, self._meet, out)
        counted_as = _COUNTED_AS.get(func._overloadpacket, func._overloadpacket)
        if counted_as in flop_registry:
            self.flops += flop_registry[counted_as](*args, **named, out_val=out)
        if func is ATEN.convolution.default:
            # oneDNN and cuDNN compute in a layout of their own: what goes in and what comes out are there once more.
            self.most = max(self.most, self.now + _bytes(args[0]) + _bytes(out))
        return out

    def _meet(self, tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key not in self._sizes:
            self._sizes[key] = storage.nbytes()
            self.now += self._sizes[key]
            self.most = max(self.most, self.now)
            weakref.finalize(storage, self._part, key)
        return tensor

    def _part(self, key: int) -> None:
        self.now -= self._sizes.pop(key)


@contextmanager
def counted() -> Iterator[Live]:
    """All tensors made inside are on the meta device, and counted."""
    with (
        patch.object(torch.nn.functional, "scaled_dot_product_attention", _fused),
        torch.device("meta"),
        Live() as live,
    ):
        yield live


def _fused(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """One of torch's fused kernels: on no device it would take the plain one, which builds the whole matrix of scores."""
    out: Tensor = ATEN._scaled_dot_product_flash_attention_for_cpu(
        query, key, value, dropout_p, is_causal, attn_mask=attn_mask, scale=scale
    )[0]
    return out


def _bytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()
