import numpy as np

from benchmarks.films.film import Film
from benchmarks.scorers.exposure import ExposureScorer


def test_the_share_of_white_pixels_of_each_clip() -> None:
    frames = np.full((4, 2, 5, 3), 249, np.uint8)
    frames[1, 0, :2] = 255
    frames[2:, 1] = 250
    frames[3, 0, 0] = (255, 255, 0)  # yellow is bright, not white
    film = Film(frames, 8, (slice(0, 2), slice(2, 4)))
    assert ExposureScorer().score(film)["overexposed"].tolist() == [0.1, 0.5]
