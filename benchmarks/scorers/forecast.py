"""A forecast of the long film from one clip: how much of an error survives, how much is new, and where that ends.

If an error e of the condition leaves gain e + eps in the output that conditions the next clip, then clip after clip it
tends to eps / (1 - gain); with a gain of 1 or more it grows without end. `reports.statistics.forecast` has the intervals.
"""

from collections.abc import Mapping

import numpy as np

from benchmarks.arrays import Floats
from benchmarks.films.film import Film, Probe
from benchmarks.scorers.metric import Metric
from benchmarks.scorers.truth import KnownScene


class ForecastScorer:
    """gain, eps and forecast_plateau: one number each for a film."""

    metrics = (
        Metric(
            "gain", "lower", "1", "ratio", "film", ("probe",),
            "Share of a perturbation of the condition that survives in the first output frame (1 copied, 0 corrected).",
        ),
        Metric(
            "eps", "lower", "1", "latent", "film", ("probe",),
            "Root mean square error of the first output frame's latent from its clean condition.",
        ),
        Metric(
            "forecast_plateau", "lower", "1", "latent", "film", ("probe",),
            "Error to which clips tend if each hands on gain times its error and adds eps: eps / (1 - gain).",
        ),
    )  # fmt: skip

    def score(self, film: Film) -> Mapping[str, float]:
        """The three numbers; the plateau is NaN from a gain of 1, all but eps are NaN for a perturbation of zero.

        Raises:
            ValueError: the probe is missing, or its latents differ in shape.
        """
        if film.probe is None:
            raise ValueError("probe: received none, expected the latents of a clean and a perturbed condition")
        gain, eps = gain_and_eps(film.probe)
        return {"gain": gain, "eps": eps, "forecast_plateau": eps / (1 - gain) if gain < 1 else float("nan")}


def gain_and_eps(probe: Probe) -> tuple[float, float]:
    """Of one probe; the gain is NaN for a perturbation of zero.

    Raises:
        ValueError: its latents differ in shape.
    """
    latents = [probe.condition, probe.perturbation, probe.output_clean, probe.output_perturbed]
    if len({latent.shape for latent in latents}) != 1:
        raise ValueError(f"probe: received {[latent.shape for latent in latents]}, expected four equal shapes")
    condition, perturbation, clean, perturbed = (latent.astype(np.float64).ravel() for latent in latents)
    energy = float(perturbation @ perturbation)
    gain = float((perturbed - clean) @ perturbation) / energy if energy > 0 else float("nan")
    return gain, float(np.sqrt(np.mean((clean - condition) ** 2)))


def strength(film: Film) -> Floats:
    """How strong the objects are in each frame [F]: the projection, inside an object's mask where it fits best, of what the frame
    adds to the background on what the true object adds there; 1 for the true one, 0 for none. A mean over the objects.

    Raises:
        ValueError: the truth is missing or of another size than the film.
    """
    scene, found = KnownScene(film), []
    for block in film.blocks():
        frames = film.frames[block]
        shown = frames.reshape(len(frames), -1).astype(np.float32) / np.float32(255) - scene.background
        best, _ = scene.find(frames)
        shares = []
        for k in range(best.shape[1]):
            added, mask = scene.added[k, best[:, k]], scene.mask[k, best[:, k]]
            shares.append(np.sum(mask * shown * added, axis=1) / np.sum(mask * added**2, axis=1))
        found.append(np.mean(shares, axis=0, dtype=np.float64))
    return np.concatenate(found)
