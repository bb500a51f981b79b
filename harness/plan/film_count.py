"""How many films a track will have."""

from benchmarks.samples import load_samples, samples_folder
from benchmarks.track import Track
from harness.declare.settings import Settings
from harness.plan.model import settled


def film_count(settings: Settings, track: Track) -> int:
    """Of each variant and seed: `generate.samples`, or all of a folder of samples that has fewer. What is held back from
    data.path may be fewer too, which nothing tells before it is read. Raises ValueError for a folder without samples."""
    path, wanted = settled(settings).eval.path, settings.generate.samples
    return wanted if path is None else min(wanted, len(load_samples(samples_folder(path, track))[0]))
