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
from types import MappingProxyType
from typing import Any, Protocol

import torch
from diffusers.utils import SAFETENSORS_WEIGHTS_NAME
from safetensors.torch import load_file
from torch import Tensor, nn

from svi.backbones.wrapped import bare
from svi.foreign import listed

SIGNAL = "signal"
"""What the names of an adapter's tensors begin with in files, where no published ones say otherwise."""
Shown = dict[str, Tensor]
"""What blocks are shown, by the adapter's key."""


class Adapter(nn.Module, ABC):
    """One signal's part of a transformer; of a condition without its key, and before it has been trained, it changes no bit."""

    key: str
    """Its place in a `svi.backbones.backbone.Condition`, and its name in the transformer."""
    filled: Mapping[str, Tensor] = MappingProxyType({})
    """What it was filled with, by its names in files: as it came, whatever precision the transformer has."""

    def attach(self, wan: Any) -> None:
        """Becomes a module of this WanTransformer3DModel. A subclass adds its hooks."""
        wan.add_module(self.key, self)
        self.given: Tensor | None = None

    @abstractmethod
    def shown(self, given: Tensor) -> Tensor | None:
        """What every block is shown of a clip's signal [B, ...]; None where blocks are shown nothing."""

    def names(self, wan: Any) -> dict[str, str]:
        """The names of its tensors in files -> in this transformer, to which it is attached: all of its own, and of its layers."""
        mine = [(f"{name}.", module) for name, module in wan.named_modules() if module is self or self._has(module)]
        return {f"{SIGNAL}.{at}{name}": f"{at}{name}" for at, module in mine for name, _ in module.named_parameters()}

    def _has(self, module: nn.Module) -> bool:
        return isinstance(module, Layer) and module.key == self.key


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


def within(wan: Any, name: str) -> bool:
    """Whether this module of a transformer is an adapter's."""
    above = name.split(".")
    modules = (wan.get_submodule(".".join(above[: i + 1])) for i in range(len(above)))
    return any(isinstance(module, (Adapter, Layer)) for module in modules)


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


def added(transformer: nn.Module) -> dict[str, nn.Parameter]:
    """What adapters add to a transformer, wrapped or not: by their names in files."""
    wan = bare(transformer)
    parameters = dict(wan.named_parameters())
    return {theirs: parameters[ours] for adapter in adapters_of(wan) for theirs, ours in adapter.names(wan).items()}


@torch.no_grad()
def fill(transformer: nn.Module, tensors: Mapping[str, Tensor], origin: str, share: float = 1.0) -> list[str]:
    """Adapters are given these tensors, whatever stands before their names in files; returns the names that none of them has.

    `share` of the way from what they were. An adapter is filled whole, or not at all where nothing is its. Raises ValueError, which
    names `origin`, for missing tensors and other shapes; nothing is changed then.
    """
    wan = bare(transformer)
    parameters = dict(wan.named_parameters())
    given = {adapter: _found(tensors, adapter.names(wan)) for adapter in adapters_of(wan)}
    for adapter, found in given.items():
        _check(adapter, wan, found, tensors, origin)
    for adapter, found in given.items():
        for ours, key in found.items():
            parameters[ours].lerp_(tensors[key].to(parameters[ours]), share)
        if found:
            adapter.filled = {theirs: tensors[found[ours]] for theirs, ours in adapter.names(wan).items()}
    return sorted(set(tensors).difference(*(found.values() for found in given.values())))


def _found(tensors: Mapping[str, Tensor], names: Mapping[str, str]) -> dict[str, str]:
    """An adapter's names in its transformer -> the keys that are theirs, by their names in files or by `signal.` and their own."""
    endings = {f".{name}": ours for theirs, ours in names.items() for name in (theirs, f"{SIGNAL}.{ours}")}
    return {ours: key for key in tensors for ending, ours in endings.items() if f".{key}".endswith(ending)}


def _check(adapter: Adapter, wan: Any, found: Mapping[str, str], tensors: Mapping[str, Tensor], origin: str) -> None:
    parameters = dict(wan.named_parameters())
    if found and (missing := [theirs for theirs, ours in adapter.names(wan).items() if ours not in found]):
        raise ValueError(f"{origin}: {adapter.key} is incomplete; missing are {listed(missing)}")
    other = [
        f"{key} {list(tensors[key].shape)} (expected {list(parameters[ours].shape)})"
        for ours, key in found.items()
        if tensors[key].shape != parameters[ours].shape
    ]
    if other:
        raise ValueError(f"{origin}: {adapter.key} was made for another transformer: {listed(other)}")


@contextmanager
def showing(transformer: nn.Module, condition: Mapping[str, Tensor]) -> Iterator[None]:
    """Inside, every forward of the transformer, wrapped or not, is shown the signals of this condition."""
    wan = bare(transformer)
    adapters = adapters_of(wan)
    if not adapters:
        yield
        return

    def mark(_: nn.Module, __: tuple[Any, ...], rotary: Any) -> None:
        device = _first(rotary).device  # an offloaded model is only now where it computes
        found = {a.key: a.shown(a.given.to(device)) for a in adapters if a.given is not None}
        _first(rotary).shown = {key: x for key, x in found.items() if x is not None}

    for adapter in adapters:
        given = condition.get(adapter.key)
        adapter.given = None if given is None else given.to(wan.dtype)
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
