"""The six dimensions by VBench's names, in its order."""

from collections.abc import Callable, Sequence

from benchmarks.vbench.aesthetic import AestheticQuality
from benchmarks.vbench.background import BackgroundConsistency
from benchmarks.vbench.clip import ClipImages
from benchmarks.vbench.dimension import Dimension
from benchmarks.vbench.dynamic import DynamicDegree
from benchmarks.vbench.imaging import ImagingQuality
from benchmarks.vbench.motion import MotionSmoothness
from benchmarks.vbench.subject import SubjectConsistency

DIMENSIONS = (
    SubjectConsistency,
    BackgroundConsistency,
    AestheticQuality,
    ImagingQuality,
    DynamicDegree,
    MotionSmoothness,
)


def load(names: Sequence[str], device: str) -> list[Dimension]:
    """The dimensions of these names with their published weights; the two that look through CLIP share its view of a frame.

    Raises:
        ValueError: a weight file is missing or another one.
    """
    images = ClipImages()
    loaders: dict[str, Callable[[], Dimension]] = {
        SubjectConsistency.name: lambda: SubjectConsistency.load(device),
        BackgroundConsistency.name: lambda: BackgroundConsistency.load(device, images),
        AestheticQuality.name: lambda: AestheticQuality.load(device, images),
        ImagingQuality.name: lambda: ImagingQuality.load(device),
        DynamicDegree.name: lambda: DynamicDegree.load(device),
        MotionSmoothness.name: lambda: MotionSmoothness.load(device),
    }
    return [loaders[name]() for name in names]
