"""What a kind of signal is asked for: a sound, a skeleton, or one of one's own."""

from pathlib import Path
from typing import Any, Protocol, Self

from svi.course import Course
from svi.settings import DataSettings


class Signal(Protocol):
    """What films follow frame by frame. What a part says of itself (svi/parts.py) a class of one's own says in its attributes."""

    key: str
    """Its adapter's."""

    @classmethod
    def of(cls, settings: Any) -> Self:
        """As the harness makes one; `settings` has a section an attribute."""

    def attach(self, wan: Any, frames_a_latent: int, side: int) -> None:
        """Add its adapter to this WanTransformer3DModel, a token of which is so many frames long and pixels wide: one that changes
        no bit until it is trained, or with published weights. Raises ValueError for weights that do not fit."""

    def frames(self, sample: Path, data: DataSettings) -> int:
        """How long a film can follow it, in frames at the data's fps. `sample`: its folder, or the one file (`harness generate
        --signal`). Raises ValueError for a file that is missing or cannot be read; takes no model to tell."""

    def course(self, sample: Path, frames: int, data: DataSettings) -> Course:
        """Of a sample, for a film of so many frames at the data's fps and size.

        Raises ValueError for a file that is missing, cannot be read or is too short.
        """
