"""A method against drift as settings: one part on each of four axes, and the settings that a part alone reads.

Which parts there are: svi/parts.py, and whatever files of one's own and installed packages add.
"""

from typing import Literal

from svi.settings import Frozen, identity

ERROR_RECYCLING, CLIPS, NO_MEMORY = "error_recycling", "clips", "none"


class MethodSettings(Frozen):
    """A method against drift: its training objective, its architecture, its generation loop and its memory.

    `harness list` names the parts; FILE.py:NAME is one of your own (docs/extend.md).
    """

    objective: str = identity(ERROR_RECYCLING, "what a training step minimises", min_length=1)
    architecture: Literal["bidirectional", "causal"] = identity(
        "bidirectional", "every latent frame sees all, or a block sees itself and what came before"
    )
    block: int = identity(1, "causal: latent frames of a block", ge=1)
    generation: str = identity(CLIPS, "how the frames of a film come about", min_length=1)
    memory: str = identity(NO_MEMORY, "what a generator keeps of the past beside the last frames", min_length=1)
