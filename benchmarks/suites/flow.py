"""What the optical flow that dynamic degree measures says of motion in any film, without looking at a frame again."""

import numpy as np

from benchmarks.arrays import Floats
from benchmarks.films.film import Film
from benchmarks.scorers.metric import Metric
from benchmarks.scorers.steps import seams

SOURCE = "dynamic_degree"  # whose frames' values are the flow: pixels of the fastest twentieth, since the sampled frame before
LEAST = 0.1  # pixels: less is no motion
METRICS = {
    metric.name: metric
    for metric in (
        Metric(
            "flow_kept", "higher", "1", "share", "clip", (),
            "The smaller of a clip's optical flow and the first clip's, of the larger: 1 while a film moves as fast as it began.",
        ),
        Metric(
            "flow_seam", "lower", "1", "ratio", "clip", ("handoffs",),
            "How many times the flow across the hand-off into the clip is larger, or smaller, than the median flow within clips.",
        ),
    )
}  # fmt: skip


def flow_scores(flow: Floats, film: Film) -> dict[str, Floats]:
    """Of a film's flow [F] in pixels, NaN where a frame is not sampled: each metric [n_clips], NaN for clips without a pair of
    sampled frames, and for the first clip's seam."""
    across = flow.copy()
    for clip in film.clips[1:]:
        sampled = np.flatnonzero(~np.isnan(flow[clip]))
        across[clip.start : clip.start + (sampled[0] + 1 if len(sampled) else 0)] = np.nan
    speeds = film.clip_means(across) + LEAST
    kept = np.minimum(speeds, speeds[0]) / np.maximum(speeds, speeds[0])
    return {"flow_kept": kept, "flow_seam": film.clip_means(seams(flow, film, LEAST))}
