import numpy as np
import pytest
import torch

from benchmarks.arrays import Floats
from benchmarks.films.film import Film
from benchmarks.suites.derived import derived, flow_scores
from benchmarks.track import clip_slices
from benchmarks.vbench.consistency import Consistency


def film_and_flow(speeds: list[float], across: float, stride: int = 2) -> tuple[Film, Floats]:
    """Clips of 12 frames that move so many pixels between sampled frames, and by `across` times the first into the next clip."""
    total = 12 * len(speeds)
    film = Film(np.zeros((total, 1, 1, 3), np.uint8), 16, clip_slices(total, len(speeds), 12, 0))
    flow = np.repeat(speeds, 12).astype(float)
    flow[12::12] = across * speeds[0]
    flow[np.arange(total) % stride > 0] = np.nan
    flow[0] = np.nan
    return film, flow


def test_flow_is_held_against_the_first_clips_whichever_way_it_changes() -> None:
    film, flow = film_and_flow([4, 4, 2, 8, 0], across=1)
    assert flow_scores(flow, film)["flow_kept"] == pytest.approx([1, 1, 2.1 / 4.1, 4.1 / 8.1, 0.1 / 4.1])


@pytest.mark.parametrize(("across", "ratio"), [(1, 1), (3, 3), (0.5, 2), (0, 10)])
@pytest.mark.parametrize("stride", [1, 2, 5])
def test_the_pair_that_spans_a_handoff_is_its_seam_alone(across: float, ratio: float, stride: int) -> None:
    film, flow = film_and_flow([4] * 5, across, stride)
    if stride == 5:  # the next sampled frame spans the hand-off
        flow[:] = np.where(np.isnan(flow), np.nan, 4.0)
        flow[[15, 25, 40, 50]] = across * 4
    scores = flow_scores(flow, film)
    assert np.isnan(scores["flow_seam"][0])
    assert scores["flow_seam"][1:] == pytest.approx([ratio] * 4, rel=0.06)
    assert scores["flow_kept"] == pytest.approx([1] * 5)


def test_likeness_to_the_first_frame_is_that_alone() -> None:
    features = torch.tensor([[1.0, 0], [1, 0], [0, 1], [0, 1], [1, 1], [1, 1], [-1, 0], [-1, 0]])
    consistency = Consistency()
    for block in features.split(3):
        consistency.add(block)
    film = Film(np.zeros((8, 1, 1, 3), np.uint8), 8, clip_slices(8, 4, 2, 0))
    found = derived({"subject_consistency": consistency.score()}, film)
    assert set(found) == {"subject_kept"}
    assert found["subject_kept"] == pytest.approx([1, 0, 0.5**0.5, 0])
