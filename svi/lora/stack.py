"""One of the LoRAs that act on a transformer together."""

from pathlib import Path
from typing import NamedTuple


class Lora(NamedTuple):
    """A file or folder, as `svi.lora.files.read` takes it, and how strongly it acts: all that it changes is multiplied by that."""

    path: Path
    strength: float = 1.0
