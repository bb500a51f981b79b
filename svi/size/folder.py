"""How a model in a folder is built, as its config files say."""

from pathlib import Path
from typing import Any

from svi.backbones.architectures import Architecture
from svi.backbones.catalogue import EXPERT
from svi.foreign import read_object


def architecture_of(folder: Path) -> Architecture:
    """Of a folder in diffusers' layout that `find_weights` gave; its experts are alike."""
    image = folder / "image_encoder"
    return Architecture(
        _config(folder / EXPERT),
        _config(folder / "vae"),
        _config(folder / "text_encoder"),
        _config(image) if image.is_dir() else None,
    )


def _config(component: Path) -> dict[str, Any]:
    """Without what diffusers and transformers note of themselves."""
    config = read_object(component / "config.json")
    return {key: value for key, value in config.items() if not key.startswith("_")}
