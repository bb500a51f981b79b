"""LoRA adapters by PEFT."""

from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from torch import nn

from svi.backbone import Backbone
from svi.settings import TrainSettings


def adapted(backbone: Backbone, settings: TrainSettings) -> nn.Module:
    """The transformer with what a fine-tuning trains: a new LoRA (A random from settings.seed, B zero), or every parameter."""
    if settings.adapter == "full":
        return backbone.transformer.requires_grad_(True)
    torch.manual_seed(settings.seed)
    config = LoraConfig(r=settings.rank, lora_alpha=settings.alpha, target_modules=list(backbone.lora_targets))
    transformer: Any = backbone.transformer
    adapter: nn.Module = get_peft_model(transformer, config)
    return adapter


def save(model: nn.Module, folder: Path) -> None:
    """A LoRA as a PEFT folder `lora`, or a fully trained transformer in diffusers' layout as `transformer`."""
    writer: Any = model
    writer.save_pretrained(folder / ("lora" if isinstance(model, PeftModel) else "transformer"))


def load(backbone: Backbone, folder: Path) -> nn.Module:
    """The transformer with what `save` wrote. Raises ValueError if the folder holds neither."""
    base: Any = backbone.transformer
    trained: nn.Module
    if (folder / "lora").is_dir():
        trained = PeftModel.from_pretrained(base, folder / "lora")
        return trained
    if (folder / "transformer").is_dir():
        trained = type(base).from_pretrained(folder / "transformer")
        return trained
    raise ValueError(f"{folder} holds neither a LoRA folder 'lora' nor a 'transformer'; expected what Train wrote")
