"""The kinds of stage: which settings each reads, and the version of what it computes."""

from dataclasses import dataclass

SIZE = ("data.clip_frames", "data.height", "data.width")
CONDITION = ("condition.motion_frames", "condition.padding", "condition.anchor")
# A model's codec and encoders; the embedded one is trained on the footage as well.
ENCODERS = tuple(f"backbone.{key}" for key in ("name", "weights", "dtype", "clip_image", "text_tokens", "vae_tiling"))
MODEL = ("tiny", *ENCODERS, "backbone.boundary")
LAYOUT = ("samples", "length", "lossless", "together")
FOOTAGE = (*SIZE, *(f"data.{key}" for key in ("path", "clips", "seed", "fps", "hop", "hold_back")))


@dataclass(frozen=True)
class Kind:
    """A kind of stage: the settings it reads (a section, or one field), and the version of its computation."""

    name: str
    version: int
    reads: tuple[str, ...]
    priority: int


# Raise a version when a stage computes something else from the same settings. Training comes first: it is the longest path.
BACKBONE = Kind("backbone", 2, ("tiny", *FOOTAGE), 50)
DATA = Kind("data", 2, ("tiny", *ENCODERS, "data", *CONDITION), 40)
TRAIN = Kind(
    "train",
    2,
    (*MODEL, *SIZE, "condition", "flow", "injection", "bank", "train", "speed.attention", "speed.compile"),
    30,
)
GENERATE = Kind("generate", 5, (*MODEL, *SIZE, "data.fps", *CONDITION, "generate", "speed", "eval"), 20)
# Reads what the films will be made with, since it makes their first clip.
FORECAST = Kind("forecast", 1, GENERATE.reads, 25)
# Of the start image alone: no model, and nothing that depends on the seed.
COPY = Kind(
    GENERATE.name,
    GENERATE.version,
    (*SIZE, "data.fps", *CONDITION, *(f"generate.{key}" for key in ("method", *LAYOUT)), "eval"),
    GENERATE.priority,
)
# Pictures of errors, beside the films.
ERRORS = Kind(
    "errors",
    1,
    (*MODEL, *SIZE, *CONDITION, "injection.img_run", "injection.img_spread", "generate.alpha", "speed"),
    15,
)
SCORE = Kind("score", 4, (), 10)
VIDEO_SCORES = Kind("video_scores", 1, (), 10)
REPORT = Kind("report", 4, (), 0)
# One film of `harness generate`.
FILM = Kind("film", 1, (*MODEL, *SIZE, "data.fps", *CONDITION, "generate", "speed"), 20)
