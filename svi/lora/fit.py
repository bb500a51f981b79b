"""Whether a LoRA was made for a transformer."""

import warnings
from collections.abc import Mapping
from dataclasses import replace

from peft.tuners.tuners_utils import BaseTunerLayer
from torch import nn

from svi.foreign import listed
from svi.lora.files import LoraWeights
from svi.lora.keys import every_block, in_block, of_image

KNOWN = {(40, 5120): "a Wan 14B", (30, 3072): "Wan 2.2 TI2V-5B", (30, 1536): "Wan 2.1 T2V-1.3B"}  # (blocks, channels)
Sizes = Mapping[str, tuple[int, ...]]  # (out, in) of linear layers by name, or the shapes of parameters


def fitting(transformer: nn.Module, weights: LoraWeights) -> LoraWeights:
    """What of the LoRA the transformer can hold: all, or, with a warning, all but the image branch where it has none at all.

    Few-step LoRAs of Wan 2.2 A14B hold Wan 2.1's image branch, which A14B lacks (LightX2V's issues 417 and 1246): what attends to
    a CLIP feature does nothing in a model that is given none. Raises ValueError with the names where a LoRA is there already,
    nothing matches, modules are missing on either side, or sizes differ.
    """
    found = _without_image(transformer, weights)
    if any(isinstance(module, BaseTunerLayer) for module in transformer.modules()):
        raise ValueError("the transformer has a LoRA already; load the backbone again to give it another one")
    linear = {name: m for name, m in transformer.named_modules() if isinstance(m, nn.Linear)}
    model: Sizes = {name: (m.out_features, m.in_features) for name, m in linear.items()}
    ours: Sizes = {name: (b.shape[0], a.shape[1]) for name, (a, b) in found.modules.items()}
    parameters: Sizes = {name: tuple(parameter.shape) for name, parameter in transformer.named_parameters()}
    added: Sizes = {name: tuple(tensor.shape) for name, tensor in found.differences.items()}
    everywhere = dict.fromkeys(one for name in ours for one in every_block(name, _blocks(model)))
    faults = {
        "in the LoRA but not in the model": [n for n in ours if n not in model]
        + [n for n in added if n not in parameters],
        "in the model but not in the LoRA": [name for name in everywhere if name not in ours],
        "of another size (out, in)": _other(ours, model) + _other(added, parameters),
    }
    if any(faults.values()):
        said = "; ".join(f"{fault}: {listed(names)}" for fault, names in faults.items() if names)
        matching = sum(name in model for name in ours)
        raise ValueError(
            f"the LoRA does not fit the model: {matching} of its {len(ours)} modules are there. It looks made for "
            f"{_looks(ours)}, the model is {_looks(model)}. {said}"
        )
    return found


def _without_image(transformer: nn.Module, weights: LoraWeights) -> LoraWeights:
    modules = {name: halves for name, halves in weights.modules.items() if not of_image(name)}
    differences = {name: tensor for name, tensor in weights.differences.items() if not of_image(name)}
    left = [name for name in (*weights.modules, *weights.differences) if of_image(name)]
    if not left or not modules or any(of_image(name) for name, _ in transformer.named_parameters()):
        return weights
    warnings.warn(
        f"the model has no branch for the image's CLIP feature, so what the LoRA has of it is not used: {listed(left)}",
        stacklevel=4,
    )
    return replace(weights, modules=modules, differences=differences)


def _other(ours: Sizes, model: Sizes) -> list[str]:
    return [f"{name} {size} instead of {model[name]}" for name, size in ours.items() if model.get(name, size) != size]


def _blocks(sizes: Sizes) -> int:
    return 1 + max((block for name in sizes if (block := in_block(name)[0]) is not None), default=-1)


def _looks(sizes: Sizes) -> str:
    blocks = _blocks(sizes)
    width = max((min(size) for name, size in sizes.items() if in_block(name)[0] is not None), default=0)
    known = KNOWN.get((blocks, width))
    return f"{blocks} blocks of {width} channels" + (f" ({known})" if known else "")
