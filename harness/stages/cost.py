"""What stages count of their cost: a file in the stage's folder, right also after an interruption."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
import torch.distributed as dist
from torch import nn

from harness.core.artifacts import COST
from harness.core.atomic import write_json
from svi.backbones.meter import Meter
from svi.settings import TrainSettings
from svi.training import ranks


def trained_parameters(model: nn.Module) -> int:
    """Before an engine cuts them into pieces."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def write_training_cost(folder: Path, meter: Meter, parameters: int, settings: TrainSettings, write: bool) -> None:
    """Of all ranks, which call it together; the one that shall `write` does."""
    tokens = ranks.mean(torch.tensor(float(meter.tokens), dtype=torch.float64)) * dist.get_world_size()
    clips = settings.steps * settings.batch
    if write and meter.whole:
        _write(folder, {"parameters": parameters, "clips": clips, "training_tokens": round(float(tokens))})


class FilmCost:
    """The progress of making films, which after each clip also keeps what they cost so far.

    In the file: evaluations, tokens and calls of all films so far, `clips` of them, `before_first`, the calls that were made
    until a first clip was there, and `film_seconds` of all films together.
    """

    def __init__(self, folder: Path, meter: Meter, film_seconds: float, progress: Callable[[int, int], None]) -> None:
        """`meter` watches the transformers that make the films."""
        self._folder, self._meter, self._seconds, self._progress = folder, meter, film_seconds, progress
        self._before: dict[str, float] | None = None

    def __call__(self, done: int, total: int) -> None:
        """`done` of `total` clips; the first call says how many there were before."""
        if self._before is None:
            self._before = _so_far(self._folder, done)
        elif self._before:
            counted = self._meter.state_dict()
            now = {name: self._before[name] + counted[name] for name in counted}
            first = self._before.get("before_first") or (counted["calls"] if done else 0)
            self._before = {**self._before, "before_first": first}
            _write(self._folder, {**now, "clips": done, "before_first": first, "film_seconds": self._seconds})
        self._progress(done, total)


def _so_far(folder: Path, clips: int) -> dict[str, float]:
    """What `clips` that are there cost; empty if nobody counted them.

    An interruption between a clip and its count leaves the two apart: then as many clips count as much as those before.
    """
    file = folder / COST
    counted = json.loads(file.read_text()) if file.is_file() else {}
    if not clips:
        return dict.fromkeys(("calls", "evaluations", "tokens"), 0.0)
    if not counted.get("clips"):
        return {}
    share = clips / counted["clips"]
    scaled = {name: share * counted[name] for name in ("calls", "evaluations", "tokens")}
    return {**scaled, "before_first": counted["before_first"]}


def _write(folder: Path, cost: Mapping[str, float]) -> None:
    write_json(folder / COST, dict(cost))
