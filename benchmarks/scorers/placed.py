"""How far is the whole frame from the true scene, wherever its objects have got to?

The lead metric where the world is known. Background alone would reward a film for losing its objects: their pixels are the
hardest to keep. Here an object that is kept is compared with itself where it is, which costs less than half of what it adds to the
scene there, and one that is lost costs all that it adds where it can be seen best: more, wherever the two are.
"""

from collections.abc import Mapping

from benchmarks.arrays import Floats
from benchmarks.films.film import Film
from benchmarks.scorers.fidelity import decibels
from benchmarks.scorers.metric import FrameScorer, Metric
from benchmarks.scorers.places import found_places


class PlacedScorer(FrameScorer):
    """placed_psnr, a mean over the clip's frames."""

    metrics = (
        Metric(
            "placed_psnr", "higher", "1", "dB", "clip", ("truth", "course"),
            "PSNR of the whole frame against the true scene with its objects where they are found; a lost one costs its all.",
        ),
    )  # fmt: skip

    def frames(self, film: Film) -> Mapping[str, Floats]:
        """[F]; NaN where the true film hides an object behind another.

        Raises:
            ValueError: the truth is missing, lacks its objects' stamps, or is of another size than the film.
        """
        return {"placed_psnr": decibels(found_places(film).error)}
