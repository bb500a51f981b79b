"""Methods to plan: settings of them, and parts of one's own (fixtures `own` and `memories`)."""

from typing import Any

from harness.declare.settings import Settings
from svi.axes import MethodSettings

TEACHER: dict[str, Any] = {"objective": "teacher_forcing", "architecture": "causal", "generation": "blocks"}

OWN = '''
from svi.objectives.objective import Objective

class Brighter(Objective):
    """Every condition a little brighter."""
    version = 3
    reads = ("bank",)

    def inputs(self, model, clips, step):
        return clips.changed(condition={"latents": clips.condition["latents"] * 1.01})

class Latents:
    """Hands on no frames."""

    def next(self, films, clip, past):
        raise NotImplementedError

class Following(Latents):
    """A loop of which gain alone is known."""
    gives = ("a first frame whose errors can be followed",)

class Picky(Latents):
    """Wants what nobody has."""
    needs = ("a crystal ball",)
'''

MEMORIES = '''
class Last:
    """The last frame."""

    def __init__(self, settings):
        pass

    def reference(self, start, last, frames):
        return frames[:, -1]

class Placed(Last):
    """The last frame, as the anchor."""
    sets = {"condition.anchor": True}
'''


def settings(**method: Any) -> Settings:
    return Settings(method=MethodSettings(**method))
