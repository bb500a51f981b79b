"""What a report must know about an experiment beside its scores."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from reports.statistics.foretold import Misses
from reports.statistics.trainings import Trainings

ALPHA = 0.05


@dataclass(frozen=True)
class ReportInfo:
    """An experiment's declaration, films and provenance.

    `variants`: name -> the settings that the variant sets, in the order of declaration; `settings`: the values of the same
    settings in the variants that leave them to the recipe. `compare_to`: names of published tables. `videos` and `frames`: absolute
    paths by track and variant, of the first seed; a video is called as its sample. `costs`: stage kind -> the time that it
    took, as text, in the last entry that of all together; `forecast_share`: the time that forecasts took over that of films
    and their scores.
    `clip_seconds`: of film that a clip of the baseline adds. Films of a track last equally long, so a variant with another
    number of clips there has clips of clip_seconds x clips of the baseline / its own clips. `trivial`: variants that only
    repeat what they are given (copy_image, copy_clips, ping_pong); they stand in tables, below the others, and nowhere
    else. `trained`: whether anything was trained for these films here; videos that were only scored have no variation
    between trainings to speak of. `trainings`: variant -> seed -> the name of its training, which variants that differ in their
    films alone share; without those that nothing was trained for, such as the base model. `known`: how far trainings like these
    differ, by track, metric and statistic, as earlier runs of several seeds found. `misses`: by track, variant and metric, how
    far forecasts in decibels missed of trainings and films like the variant's. `looks`: how many times at most the run looks
    whether all is decided, each time at its share of the 5 % that it may err by. `errors`: folders of decoded errors by variant
    (reports/figures/errors.py), of the first seed.
    `objects`: how many the known world has; 1 where none is known.
    `yes_if`: a variant and how it must end beside the baseline (worse, better, different) for the question to be answered by
    yes; None for a question that asks for more than yes or no. `truth`: where the world is known, the true films of a track,
    an array uint8 [S, F, H, W, 3] in a file, in the order of the baseline's videos. `still`: a variant that repeats the start
    image. `meanings`: what a setting is, in words. `drifts`: drift under its owners' names, as `reports.tables.owners` reads it.

    Raises:
        ValueError: no variants, a baseline that is not one of them, or trivial ones that are not or are the baseline.
    """

    experiment: str
    question: str
    profile: str
    backbone: str
    baseline: str
    variants: Mapping[str, Mapping[str, object]]
    tracks: list[str]
    seeds: list[int]
    compare_to: tuple[str, ...]
    caption: str
    provenance: Mapping[str, str]
    reproduce: str
    videos: Mapping[str, Mapping[str, list[str]]]
    frames: Mapping[str, Mapping[str, str]]
    costs: Mapping[str, str]
    fps: float
    clip_seconds: float
    trivial: tuple[str, ...] = ()
    trained: bool = True
    trainings: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    known: Mapping[tuple[str, str, str], Trainings] = field(default_factory=dict)
    misses: Mapping[str, Mapping[str, Misses]] = field(default_factory=dict)
    looks: int = 1
    objects: int = 1
    forecast_share: float = 0.0
    errors: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    yes_if: tuple[str, str] | None = None
    truth: Mapping[str, str] = field(default_factory=dict)
    still: str | None = None
    meanings: Mapping[str, str] = field(default_factory=dict)
    orderings: str | None = None
    spent: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    drifts: pd.DataFrame | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if self.baseline not in self.variants:
            names = ", ".join(self.variants) or "none"
            raise ValueError(f"baseline: received {self.baseline!r}, expected one of the variants: {names}")
        unknown = [name for name in self.trivial if name not in self.variants or name == self.baseline]
        if unknown:
            expected = ", ".join(name for name in self.variants if name != self.baseline) or "none"
            raise ValueError(f"trivial: received {unknown[0]!r}, expected variants beside the baseline: {expected}")

    @property
    def alpha(self) -> float:
        """How often a claim may be false: 5 %, or each look's equal share of it (alpha spending, Lan and DeMets 1983, every look
        tested at what it spends, which holds however the looks depend on each other)."""
        return ALPHA / self.looks

    @property
    def compared(self) -> tuple[str, ...]:
        """The variants that the question is about: all but the trivial ones, as declared."""
        return tuple(name for name in self.variants if name not in self.trivial)

    def twins(self, track: str) -> tuple[str, ...]:
        """The variants that have the baseline's own films on the track, since the profile or recipe sets what they set. Nothing is
        compared there."""
        films = self.videos.get(track, {})
        return tuple(name for name, own in films.items() if name != self.baseline and own == films.get(self.baseline))

    def apart(self, track: str) -> tuple[str, ...]:
        """The compared variants whose films on the track are not another's: all but the baseline's twins."""
        twins = self.twins(track)
        return tuple(name for name in self.compared if name not in twins)

    @property
    def untrained(self) -> tuple[str, ...]:
        """The variants that nothing was trained for."""
        return tuple(name for name in self.variants if name not in self.trainings)

    @property
    def rows(self) -> tuple[str, ...]:
        """The variants in the order of a table's rows: the trivial ones last."""
        return (*self.compared, *(name for name in self.variants if name in self.trivial))
