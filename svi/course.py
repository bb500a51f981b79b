"""The signal of one film, which it follows frame by frame beside its image and prompts: a sound, a skeleton."""

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import Tensor  # not loaded: a copied image needs none


class Course(Protocol):
    """What a film follows, all along."""

    key: str
    """Its signal's, and its place in a `svi.backbones.backbone.Condition`."""

    def clip(self, start: int, frames: int) -> "Tensor":
        """What a clip of so many frames is given that begins at this frame of the film; before the film's first frame and behind
        its last, that one again."""

    def keep(self, file: Path) -> Path | None:
        """The file in which a person can hear or see it; where there is none, `file` with an ending of its own, written now. None:
        there is nothing to hear or see."""
