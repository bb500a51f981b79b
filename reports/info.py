"""What a report must know about an experiment beside its scores."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class ReportInfo:
    """An experiment's declaration, films and provenance.

    `variants`: name -> the settings that the variant sets, in the order of declaration. `videos` and `frames`: absolute
    paths by track and variant, of the first seed; videos are aligned by sample. `costs`: stage kind -> seconds.

    Raises:
        ValueError: no variants, or a baseline that is not one of them.
    """

    experiment: str
    question: str
    profile: str
    backbone: str
    baseline: str
    variants: Mapping[str, Mapping[str, object]]
    tracks: list[str]
    seeds: list[int]
    compare_to: str | None
    caption: str
    provenance: Mapping[str, str]
    reproduce: str
    videos: Mapping[str, Mapping[str, list[str]]]
    frames: Mapping[str, Mapping[str, str]]
    costs: Mapping[str, float]
    fps: float
    clip_seconds: float

    def __post_init__(self) -> None:
        if self.baseline not in self.variants:
            names = ", ".join(self.variants) or "none"
            raise ValueError(f"baseline: received {self.baseline!r}, expected one of the variants: {names}")
