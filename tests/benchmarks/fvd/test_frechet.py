"""The Fréchet distance against what is known of Gaussians, against its definition, and against cd-fvd's figures."""

import numpy as np
import pytest
import scipy.linalg

from benchmarks.arrays import Floats
from benchmarks.fvd.frechet import RULES, Rule, frechet_distance, sample_bias

# cd-fvd 0.1.1's compute_fvd_from_stats on FeatureStats that `seeded_features(n, m, d)` was appended to (scipy 1.17.1). It
# divides by N, adds nothing to the covariances and takes scipy's root of their product, which is less exact for N < D.
CD_FVD = [
    ((64, 64, 12), 18.7083762039215, 1e-10),
    ((500, 700, 40), 44.06927055099261, 1e-10),
    ((600, 800, 400), 523.4323921374622, 1e-8),
    ((30, 50, 64), 120.19377891509416, 1e-5),
    ((100, 64, 400), 931.3606281451993, 1e-4),
]


def seeded_features(n: int, m: int, dimensions: int) -> tuple[Floats, Floats]:
    """Two correlated sets [n, D] and [m, D] with values of float32, as extractors give them."""
    random = np.random.default_rng(7)
    sets = []
    for count, scale, shift in ((n, 1.0, 0.0), (m, 1.5, 0.3)):
        values = scale * random.standard_normal((count, dimensions))
        mixed = values @ (random.standard_normal((dimensions, dimensions)) / np.sqrt(dimensions)) + shift
        sets.append(mixed.astype(np.float32).astype(np.float64))
    return sets[0], sets[1]


def rotation(dimensions: int, seed: int) -> Floats:
    return np.asarray(np.linalg.qr(np.random.default_rng(seed).standard_normal((dimensions,) * 2))[0])


def exactly_distributed(mean: Floats, factor: Floats) -> Floats:
    """Features [3 D, D] whose mean is `mean` and whose (biased) covariance is F'F, to rounding."""
    values = np.random.default_rng(3).standard_normal((3 * len(mean), len(mean)))
    values -= values.mean(axis=0)
    white = np.linalg.qr(values)[0] * np.sqrt(len(values))
    return np.asarray(white @ factor + mean)


def by_definition(first: Floats, second: Floats, rule: Rule) -> float:
    """Through both D x D covariances and the symmetric root S1^1/2 S2 S1^1/2."""
    covariances = [np.cov(features, rowvar=False, ddof=int(rule == "unbiased")) for features in (first, second)]
    values, vectors = np.linalg.eigh(covariances[0])
    root = vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T
    inner = np.linalg.eigvalsh(root @ covariances[1] @ root)
    means = first.mean(axis=0) - second.mean(axis=0)
    return float(means @ means + np.trace(covariances[0] + covariances[1]) - 2 * np.sqrt(np.maximum(inner, 0)).sum())


@pytest.mark.parametrize("dimensions", [2, 30, 400])
def test_gaussians_with_common_axes_have_a_closed_form(dimensions: int) -> None:
    """Covariances that commute, U diag(a) U' and U diag(b) U', some variances 0: without U, and with one."""
    random = np.random.default_rng(dimensions)
    means, deviations = random.standard_normal((2, dimensions)), random.uniform(0, 2, (2, dimensions))
    deviations[1, 0] = 0
    expected = np.square(means[0] - means[1]).sum() + np.square(deviations[0] - deviations[1]).sum()
    for axes in (np.eye(dimensions), rotation(dimensions, 1)):
        sets = [exactly_distributed(mean, scale[:, None] * axes) for mean, scale in zip(means, deviations, strict=True)]
        assert frechet_distance(sets[0], sets[1]) == pytest.approx(expected, abs=1e-6)


def test_two_dimensional_gaussians_without_common_axes() -> None:
    """tr (S1 S2)^1/2 = sqrt(tr S1 S2 + 2 sqrt(det S1 S2)) in two dimensions."""
    first, second = np.array([[2.0, 0.6], [0.6, 1.0]]), np.array([[1.0, -0.4], [-0.4, 3.0]])
    root = np.sqrt(np.trace(first @ second) + 2 * np.sqrt(np.linalg.det(first) * np.linalg.det(second)))
    expected = np.trace(first + second) - 2 * root
    sets = [exactly_distributed(np.zeros(2), np.linalg.cholesky(covariance).T) for covariance in (first, second)]
    assert frechet_distance(sets[0], sets[1]) == pytest.approx(expected, abs=1e-12)


def test_full_gaussians_agree_with_scipys_root_of_the_product() -> None:
    """The unbiased rule has N / (N - 1) times the covariances, N = 3 D here."""
    random = np.random.default_rng(5)
    factors, means = random.standard_normal((2, 40, 40)), random.standard_normal((2, 40))
    first, second = (factor.T @ factor for factor in factors)
    spread = np.trace(first + second - 2 * scipy.linalg.sqrtm(first @ second).real)
    between = np.square(means[0] - means[1]).sum()
    sets = [exactly_distributed(mean, factor) for mean, factor in zip(means, factors, strict=True)]
    assert frechet_distance(sets[0], sets[1]) == pytest.approx(between + spread, abs=1e-6)
    assert frechet_distance(sets[0], sets[1], "unbiased") == pytest.approx(between + spread * 120 / 119, abs=1e-6)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(("n", "m", "dimensions"), [(20, 30, 100), (20, 300, 100), (300, 20, 100), (300, 200, 100)])
def test_few_and_many_features_agree_with_the_definition(n: int, m: int, dimensions: int, rule: Rule) -> None:
    first, second = seeded_features(n, m, dimensions)
    expected = by_definition(first, second, rule)
    assert frechet_distance(first, second, rule) == pytest.approx(expected, rel=1e-6)
    assert frechet_distance(second, first, rule) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("shape", "theirs", "close"), CD_FVD)
def test_the_number_is_cd_fvds(shape: tuple[int, int, int], theirs: float, close: float) -> None:
    first, second = seeded_features(*shape)
    assert frechet_distance(first, second) == pytest.approx(theirs, abs=close)
    assert frechet_distance(first, second, "unbiased") > theirs + 1e-3


def test_a_set_is_not_away_from_itself() -> None:
    features = 100 * seeded_features(50, 2, 400)[0] + 1000
    assert 0 <= frechet_distance(features, features[::-1]) < 1e-6


@pytest.mark.parametrize(("count", "expected"), [(16, 718), (64, 550), (256, 301), (512, 158)])
def test_the_bias_of_small_samples(count: int, expected: float) -> None:
    """Figures of an independent implementation, with covariances over N - 1."""
    assert sample_bias(count, count, rule="unbiased") == pytest.approx(expected, rel=0.03)
    assert sample_bias(count, count) < sample_bias(count, count, rule="unbiased")


def test_the_bias_hardly_depends_on_the_draw() -> None:
    draws = [sample_bias(64, 64, seed=seed) for seed in range(5)]
    assert np.ptp(draws) < 0.03 * np.mean(draws)
    assert 2 * sample_bias(2000, 2000) < sample_bias(64, 2000) < min(draws)  # one large sample does not help much


def test_what_is_no_set_of_features_is_refused() -> None:
    features = np.ones((4, 3))
    with pytest.raises(ValueError, match="received 1, expected at least 2"):
        frechet_distance(features, features[:1])
    with pytest.raises(ValueError, match=r"received \(4, 3\) and \(4, 2\), expected as many dimensions"):
        frechet_distance(features, features[:, :2])
    with pytest.raises(ValueError, match=r"received shape \(3,\), expected \[N, D\]"):
        frechet_distance(features[0], features)
    with pytest.raises(ValueError, match="not finite"):
        frechet_distance(features, features * np.nan)
    with pytest.raises(ValueError, match="received 'full', expected one of biased, unbiased"):
        frechet_distance(features, features, "full")  # type: ignore[arg-type]
