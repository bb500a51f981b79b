import numpy as np
import pytest

from benchmarks.colours import difference, lab


@pytest.mark.parametrize(
    ("colour", "expected"),  # published values of sRGB's corners and a grey, D65
    [
        ((255, 255, 255), (100, 0, 0)),
        ((0, 0, 0), (0, 0, 0)),
        ((255, 0, 0), (53.24, 80.09, 67.20)),
        ((0, 255, 0), (87.73, -86.18, 83.18)),
        ((0, 0, 255), (32.30, 79.19, -107.86)),
        ((119, 119, 119), (50.03, 0, 0)),
    ],
)
def test_known_colours_are_where_they_should_be(colour: tuple[int, ...], expected: tuple[float, ...]) -> None:
    assert lab(np.array(colour) / 255) == pytest.approx(expected, abs=0.02)


def test_the_difference_is_a_distance() -> None:
    one, other = np.array([[255, 0, 0], [9, 9, 9]], np.uint8), np.array([[0, 0, 255], [9, 9, 9]], np.uint8)
    assert difference(one, other) == pytest.approx([176.31, 0], abs=0.05)
