"""The Fréchet distance of two Gaussians, |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)) fitted to features.

Source: Dowson and Landau, "The Fréchet distance between multivariate normal distributions", 1982; as a distance of videos,
Unterthiner et al., "Towards Accurate Generative Models of Video", 2018. Everything is float64.
With factors F'F = S the last trace is the sum of the singular values of F1 F2' (its nuclear norm). No root of a product of
covariances is taken: from fewer features than dimensions these are singular, where such a root loses half its digits.
Shapes: N features of D dimensions, R rows of a factor.
"""

from typing import Literal

import numpy as np

from benchmarks.arrays import Array, Floats

Rule = Literal["biased", "unbiased"]
RULES: tuple[Rule, ...] = ("biased", "unbiased")
FEWEST_FEATURES = 2


def frechet_distance(first: Array, second: Array, rule: Rule = "biased") -> float:
    """Between the Gaussians fitted to features [N, D] and [M, D].

    `rule`: covariances over N ("biased": cd-fvd, StyleGAN-V) or N - 1 ("unbiased": TF-GAN, numpy.cov).

    Raises:
        ValueError: an unknown rule, fewer than two features, features of different width, or ones that are not finite.
    """
    if rule not in RULES:
        raise ValueError(f"covariance rule: received {rule!r}, expected one of {', '.join(RULES)}")
    features = [_checked(array) for array in (first, second)]
    if features[0].shape[1] != features[1].shape[1]:
        shapes = f"{features[0].shape} and {features[1].shape}"
        raise ValueError(f"features: received {shapes}, expected as many dimensions in both; use one extractor")
    return _distance(*(_fit(array, rule) for array in features))


def sample_bias(first: int, second: int, dimensions: int = 400, rule: Rule = "biased", seed: int = 0) -> float:
    """The distance that two samples of one N(0, I) have, which is 0 for their distribution.

    `first` and `second` features are drawn. The more dimensions, the less it changes with the draw: for 400 by about 1 %.
    """
    random = np.random.default_rng(seed)
    one, other = (random.standard_normal((count, dimensions)) for count in (first, second))
    return frechet_distance(one, other, rule)


def _distance(first: tuple[Floats, Floats], second: tuple[Floats, Floats]) -> float:
    """Between two Gaussians, each given by its mean [D] and a factor [R, D] of its covariance."""
    (first_mean, first_factor), (second_mean, second_factor) = first, second
    between = np.linalg.svd(first_factor @ second_factor.T, compute_uv=False).sum()
    spread = np.square(first_factor).sum() + np.square(second_factor).sum() - 2 * between
    # No distance is negative; what rounding takes off that of equal Gaussians is.
    return max(0.0, float(np.square(first_mean - second_mean).sum() + spread))


def _fit(features: Floats, rule: Rule) -> tuple[Floats, Floats]:
    """Mean [D] and factor [min(N, D), D] of the covariance."""
    if len(features) < FEWEST_FEATURES:
        raise ValueError(
            f"features: received {len(features)}, expected at least {FEWEST_FEATURES} to fit a Gaussian to"
        )
    mean = features.mean(axis=0)
    factor = (features - mean) / np.sqrt(len(features) - (rule == "unbiased"))
    if len(factor) > factor.shape[1]:
        factor = np.linalg.qr(factor, mode="r")
    return mean, factor


def _checked(features: Array) -> Floats:
    checked = np.asarray(features, dtype=np.float64)
    if checked.ndim != 2:
        raise ValueError(f"features: received shape {checked.shape}, expected [N, D]")
    if not np.isfinite(checked).all():
        raise ValueError(
            "features: received values that are not finite, expected finite ones; look for the video behind"
        )
    return checked
