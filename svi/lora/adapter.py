"""LoRA adapters on a backbone's transformers: a new one, one from a file, and what Train writes."""

import warnings
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn

from svi.artifacts import LORA, MODEL_INDEX, TRANSFORMER
from svi.backbones.adapters import adapters_of, added, fill, load_like, within
from svi.backbones.backbone import Backbone
from svi.backbones.catalogue import EXPERT
from svi.backbones.wrapped import bare
from svi.foreign import listed
from svi.lora import files as lora_files
from svi.lora.files import LoraWeights
from svi.lora.fit import fitting
from svi.lora.stack import Lora
from svi.settings import TrainSettings

Stack = Sequence[tuple[LoraWeights, float]]
"""LoRAs that act together, and the strength of each."""
FIRST = "default"  # PEFT's name of an adapter that stands alone


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
        weights = _trainable(fitting(transformer, weights))
    targets = list(weights.modules) if weights else _targets(transformer, backbone.lora_targets)
    torch.manual_seed(settings.seed)
    config = LoraConfig(r=settings.rank, lora_alpha=settings.alpha, target_modules=targets)
    adapter: nn.Module = get_peft_model(transformer, config)
    if weights:
        _fill(weights, transformer)
        _copy(weights, transformer, times=weights.scale / (settings.alpha / settings.rank))
    if settings.with_signal:
        for parameter in added(adapter).values():
            parameter.requires_grad_(True)
    return adapter


def _trainable(weights: LoraWeights) -> LoraWeights:
    """The same. Raises ValueError where training would lose something of it."""
    if weights.differences:
        raise ValueError(
            f"the LoRA has differences of {len(weights.differences)} parameters beside it ({listed(sorted(weights.differences))}), "
            "which a training would not keep; expected a plain LoRA to go on from"
        )
    return weights


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


def attach(transformer: nn.Module, stack: Stack) -> nn.Module:
    """The transformer with these LoRAs, all acting at once, frozen and in its numbers, as diffusers' `set_adapters` has them.

    Strength multiplies alpha / rank B A and differences alike. Every module must be there and fit, none may be left out but the
    image branch of a model without one. What signals add, where it lies beside a LoRA, goes into their adapters.

    Raises ValueError with the names when nothing matches, modules are missing on either side, sizes differ, or two LoRAs bring
    what the same signal adds; nothing is changed then.
    """
    return _attached(transformer, [(fitting(transformer, weights), strength) for weights, strength in stack])


def _attached(transformer: nn.Module, fitted: Stack) -> nn.Module:
    """Of LoRAs that fit it."""
    if adapters_of(transformer) and sum(bool(weights.extra) for weights, _ in fitted) > 1:
        raise ValueError(
            "several LoRAs of a stack have beside them what a signal adds, and it can be given once; leave one out"
        )
    names = [FIRST, *(str(i) for i in range(1, len(fitted)))]
    _add(transformer, fitted)
    wrapped: Any = transformer
    model: Any = None
    with torch.random.fork_rng(devices=[]):  # PEFT draws an A first, which is replaced
        for name, (weights, strength) in zip(names, fitted, strict=True):
            alpha: Any = weights.alpha * strength  # PEFT takes fractions too
            config = LoraConfig(
                r=weights.rank, lora_alpha=alpha, target_modules=list(weights.modules), inference_mode=True
            )
            if model is None:
                model = get_peft_model(wrapped, config)
            else:
                model.add_adapter(name, config)
    model.base_model.set_adapter(names, inference_mode=True)
    for name, (weights, strength) in zip(names, fitted, strict=True):
        _fill(weights, transformer, strength)
        _copy(weights, transformer, name)
    for layer in (module for module in transformer.modules() if isinstance(module, LoraLayer)):
        layer.lora_A.to(wrapped.dtype)
        layer.lora_B.to(wrapped.dtype)
    attached: nn.Module = model.eval()
    return attached


@torch.no_grad()
def _add(transformer: nn.Module, stack: Stack) -> None:
    """The sum of all differences, each at its strength, in float32; a parameter is rounded once, to its own precision."""
    for name in dict.fromkeys(name for weights, _ in stack for name in weights.differences):
        parameter = transformer.get_parameter(name)
        grown = parameter.float()
        for weights, strength in stack:
            if name in weights.differences:
                grown = grown + strength * weights.differences[name].to(parameter.device, torch.float32)
        parameter.copy_(grown)


def _fill(weights: LoraWeights, transformer: nn.Module, share: float = 1) -> None:
    """`share` of what lay beside the LoRA into adapters of signals."""
    unused = fill(transformer, weights.extra, "beside the LoRA", share)
    if unused:
        warnings.warn(f"beside the LoRA and not used: {listed(unused)}", stacklevel=4)


@torch.no_grad()
def _copy(weights: LoraWeights, transformer: nn.Module, adapter: str = FIRST, times: float = 1) -> None:
    """Into PEFT's layers, B so many times as large."""
    for name, (a, b) in weights.modules.items():
        layer: Any = transformer.get_submodule(name)
        layer.lora_A[adapter].weight.copy_(a)
        layer.lora_B[adapter].weight.copy_(b.float() * times)


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
    alpha = float(peft.peft_config[FIRST].lora_alpha)
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
        model.peft_config[FIRST].save_pretrained(str(folder))
        lora_files.write_beside(_came(model), folder)


def load(backbone: Backbone, stack: Sequence[Lora], expert: str = EXPERT) -> nn.Module:
    """The expert's transformer with what `save` wrote into folders, or with LoRAs of any files that `lora_files.read` reads.

    The strength of each is the share of what was trained: W + strength (W' - W) for every weight W, which for a LoRA W + B A is to
    scale its alpha. Raises ValueError when there is nothing to read, or something does not fit.
    """
    base: Any = backbone.transformers[expert]
    whole, loras = opened(stack)
    if whole is not None:
        trained = load_like(base, whole.path / TRANSFORMER)
        base = trained if whole.strength == 1 else _towards(trained, base, whole.strength)
    fitted = []
    for path, weights, strength in loras:
        try:
            fitted.append((fitting(base, weights), strength))
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
    return _attached(base, fitted) if fitted else base


def opened(stack: Sequence[Lora]) -> tuple[Lora | None, list[tuple[Path, LoraWeights, float]]]:
    """The fully trained transformer that a stack begins with, if it does, and its LoRAs.

    Raises ValueError for files that cannot be read, are a whole model, or a trained transformer behind something else.
    """
    whole: Lora | None = None
    loras = []
    for number, lora in enumerate(stack):
        if (lora.path / MODEL_INDEX).is_file():
            raise ValueError(f"{lora.path} is a whole model, not a LoRA; give it as backbone.weights")
        if not (lora.path / TRANSFORMER).is_dir():
            loras.append((lora.path, lora_files.read(lora.path), lora.strength))
        elif number == 0:
            whole = lora
        else:
            raise ValueError(
                f"{lora.path} holds a fully trained transformer, to which LoRAs can be added, but not the other way round; give it "
                "first, and no other one"
            )
    return whole, loras


@torch.no_grad()
def _towards(trained: nn.Module, base: nn.Module, share: float) -> nn.Module:
    """`trained`, its weights now base + share (trained - base)."""
    start = base.state_dict()
    for name, weight in trained.state_dict().items():
        weight.copy_(start[name].float().lerp(weight.float(), share))
    return trained
