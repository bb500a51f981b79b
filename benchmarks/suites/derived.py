"""What VBench's dimensions find on their way says of films as well, without looking at a frame again: whether they show what they
were asked for, subject and scene are still those of the first frame, motion is as fast as it began, and hand-offs can be seen."""

from collections.abc import Mapping

import numpy as np

from benchmarks.arrays import Floats
from benchmarks.films.film import Film
from benchmarks.scorers.metric import Metric
from benchmarks.scorers.steps import seams
from benchmarks.vbench.dimension import DimensionScore

LEAST = 0.1  # pixels of flow: less is no motion
PROMPT_MATCH = "prompt_match"
SOURCES = {
    PROMPT_MATCH: "background_consistency",
    "subject_kept": "subject_consistency",
    "scene_kept": "background_consistency",
    "flow_kept": "dynamic_degree",
    "flow_seam": "dynamic_degree",
}
"""Metric -> the dimension that it comes from."""
METRICS = {
    metric.name: metric
    for metric in (
        Metric(
            PROMPT_MATCH, "higher", "1", "cosine", "clip", ("prompts",),
            "Cosine of CLIP's features of a clip's frames with those of its prompt: whether the film shows what it was asked for.",
        ),
        Metric(
            "subject_kept", "higher", "1", "cosine", "clip", (),
            "Cosine of DINO's features with the film's first frame: what is in it is still the same.",
        ),
        Metric(
            "scene_kept", "higher", "1", "cosine", "clip", (),
            "Cosine of CLIP's image features with the film's first frame: what is seen is still the same.",
        ),
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


def derived(scores: Mapping[str, DimensionScore], film: Film) -> dict[str, Floats]:
    """Of a film's scores by dimension, and by prompt match: each metric that they give, [n_clips]."""
    kept = {
        metric: scores[SOURCES[metric]].first for metric in ("subject_kept", "scene_kept") if SOURCES[metric] in scores
    }
    found = {metric: film.clip_means(values) for metric, values in kept.items() if values is not None}
    if PROMPT_MATCH in scores:
        found[PROMPT_MATCH] = film.clip_means(scores[PROMPT_MATCH].frames)
    if SOURCES["flow_kept"] in scores:
        found |= flow_scores(scores[SOURCES["flow_kept"]].frames, film)
    return found


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
