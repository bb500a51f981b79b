"""The course of films: the values of their frames in one metric, and the score of some of these frames alone."""

from dataclasses import dataclass

from benchmarks.arrays import Floats, known_mean

# A value that compares its frame with a neighbour counts only where the neighbour is among the frames too: how many frames
# at a stretch's start and end do not count (benchmarks/vbench/: the rules of these dimensions; benchmarks/scorers/drift.py).
EDGES = {
    "subject_consistency": (1, 0),
    "background_consistency": (1, 0),
    "motion_smoothness": (1, 1),
    "motion": (1, 0),
}
NO_MEAN = ("dynamic_degree",)
"""Metrics whose score is no mean of their frames' values."""


@dataclass(frozen=True, eq=False)
class Course:
    """Films of one length in one metric: values [S, F] at `fps` frames a second, NaN where a frame has none."""

    metric: str
    values: Floats
    fps: float

    @property
    def frames(self) -> int:
        return int(self.values.shape[1])

    def score(self, start: int, stop: int) -> Floats:
        """[S]: the mean of the defined values of frames start..stop - 1; NaN where there is none.

        Raises:
            ValueError: no frames, or some beyond the films'.
        """
        if not 0 <= start < stop <= self.frames:
            raise ValueError(f"frames: received {start} to {stop}, expected some of 0 to {self.frames}")
        before, after = EDGES.get(self.metric, (0, 0))
        return known_mean(self.values[:, start + before : stop - after])
