"""The GPUs of this machine, found without loading torch."""

import os
from pathlib import Path

VISIBLE = "CUDA_VISIBLE_DEVICES"
DRIVER = Path("/proc/driver/nvidia/gpus")


def visible_gpus() -> list[str]:
    """What CUDA_VISIBLE_DEVICES may hold, one entry a card: those it names already, else all that the driver has."""
    named = os.environ.get(VISIBLE)
    if named is not None:
        return [card for card in named.split(",") if card.strip() and card.strip() != "-1"]
    return [str(number) for number, _ in enumerate(sorted(DRIVER.glob("*")))]
