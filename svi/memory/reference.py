"""The protocol of a memory of clips: which image the next clip is given as its reference."""

from typing import Protocol

from torch import Tensor


class Reference(Protocol):
    """The image that stands in the condition beside the last frames: as the anchor, or as padding (condition.*).

    Images [B, H, W, 3] uint8. It remembers nothing itself: the last reference lies on disk between two clips.
    """

    def reference(self, start: Tensor, last: Tensor, frames: Tensor) -> Tensor:
        """From the image that the films start from, the last clip's reference and its frames, [B, L, H, W, 3] uint8.

        Before the first clip the start image is the reference.
        """
