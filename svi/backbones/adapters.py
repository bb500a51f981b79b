"""What a driving signal adds to diffusers' WanTransformer3DModel: modules in it, and hooks on its layers; nothing is forked.

A clip's signal stands in its condition under the adapter's key. What the adapter makes of it travels on the rotary embedding, which
Wan hands to every block: one that gradient checkpointing runs again, when the context has long ended, is shown the same. Hooks are
bound methods of modules, so that a deep copy of the transformer has its own.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any, Protocol

from diffusers.utils import SAFETENSORS_WEIGHTS_NAME
from safetensors.torch import load_file
from torch import Tensor, nn

from svi.backbones.wrapped import bare

Shown = dict[str, Tensor]
"""What blocks are shown, by the adapter's key."""


class Adapter(nn.Module, ABC):
    """One signal's part of a transformer; of a condition without its key, and before it has been trained, it changes no bit."""

    key: str
    """Its place in a `svi.backbones.backbone.Condition`, and its name in the transformer."""

    def attach(self, wan: Any) -> None:
        """Becomes a module of this WanTransformer3DModel. A subclass adds its hooks."""
        wan.add_module(self.key, self)
        self.given: Tensor | None = None

    @abstractmethod
    def shown(self, given: Tensor) -> Tensor | None:
        """What every block is shown of a clip's signal [B, ...]; None where blocks are shown nothing."""


class Layer(nn.Module, ABC):
    """What an adapter adds behind the text's cross-attention of a block: h + attn2(h) + `forward(h + attn2(h), shown)`."""

    def attach(self, block: Any, name: str, key: str) -> None:
        """Becomes a module of this WanTransformerBlock, of that name; `key` is its adapter's."""
        block.add_module(name, self)
        self.key = key
        self._shown: Tensor | None = None
        self._residual: Tensor | None = None
        block.register_forward_pre_hook(self._look)
        block.norm2.register_forward_pre_hook(self._keep)
        block.attn2.register_forward_hook(self._add)

    @abstractmethod
    def forward(self, x: Tensor, shown: Tensor) -> Tensor:
        """x [B, tokens, channels] -> what is added to it."""

    def _look(self, _: nn.Module, given: tuple[Any, ...]) -> None:
        self._shown = _marked(given[3]).get(self.key)

    def _keep(self, _: nn.Module, given: tuple[Any, ...]) -> None:
        self._residual = given[0]

    def _add(self, _: nn.Module, __: tuple[Any, ...], out: Tensor) -> Tensor:
        x, shown, self._residual, self._shown = self._residual, self._shown, None, None
        if shown is None:
            return out
        assert x is not None
        added: Tensor = self(x.type_as(out) + out, shown)
        return out + added


class Attached(Protocol):
    """Whatever gives transformers an adapter: `svi.conditions.signal.Signal`."""

    def attach(self, wan: Any, frames_a_latent: int, side: int) -> None: ...


def adapters_of(wan: Any) -> list[Adapter]:
    """Those that are attached to it."""
    return [module for module in wan.children() if isinstance(module, Adapter)]


def load_like(model: Any, folder: Path) -> Any:
    """A model like this one, adapters and all, with the weights that its `save_pretrained` wrote into the folder."""
    if not adapters_of(bare(model)):
        return type(model).from_pretrained(folder, torch_dtype=model.dtype)
    like = deepcopy(model)
    like.load_state_dict(load_file(folder / SAFETENSORS_WEIGHTS_NAME))
    return like


@contextmanager
def showing(transformer: nn.Module, condition: Mapping[str, Tensor]) -> Iterator[None]:
    """Inside, every forward of the transformer, wrapped or not, is shown the signals of this condition."""
    wan = bare(transformer)
    adapters = adapters_of(wan)
    if not adapters:
        yield
        return

    def mark(_: nn.Module, __: tuple[Any, ...], rotary: Any) -> None:
        found = {a.key: a.shown(a.given) for a in adapters if a.given is not None}
        _first(rotary).shown = {key: x for key, x in found.items() if x is not None}

    for adapter in adapters:
        given = condition.get(adapter.key)
        adapter.given = None if given is None else given.to(wan.device, wan.dtype)
    hook = wan.rope.register_forward_hook(mark)
    try:
        yield
    finally:
        hook.remove()
        for adapter in adapters:
            adapter.given = None


def _first(rotary: Any) -> Any:
    """The tensor that carries what is shown: of the usual embedding, or of one that block-causal attention has put there."""
    return getattr(rotary, "rotary", rotary)[0]


def _marked(rotary: Any) -> Shown:
    return getattr(_first(rotary), "shown", {})
