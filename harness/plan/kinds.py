"""The kinds of stage: which settings each reads, and the version of what it computes."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from svi.settings import COPY_IMAGE, RECODE, TRAINING_CLIPS

SIZE = ("data.clip_frames", "data.height", "data.width")
SIGNAL = ("condition.signal", "condition.encoder", "condition.weights")
CONDITION = ("condition.motion_frames", "condition.padding", "condition.anchor", *SIGNAL)
# A model's codec and encoders; the embedded one is trained on the footage as well.
ENCODERS = tuple(f"backbone.{key}" for key in ("name", "weights", "dtype", "clip_image", "text_tokens", "vae_tiling"))
MODEL = ("tiny", *ENCODERS, "backbone.boundary")
LAYOUT = ("samples", "length", "fps", "after_prompts", "lossless", "together")
FOOTAGE = (*SIZE, *TRAINING_CLIPS)


@dataclass(frozen=True)
class Kind:
    """A kind of stage: the file of harness/stages/ whose function of its name computes it, the version of that computation, and
    the settings it reads (a section, or one field)."""

    name: str
    file: str
    version: int
    reads: tuple[str, ...]
    priority: int

    @property
    def target(self) -> str:
        """The function, as a name: a plan loads no stage."""
        return f"harness.stages.{self.file}:{self.name}"


# Raise a version when a stage computes something else from the same settings. Training comes first: it is the longest path.
BACKBONE = Kind("backbone", "training", 2, ("tiny", *FOOTAGE, *SIGNAL, "condition.drop_signal"), 50)
DATA = Kind("data", "training", 2, ("tiny", *ENCODERS, "data", *CONDITION), 40)
TRAIN = Kind(
    "train",
    "training",
    2,
    (*MODEL, *SIZE, "condition", "flow", "injection", "bank", "train", "speed.attention", "speed.compile"),
    30,
)
GENERATE = Kind(
    "generate", "films", 5, (*MODEL, *SIZE, "data.fps", "data.world", *CONDITION, "generate", "speed", "eval"), 20
)
# Reads what the films will be made with, since it makes their first clip.
FORECAST = Kind("forecast", "films", 1, GENERATE.reads, 25)
# The first clips of the films, for a forecast alone: nothing else depends on them.
ROLLOUT = Kind("rollout", "films", 2, GENERATE.reads, 22)
# Of the start image alone: no model, and nothing that depends on the seed.
COPY = replace(
    GENERATE,
    reads=(*SIZE, "data.fps", "data.world", *CONDITION, *(f"generate.{key}" for key in ("method", *LAYOUT)), "eval"),
)
# Of the start image and the codec alone.
RECODED = replace(GENERATE, reads=("tiny", *ENCODERS, *COPY.reads, "generate.pixels"))
MADE_BY: Mapping[str, Kind] = {
    COPY_IMAGE: COPY,
    RECODE: RECODED,
}  # by generate.method; the others' films are GENERATE's
# The truth about the same films, as films.
TRUE_FILMS = replace(COPY, name="true_films")
# Pictures of errors, beside the films.
ERRORS = Kind(
    "errors",
    "training",
    1,
    (
        *MODEL,
        *SIZE,
        *CONDITION,
        *(f"injection.img_{key}" for key in ("run", "spread", "pick")),
        "generate.alpha",
        "speed",
    ),
    15,
)
SCORE = Kind("score", "scores", 4, (), 10)
VIDEO_SCORES = Kind("video_scores", "scores", 1, (), 10)
REPORT = Kind("report", "report", 6, (), 0)
# One film of `harness generate`.
FILM = Kind("film", "film", 2, (*MODEL, *SIZE, "data.fps", *CONDITION, "generate", "speed"), 20)
# Its clips, where their prompts are told meanwhile.
TOLD = replace(FILM, name="told")
