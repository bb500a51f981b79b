"""LoRA adapters on a backbone's transformers: a new one, one from a file, and what Train writes."""

import warnings
from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import Tensor, nn

from svi.artifacts import LORA, MODEL_INDEX, TRANSFORMER
from svi.backbones.adapters import adapters_of, added, fill, load_like, within
from svi.backbones.backbone import Backbone
from svi.backbones.catalogue import EXPERT
from svi.backbones.wrapped import bare
from svi.foreign import listed
from svi.lora import files as lora_files
from svi.lora.files import LoraWeights
from svi.lora.keys import every_block, in_block
from svi.settings import TrainSettings

KNOWN = {(40, 5120): "a Wan 14B", (30, 3072): "Wan 2.2 TI2V-5B", (30, 1536): "Wan 2.1 T2V-1.3B"}  # (blocks, channels)
Sizes = Mapping[str, tuple[int, int]]  # (out, in) of linear layers by name


def adapted(backbone: Backbone, settings: TrainSettings, expert: str = EXPERT) -> nn.Module:
    """The expert's transformer with what is trained: a LoRA, or every parameter.

    A new LoRA (A random from settings.seed, B zero), or settings.from_'s, which is at first what it was, whatever its alpha. It is
    float32, whatever the transformer is. Raises ValueError for one that does not fit the transformer.
    """
    transformer: Any = backbone.transformers[expert]
    start = None if settings.from_ is None else Path(settings.from_)
    if settings.adapter == "full":
        whole = transformer if start is None else load_like(transformer, start / TRANSFORMER)
        backbone.transformers[expert] = whole.requires_grad_(True)
        return backbone.transformers[expert]
    weights = None if start is None else lora_files.read(start)
    if weights:
        _check_fit(transformer, weights)
    targets = list(weights.modules) if weights else _targets(transformer, backbone.lora_targets)
    torch.manual_seed(settings.seed)
    config = LoraConfig(r=settings.rank, lora_alpha=settings.alpha, target_modules=targets)
    adapter: nn.Module = get_peft_model(transformer, config)
    if weights:
        _copy(weights, transformer, times=weights.scale / (settings.alpha / settings.rank))
    if settings.with_signal:
        for parameter in added(adapter).values():
            parameter.requires_grad_(True)
    return adapter


def _targets(transformer: Any, endings: Collection[str]) -> list[str]:
    """The transformer's own linear layers with these endings: what a signal adds may have layers of such names too."""
    if not adapters_of(transformer):
        return list(endings)
    linear = [name for name, module in transformer.named_modules() if isinstance(module, nn.Linear)]
    return [
        name
        for name in linear
        if any(f".{name}".endswith(f".{ending}") for ending in endings) and not within(transformer, name)
    ]


def attach(transformer: nn.Module, weights: LoraWeights, share: float = 1.0) -> nn.Module:
    """The transformer with this LoRA at `share` of its strength, frozen and in its numbers, as diffusers loads one.

    Every module must be there and fit, none may be left out. What signals add, where it lies beside the LoRA, goes into their
    adapters.

    Raises ValueError with the names when nothing matches, modules are missing on either side, or sizes differ.
    """
    _check_fit(transformer, weights)
    alpha: Any = weights.alpha * share  # PEFT takes fractions too
    config = LoraConfig(r=weights.rank, lora_alpha=alpha, target_modules=list(weights.modules), inference_mode=True)
    wrapped: Any = transformer
    with torch.random.fork_rng(devices=[]):  # PEFT draws an A first, which is replaced
        model: nn.Module = get_peft_model(wrapped, config)
    _copy(weights, transformer, share=share)
    for name in weights.modules:
        layer: Any = transformer.get_submodule(name)
        layer.lora_A.to(wrapped.dtype)
        layer.lora_B.to(wrapped.dtype)
    return model.eval()


@torch.no_grad()
def _copy(weights: LoraWeights, transformer: nn.Module, times: float = 1, share: float = 1) -> None:
    """Into PEFT's layers, B so many times as large; and `share` of what lay beside the LoRA into adapters of signals."""
    unused = fill(transformer, weights.extra, "beside the LoRA", share)
    if unused:
        warnings.warn(f"beside the LoRA and not used: {listed(unused)}", stacklevel=4)
    for name, (a, b) in weights.modules.items():
        layer: Any = transformer.get_submodule(name)
        layer.lora_A["default"].weight.copy_(a)
        layer.lora_B["default"].weight.copy_(b.float() * times)


def _check_fit(transformer: nn.Module, weights: LoraWeights) -> None:
    if any(isinstance(module, BaseTunerLayer) for module in transformer.modules()):
        raise ValueError("the transformer has a LoRA already; load the backbone again to give it another one")
    linear = {name: m for name, m in transformer.named_modules() if isinstance(m, nn.Linear)}
    model: Sizes = {name: (m.out_features, m.in_features) for name, m in linear.items()}
    ours: Sizes = {name: (b.shape[0], a.shape[1]) for name, (a, b) in weights.modules.items()}
    everywhere = dict.fromkeys(one for name in ours for one in every_block(name, _blocks(model)))
    faults = {
        "in the LoRA but not in the model": [name for name in ours if name not in model],
        "in the model but not in the LoRA": [name for name in everywhere if name not in ours],
        "of another size (out, in)": [
            f"{name} {size} instead of {model[name]}" for name, size in ours.items() if model.get(name, size) != size
        ],
    }
    if any(faults.values()):
        said = "; ".join(f"{fault}: {listed(names)}" for fault, names in faults.items() if names)
        matching = sum(name in model for name in ours)
        raise ValueError(
            f"the LoRA does not fit the model: {matching} of its {len(ours)} modules are there. It looks made for "
            f"{_looks(ours)}, the model is {_looks(model)}. {said}"
        )


def _blocks(sizes: Sizes) -> int:
    return 1 + max((block for name in sizes if (block := in_block(name)[0]) is not None), default=-1)


def _looks(sizes: Sizes) -> str:
    blocks = _blocks(sizes)
    width = max((min(size) for name, size in sizes.items() if in_block(name)[0] is not None), default=0)
    known = KNOWN.get((blocks, width))
    return f"{blocks} blocks of {width} channels" + (f" ({known})" if known else "")


def weights_of(model: nn.Module, whole: bool = True) -> LoraWeights | None:
    """The LoRA of a PEFT model, float32 on the CPU, as the optimiser has it where DeepSpeed trained the model; beside it what
    signals add, where that was trained too or came with a LoRA.

    Collective: all ranks of a DeepSpeed run must call it; those with `whole` False get None and hold no copy.
    """
    peft: Any = model
    lora = {name: parameter for name, parameter in model.named_parameters() if ".lora_" in name}
    beside = {name: one for name, one in added(model).items() if one.requires_grad}
    tensors, trained = _whole(lora, whole), _whole(beside, whole)
    if not whole:
        return None
    alpha = float(peft.peft_config["default"].lora_alpha)
    return replace(lora_files.collect(tensors, "the model", alpha), extra={**_came(model), **trained})


def _came(model: nn.Module) -> dict[str, Tensor]:
    """What signals add and a file held, by its names there."""
    return {name: tensor for adapter in adapters_of(bare(model)) for name, tensor in adapter.filled.items()}


def _whole(parameters: Mapping[str, nn.Parameter], keep: bool) -> dict[str, Tensor]:
    """Float32 on the CPU; all ranks take part, those that do not keep it hold no copy."""
    found: dict[str, Tensor] = {}
    for name, parameter in parameters.items():
        value = _master(parameter)
        if keep:
            found[name] = value.detach().float().cpu().clone()
    return found


def _master(parameter: nn.Parameter) -> Tensor:
    """The value that the optimiser works on: DeepSpeed's ZeRO keeps it in float32, in pieces on all ranks."""
    if not (hasattr(parameter, "ds_id") or hasattr(parameter, "_hp_mapping")):
        return parameter
    from deepspeed.utils import safe_get_full_fp32_param

    full: Tensor = safe_get_full_fp32_param(parameter)
    return full


def save(model: nn.Module, folder: Path, write: bool = True) -> None:
    """A LoRA as a PEFT folder `lora`, or a fully trained transformer in diffusers' layout as `transformer`.

    Collective like `weights_of`: every rank calls it, the one with `write` writes.
    """
    if isinstance(model, PeftModel):
        weights = weights_of(model, write)
        if weights is not None:
            lora_files.write(weights, folder / LORA, "peft")
        return
    writer: Any = model
    with _gathered(model):
        if write:
            writer.save_pretrained(folder / TRANSFORMER)


def _gathered(model: nn.Module) -> AbstractContextManager[object]:
    """Parameters that ZeRO-3 keeps in pieces are whole inside."""
    pieces = [parameter for parameter in model.parameters() if hasattr(parameter, "ds_id")]
    if not pieces:
        return nullcontext()
    from deepspeed.zero import GatheredParameters

    gathered: AbstractContextManager[object] = GatheredParameters(pieces)
    return gathered


def save_config(model: nn.Module, folder: Path) -> None:
    """Beside checkpoints, for `svi.lora.checkpoints`: PEFT's adapter_config.json, so that it knows alpha, and what came with
    the LoRA that training goes on from. A full model has none."""
    if isinstance(model, PeftModel):
        folder.mkdir(parents=True, exist_ok=True)
        model.peft_config["default"].save_pretrained(str(folder))
        lora_files.write_beside(_came(model), folder)


def load(backbone: Backbone, path: Path, expert: str = EXPERT, share: float = 1.0) -> nn.Module:
    """The expert's transformer with what `save` wrote into a folder, or with the LoRA of any file that `lora_files.read` reads.

    `share` of what was trained: W + share (W' - W) for every weight W, which for a LoRA W + B A is to scale its alpha.
    Raises ValueError when there is neither, or it does not fit.
    """
    base: Any = backbone.transformers[expert]
    if (path / MODEL_INDEX).is_file():
        raise ValueError(f"{path} is a whole model, not a LoRA; give it as backbone.weights")
    if (path / TRANSFORMER).is_dir():
        trained: nn.Module = load_like(base, path / TRANSFORMER)
        return trained if share == 1 else _towards(trained, base, share)
    weights = lora_files.read(path)
    try:
        return attach(base, weights, share)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


@torch.no_grad()
def _towards(trained: nn.Module, base: nn.Module, share: float) -> nn.Module:
    """`trained`, its weights now base + share (trained - base)."""
    start = base.state_dict()
    for name, weight in trained.state_dict().items():
        weight.copy_(start[name].float().lerp(weight.float(), share))
    return trained
