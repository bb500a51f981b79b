"""One variant with one seed, as planned."""

from collections.abc import Mapping
from dataclasses import dataclass

from harness.declare.settings import Settings
from harness.declare.spec import Resolved, Variant


@dataclass(frozen=True)
class Child:
    """One variant with one seed: its settings, and the signatures of its stages.

    Train by the backbone's expert, empty for a base model; generate by track, score by track and suite; forecast by track,
    empty where one clip does not foretell the films; probes by track, of gain alone too; errors: one or none.
    """

    variant: Variant
    seed: int
    resolved: Resolved[Settings]
    base: tuple[str, ...]
    train: Mapping[str, str]
    generate: Mapping[str, str]
    score: Mapping[str, Mapping[str, str]]
    forecast: Mapping[str, str]
    probes: Mapping[str, str]
    errors: tuple[str, ...] = ()

    def has_films_of(self, other: "Child", track: str) -> bool:
        """Whether both have the very same films there, as where the recipe sets already what a variant sets."""
        return self.generate.get(track) == other.generate.get(track)

    @property
    def stages(self) -> tuple[str, ...]:
        """The signatures of what is made for it alone: not of the base model and the latent cache, which all share."""
        made = (self.train, self.probes, self.generate, *self.score.values())
        return (*(signature for by_name in made for signature in by_name.values()), *self.errors)
