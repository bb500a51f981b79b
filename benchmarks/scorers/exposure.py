"""How much of the picture is white? Long films tend to burn out, and heads that rate quality reward it (Self-Forcing++)."""

from collections.abc import Mapping

import numpy as np

from benchmarks.arrays import Floats
from benchmarks.films.film import Film
from benchmarks.scorers.drift import LUMA
from benchmarks.scorers.metric import FrameScorer, Metric

WHITE = 250.0  # of 255: luma from which a pixel counts as clipped


class ExposureScorer(FrameScorer):
    """overexposed, a mean over the clip's frames; its trend is the slope of its curve."""

    metrics = (
        Metric(
            "overexposed", "lower", "1", "share", "clip", (),
            f"Share of pixels whose luma is {WHITE:.0f} of 255 or more.",
        ),
    )  # fmt: skip

    def frames(self, film: Film) -> Mapping[str, Floats]:
        """[F]"""
        shares = [(film.frames[block] @ LUMA >= WHITE).mean(axis=(1, 2)) for block in film.blocks()]
        return {"overexposed": np.concatenate(shares)}
