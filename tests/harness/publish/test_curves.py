import numpy as np

from harness.publish.curves import score_curves


def test_score_curves_are_means_over_the_samples_that_are_defined() -> None:
    nan = float("nan")
    psnr = np.array([[10.0, nan, nan], [20.0, 30.0, nan]])
    values = {"psnr": psnr, "gain": np.array([1.0, 2.0]), "eps": np.array([nan, nan]), "ssim": psnr[:, :2]}
    assert score_curves(values, "consistent-50s") == {
        "score/consistent-50s/psnr": [(0, 15.0), (1, 30.0)],
        "score/consistent-50s/gain": [(0, 1.5)],
        "score/consistent-50s/eps": [],
        "score/consistent-50s/ssim": [(0, 15.0), (1, 30.0)],
        "late/consistent-50s/ssim": [(0, 30.0)],  # of the film whose last fifth has a value
    }


def test_a_value_has_six_digits() -> None:
    curves = score_curves({"psnr": np.array([[33.98471927642822, 1.5e-7 / 3]])}, "x")
    assert curves == {"score/x/psnr": [(0, 33.9847), (1, 5e-8)], "late/x/psnr": [(0, 5e-8)]}
