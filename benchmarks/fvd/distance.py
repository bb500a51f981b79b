"""The Fréchet video distance of two sets of clips, with all that it depends on.

Sources: Unterthiner et al., "Towards Accurate Generative Models of Video", 2018; Ge et al., "On the Content Bias in Fréchet
Video Distance", CVPR 2024, whose package cd-fvd the defaults follow.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from benchmarks.arrays import Floats
from benchmarks.fvd.frechet import Rule, frechet_distance, sample_bias

Resize = Literal["stretch", "crop", "crop256"]
ENOUGH_VIDEOS = 256
_WIDTH = 400


@dataclass(frozen=True, eq=False)
class FeatureSet:
    """I3D's logits [n, 400] of n clips, and how they were made.

    `extractor` and `sha256` name the weight file, `resize` the rule that brought frames of `resolution` (height, width) to
    224 x 224, `frames` and `stride` the window.

    Raises:
        ValueError: features of another shape.
    """

    features: Floats
    extractor: str
    sha256: str
    resize: Resize
    frames: int
    stride: int
    resolution: tuple[int, int]

    def __post_init__(self) -> None:
        if self.features.ndim != 2 or self.features.shape[1] != _WIDTH:
            raise ValueError(f"features: received {self.features.shape}, expected [clips, {_WIDTH}]")


@dataclass(frozen=True)
class Fvd:
    """The distance `value` of `n_generated` clips from `n_reference`, and what it was computed with.

    Values compare only where all the rest agrees.
    """

    value: float
    n_generated: int
    n_reference: int
    extractor: str
    sha256: str
    rule: Rule
    resize: Resize
    frames: int
    stride: int
    resolution: tuple[int, int]
    reference_resolution: tuple[int, int]

    def note(self) -> str:
        """What a reader must know beside the value; "" where there is nothing."""
        notes = []
        if min(self.n_generated, self.n_reference) < ENOUGH_VIDEOS:
            bias = sample_bias(self.n_generated, self.n_reference, _WIDTH, self.rule)
            notes.append(
                f"FVD of {self.n_generated} generated and {self.n_reference} reference clips, fewer than {ENOUGH_VIDEOS}, so that "
                f"sample bias weighs: two samples of these sizes of one distribution (N(0, I) in {_WIDTH} dimensions) are "
                f"about {bias:.0f} apart instead of 0, more where the features vary more. Compare it only with values of the "
                "same numbers of clips"
            )
        if self.resolution != self.reference_resolution:
            sizes = " and ".join("x".join(map(str, size)) for size in (self.resolution, self.reference_resolution))
            notes.append(
                f"FVD between videos of different sizes (generated and reference {sizes}), which alone sets them apart"
            )
        return "; ".join(notes)


def fvd(generated: FeatureSet, reference: FeatureSet, rule: Rule = "biased") -> Fvd:
    """How far `generated` is from `reference`; `rule` as in `frechet_distance`.

    Raises:
        ValueError: sets made with another extractor, window or resize rule, fewer than two clips in one, or values that are
            not finite.
    """
    _check_alike(generated, reference, ("extractor", "sha256", "resize", "frames", "stride"))
    return Fvd(
        value=frechet_distance(generated.features, reference.features, rule),
        n_generated=len(generated.features),
        n_reference=len(reference.features),
        extractor=generated.extractor,
        sha256=generated.sha256,
        rule=rule,
        resize=generated.resize,
        frames=generated.frames,
        stride=generated.stride,
        resolution=generated.resolution,
        reference_resolution=reference.resolution,
    )


def _check_alike(first: FeatureSet, second: FeatureSet, names: Sequence[str]) -> None:
    different = [
        f"{name} {getattr(first, name)!r} and {getattr(second, name)!r}"
        for name in names
        if getattr(first, name) != getattr(second, name)
    ]
    if different:
        raise ValueError(
            f"feature sets: received {', '.join(different)}, expected sets that were made alike; extract one of them again"
        )
