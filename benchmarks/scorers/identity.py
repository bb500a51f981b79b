"""Is an object still the same object, in shape and colour?"""

from collections.abc import Mapping

import numpy as np

from benchmarks.arrays import Floats, known_mean
from benchmarks.films.film import Film
from benchmarks.scorers.metric import FrameScorer, Metric
from benchmarks.scorers.places import found_places


class IdentityScorer(FrameScorer):
    """identity, a mean over the clip's frames and the objects."""

    metrics = (
        Metric(
            "identity", "higher", "1", "0..1", "clip", ("truth", "course"),
            "How alike an object and its surroundings are to the true ones, in shape, colour and strength; 0 where it is gone.",
        ),
    )  # fmt: skip

    def frames(self, film: Film) -> Mapping[str, Floats]:
        """[F]; NaN where the true film hides all objects. Raises ValueError as `found_places`."""
        found = found_places(film)
        return {"identity": known_mean(np.where(found.hidden, np.nan, found.likeness))}
