"""How long a stage may take: by the finished stages that are most like it, those of a fresh installation at first."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from statistics import median
from typing import Any

from harness.core.signature import canonical
from harness.plan.kinds import GENERATE

TIMINGS = (
    "timings.json"  # of this folder: stages of the embedded profiles, measured by `python -m harness.commands.timings`
)
# What changes a stage's time through its work alone, or not at all.
COUNTED = frozenset(
    (
        "tiny.steps", "tiny.batch", "tiny.seed", "train.steps", "train.epochs", "train.budget", "train.batch", "train.seed",
        "train.lr", "injection.p_vid", "injection.p_img", "injection.p_noi", "injection.p_clean", "generate.seed",
        "generate.seed_stride", "generate.samples", "generate.steps", "eval.seed", "data.seed", "track",
    )
)  # fmt: skip
# Of what a clip is and what computes it: a pace learned at one size says nothing of another.
FRAME = ("data.height", "data.width", "data.clip_frames")
SIZE = (
    *FRAME,
    *("backbone.name", "backbone.fingerprint", "backbone.dtype", "train.dtype"),
    *("tiny.layers", "tiny.heads", "tiny.head_dim", "tiny.ffn_dim", "tiny.codec"),
)
ALIKE = ("generate.method", "suite", *SIZE)  # stages that differ in one of these say nothing of each other
Items = frozenset[tuple[str, str]]  # settings that can be compared as a set: name and value as text


@dataclass(frozen=True)
class Measured:
    """What a finished stage took: `fixed` seconds whatever its work, and the others in proportion to it; None: it counted nothing
    that would tell them apart."""

    items: Items
    seconds: float
    fixed: float | None
    work: float
    shipped: bool = False
    """Whether another machine took it: it comes with the harness."""
    films: Items = frozenset()
    """The size of what it stands on, where it has none of its own: scores, reports."""

    def differs(self, mine: Items) -> Items:
        """In what a stage's settings differ, without those that did not exist when this was measured."""
        known = {key for key, _ in self.items}
        return frozenset(pair for pair in mine ^ self.items if pair[0] in known)

    @property
    def pace(self) -> float:
        """Seconds a unit of work."""
        return (self.seconds - (self.fixed or 0.0)) / self.work


@dataclass(frozen=True)
class Estimate:
    """The seconds that a stage may take; `shipped`: by another machine's."""

    seconds: float
    shipped: bool


def sizes(*identities: Mapping[str, Any]) -> Items:
    """Of clips: those of the first of these settings that have any."""
    found = ({key: one[key] for key in FRAME if key in one} for one in identities)
    return items(next(filter(None, found), {}))


def measured(manifest: Mapping[str, Any], shipped: bool = False, films: Items = frozenset()) -> Measured | None:
    """What a manifest says of time; None for one of an earlier version, which does not tell fixed costs from others, and for
    a stage that was no work."""
    if "fixed" not in manifest or not manifest["work"]:
        return None
    return Measured(
        items(manifest["identity"]), manifest["seconds"], manifest["fixed"], manifest["work"], shipped, films
    )


def shipped(kind: str) -> tuple[Measured, ...]:
    """The stages of a kind that were measured at the embedded profiles before this version was given out."""
    return tuple(one for rows in _timings()["profiles"].values() for one in _shipped(kind, rows))


def _shipped(kind: str, rows: Sequence[Mapping[str, Any]]) -> Iterator[Measured]:
    """Those of one profile."""
    known = sizes(*(row["identity"] for row in rows if row["kind"] == GENERATE.name))
    for row in rows:
        films = frozenset() if sizes(row["identity"]) else known
        if row["kind"] == kind and (one := measured(row, True, films)) is not None:
            yield one


def shipped_about() -> str:
    """What they were measured on."""
    about: str = _timings()["about"]
    return about


@cache
def _timings() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((resources.files("harness.plan") / TIMINGS).read_text(encoding="utf-8"))
    return found


def items(identity: Mapping[str, Any]) -> Items:
    """Settings as a set."""
    # A plan of thousands of stages makes as many sets: repr of what is no list is several times faster than JSON.
    return frozenset(
        (key, canonical(value) if isinstance(value, list | tuple | dict) else repr(value))
        for key, value in identity.items()
    )


def estimate(work: float, past: Iterable[tuple[Items, Measured]]) -> Estimate | None:
    """For so much work, by the median of those that differ in the fewest settings that change a stage's pace; None where there are
    none. What tells fixed costs comes before what does not (films taken from a finished stage took no time), this machine's before
    the shipped ones. No work takes no time.

    `past`: each with the items in which it differs from the stage.
    """
    if not work:
        return Estimate(0.0, shipped=False)
    ranked = [
        ((one.fixed is None, distance, one.shipped), one)
        for differing, one in past
        if (distance := _distance(differing)) is not None
    ]
    if not ranked:
        return None
    best = min(rank for rank, _ in ranked)
    near = [one for rank, one in ranked if rank == best]
    seconds = median(one.fixed or 0.0 for one in near) + median(one.pace for one in near) * work
    return Estimate(seconds, best[2])


def _distance(differing: Items) -> int | None:
    """How many settings that change a stage's pace are different; None where these are two different computations."""
    keys = {key for key, _ in differing} - COUNTED
    return None if keys.intersection(ALIKE) else len(keys)
