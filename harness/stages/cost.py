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

PART = "cost-{}.json"  # of one process of several
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
        _write(folder / COST, {"parameters": parameters, "clips": clips, "training_tokens": tokens})


class FilmCost:
    """The progress of making films, which after each clip also keeps what they cost so far.

    In the file: calls, evaluations and tokens (svi.backbones.meter) of all films so far, `clips` of them, `before_first`, the
    calls until the first frames were there, and `film_seconds` of all films together.
    """

    def __init__(self, file: Path, meter: Meter, film_seconds: float, progress: Callable[[int, int], None]) -> None:
        """`meter` watches the transformers that make the films, from before the first clip."""
        self._file, self._meter, self._seconds, self._progress = file, meter, film_seconds, progress
        self._there: int | None = None  # clips that were there before
        self._before: dict[str, float] | None = None  # what those cost; None: nobody has counted
        self._first = 0.0

    @classmethod
    def of(
        cls,
        denoiser: Denoiser,
        folder: Path,
        film_seconds: float,
        progress: Callable[[int, int], None],
        rank: int | None = None,
    ) -> "FilmCost":
        """Of the films that a denoiser is about to make; by one of several processes, in a file of its own (`join_costs`)."""
        cost = cls(
            folder / (COST if rank is None else PART.format(rank)),
            watching(denoiser.models.values()),
            film_seconds,
            progress,
        )
        denoiser.known = cost.known
        return cost

    def __call__(self, done: int, total: int) -> None:
        """`done` of `total` clips; the first call says how many there were before."""
        if self._there is None:
            self._there, self._before = done, _so_far(self._file, done)
            if self._before is not None:
                self._first = self._before.pop("before_first")
        elif done > self._there:
            self.known()
        if done > self._there or (done and self._before is not None):
            self._keep(done)
        self._progress(done, total)

    def _keep(self, done: int) -> None:
        own, there = self._meter.state_dict(), self._there or 0
        before = self._before or {name: there * count / (done - there) for name, count in own.items()}
        counted = {name: round(before[name] + count) for name, count in own.items()}
        _write(self._file, {**counted, "clips": done, "before_first": self._first, "film_seconds": self._seconds})

    def known(self) -> None:
        """The first frames are there, if none were before."""
        self._first = self._first or self._meter.calls


def _so_far(file: Path, clips: int) -> dict[str, float] | None:
    """What `clips` that are there cost; None if nobody counted any: then each costs as much as those that follow.

    An interruption between a clip and its count leaves the two apart: then as many clips cost as much as those before.
    """
    if not clips:
        return {**dict.fromkeys(COUNTED, 0.0), "before_first": 0}
    kept = json.loads(file.read_text()) if file.is_file() else None
    if kept is None:
        return None
    share = clips / kept["clips"]
    return {name: share * kept[name] for name in COUNTED} | {"before_first": kept["before_first"]}


def join_costs(folder: Path, clips: int) -> None:
    """What processes counted apart as one count; none where they did not count all `clips`."""
    files = sorted(folder.glob(PART.format("*")))
    found = [json.loads(file.read_text()) for file in files]
    if sum(one["clips"] for one in found) == clips:
        totals = {name: sum(one[name] for one in found) for name in (*COUNTED, "clips")}
        _write(folder / COST, totals | {name: found[0][name] for name in ("before_first", "film_seconds")})
    for file in files:
        file.unlink()


def _write(file: Path, cost: Mapping[str, float]) -> None:
    write_json(file, dict(cost))
