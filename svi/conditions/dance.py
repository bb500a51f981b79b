"""Skeletons as a signal: what SVI-Dance's films follow."""

from pathlib import Path
from typing import Any

from svi.conditions import unianimate
from svi.conditions.pose import KEY, PoseAdapter, PoseFilm, open_pose, open_source
from svi.conditions.skeleton import SUFFIXES
from svi.data.samples import POSE
from svi.settings import DataSettings


class Pose:
    """Skeletons (protocol: svi.conditions.signal.Signal)."""

    key = KEY

    def __init__(self, weights: Path | None = None) -> None:
        """`weights`: UniAnimate-DiT's file, or SVI-Dance's."""
        self.weights = weights

    @classmethod
    def of(cls, settings: Any) -> "Pose":
        weights = settings.condition.weights
        return cls(None if weights is None else Path(weights))

    def attach(self, wan: Any, frames_a_latent: int, side: int) -> None:
        """Raises ValueError as `unianimate` does."""
        adapter = PoseAdapter(wan.patch_embedding.out_channels, frames_a_latent, side)
        adapter.to(wan.device, wan.dtype).attach(wan)
        if self.weights is not None:
            unianimate.load(wan, self.weights)

    def frames(self, sample: Path, data: DataSettings) -> int:
        """All those skeletons. Raises ValueError as `open_source` does, and where there are none."""
        return len(open_source(_skeletons(sample), data))

    def course(self, sample: Path, frames: int, data: DataSettings) -> PoseFilm:
        """Of pose.mp4, of key points (pose.npz, ...), or of either that is given alone. Raises ValueError as `open_pose` does, and
        where there is neither."""
        return open_pose(_skeletons(sample), frames, data)


def _skeletons(sample: Path) -> Path:
    if sample.is_file():
        return sample
    names = [POSE, *(f"pose{suffix}" for suffix in SUFFIXES)]
    found = [sample / name for name in names if (sample / name).is_file()]
    if not found:
        raise ValueError(f"{sample} has no skeletons; expected one of {', '.join(names)} beside its image")
    return found[0]
