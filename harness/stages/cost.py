"""What stages count of their cost: a file in the stage's folder, right also after an interruption."""

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from torch import nn

from harness.core.artifacts import COST
from harness.core.atomic import write_json
from svi.backbones.meter import Meter
from svi.generation.denoiser import Denoiser
from svi.training.budget import Budget

COUNTED = ("calls", "evaluations", "tokens")


def watching(transformers: Iterable[nn.Module]) -> Meter:
    """A meter of all these."""
    meter = Meter()
    for transformer in transformers:
        meter.watch(transformer)
    return meter


def trained_parameters(model: nn.Module) -> int:
    """Before an engine cuts them into pieces."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def write_training_cost(folder: Path, budget: Budget, parameters: int, batch: int, write: bool) -> None:
    """Of all ranks, which call it together; the one that shall `write` does, if every pass was counted."""
    tokens, clips = budget.tokens, budget.steps * batch
    if write and budget.meter.whole:
        _write(folder, {"parameters": parameters, "clips": clips, "training_tokens": tokens})


class FilmCost:
    """The progress of making films, which after each clip also keeps what they cost so far.

    In the file: calls, evaluations and tokens (svi.backbones.meter) of all films so far, `clips` of them, `before_first`, the
    calls until the first frames were there, and `film_seconds` of all films together.
    """

    def __init__(self, folder: Path, meter: Meter, film_seconds: float, progress: Callable[[int, int], None]) -> None:
        """`meter` watches the transformers that make the films, from before the first clip."""
        self._folder, self._meter, self._seconds, self._progress = folder, meter, film_seconds, progress
        self._before: dict[str, float] | None = None
        self._first = 0.0

    @classmethod
    def of(
        cls, denoiser: Denoiser, folder: Path, film_seconds: float, progress: Callable[[int, int], None]
    ) -> "FilmCost":
        """Of the films that a denoiser is about to make."""
        cost = cls(folder, watching(denoiser.models.values()), film_seconds, progress)
        denoiser.known = cost.known
        return cost

    def __call__(self, done: int, total: int) -> None:
        """`done` of `total` clips; the first call says how many there were before."""
        if self._before is None:
            self._before = _so_far(self._folder, done)
            self._first = self._before.pop("before_first", 0)
        elif self._before and done:
            self.known()
            counted = {name: self._before[name] + count for name, count in self._meter.state_dict().items()}
            about = {"clips": done, "before_first": self._first, "film_seconds": self._seconds}
            _write(self._folder, counted | about)
        self._progress(done, total)

    def known(self) -> None:
        """The first frames are there, if none were before."""
        self._first = self._first or self._meter.calls


def _so_far(folder: Path, clips: int) -> dict[str, float]:
    """What `clips` that are there cost; empty if nobody counted them.

    An interruption between a clip and its count leaves the two apart: then as many clips cost as much as those before.
    """
    if not clips:
        return dict.fromkeys(COUNTED, 0)
    file = folder / COST
    kept = json.loads(file.read_text()) if file.is_file() else {}
    if not kept:
        return {}
    share = clips / kept["clips"]
    return {name: round(share * kept[name]) for name in COUNTED} | {"before_first": kept["before_first"]}


def _write(folder: Path, cost: Mapping[str, float]) -> None:
    write_json(folder / COST, dict(cost))
