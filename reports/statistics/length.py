"""Quality against length (the paper's Fig. 5): what a film had scored if it had ended after 50 s, 100 s, ...

A film made clip by clip begins with every shorter film of its seed, so one long film tells all lengths and none is made twice.
"""

import pandas as pd

from reports.statistics.frame import PREFIX, WINDOW
from reports.statistics.summary import curves
from reports.statistics.view import TrackView, once_a_view

STEP_SECONDS = 50.0
"""800 frames at 16 fps."""
_FILM = ["variant", "seed", "sample"]


@once_a_view
def length_table(view: TrackView) -> pd.DataFrame:
    """Columns track, metric, variant, seconds, frames, mean, se of films cut at the clip's end nearest to every 50 s.

    The metric's own score of all frames up to there, or, where it has none, the mean over the clips up to there; mean and
    standard error over seeds, or over the samples of one seed. No rows for a film of less than 100 s.
    """
    rows: list[dict[str, object]] = []
    for metric in view.metrics if _lengths(view.seconds) > 1 else ():
        so_far = _so_far(view.scored[view.scored["metric"] == metric])
        for variant, curve in curves(so_far, view.track, metric, PREFIX).items():
            clip_seconds = view.seconds / view.clips[variant]
            for clip in _cuts(len(curve), clip_seconds):
                seconds = (clip + 1) * clip_seconds
                about = {"track": view.track, "metric": metric, "variant": variant}
                rows.append(about | {"seconds": seconds, "frames": round(seconds * view.info.fps), **curve.loc[clip]})
    return pd.DataFrame(rows, columns=["track", "metric", "variant", "seconds", "frames", "mean", "se"])


def _cuts(clips: int, clip_seconds: float) -> list[int]:
    """The clips whose ends are nearest to 50 s, 100 s, ...; none where there is but one such length."""
    lengths = _lengths(clips * clip_seconds)
    cuts = [min(round(STEP_SECONDS * n / clip_seconds), clips) - 1 for n in range(1, lengths + 1)]
    return cuts if lengths > 1 else []


def _lengths(seconds: float) -> int:
    """How many times 50 s a film is long, one that ends a second before as well."""
    return int(round(seconds, 6) / STEP_SECONDS + 0.02)


def _so_far(rows: pd.DataFrame) -> pd.DataFrame:
    """One metric's rows of view prefix: as scored, or the running mean of its clips."""
    scored = rows[rows["view"] == PREFIX]
    if len(scored):
        return scored
    clips = rows[rows["view"] == WINDOW].sort_values([*_FILM, "clip"])
    means = clips.groupby(_FILM, observed=True)["value"].expanding().mean()
    return clips.assign(view=PREFIX, value=means.to_numpy())
