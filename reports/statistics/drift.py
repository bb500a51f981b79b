"""What a curve over clips says of drift: numbers of one film each, from its scores clip by clip.

- `first`, `late`: the first clip, and the mean over the last 20 % of clips; `drop`: first minus late.
- `contrast`: |mean of the first 15 % of clips - mean of the last 15 %|, as in FramePack (arXiv 2504.12626).
- `vde`: the video drift error of LV-Bench, see `video_drift_error`.
- `slope`: the least-squares line's, in the metric's unit a minute of film.
"""

import numpy as np
import numpy.typing as npt

from reports.statistics.bootstrap import Floats

LATE_SHARE = 0.20
CONTRAST_SHARE = 0.15
SEGMENTS = 10
"""Parts that the video drift error divides a film into."""
CURVE_STATISTICS = ("first", "late", "drop", "contrast", "vde", "slope")

Ints = npt.NDArray[np.int64]
_Bools = npt.NDArray[np.bool_]


def late_clips(clips: int) -> int:
    """How many of a film's clips are its late ones."""
    return int(_clips(np.array([clips]), LATE_SHARE)[0])


def curve_statistics(curves: Floats, lengths: Ints, clip_seconds: float | Floats) -> dict[str, Floats]:
    """Each of `CURVE_STATISTICS` [S], of curves [S, C] whose films have `lengths` [S] clips of `clip_seconds` [S].

    A curve is NaN where it is undefined; such clips, and those past a film's end, count nowhere. What is left without
    any clip is NaN.
    """
    clip, length = np.arange(curves.shape[1]), lengths[:, None]
    late, edge = (_clips(length, share) for share in (LATE_SHARE, CONTRAST_SHARE))
    inside = clip < length
    first, last = curves[:, 0], _mean(curves, inside & (clip >= length - late))
    head, tail = _mean(curves, clip < edge), _mean(curves, inside & (clip >= length - edge))
    return {
        "first": first,
        "late": last,
        "drop": first - last,
        "contrast": np.abs(head - tail),
        "vde": video_drift_error(curves, lengths),
        "slope": slope(np.where(inside, curves, np.nan), clip_seconds),
    }


def video_drift_error(curves: Floats, lengths: Ints) -> Floats:
    """VDE [S] = sum over i = 2..N of (N - i + 1) |m_i - m_1| / |m_1|, m_i the metric in the i-th of N segments.

    That is the linear weighting which LV-Bench's own evaluator uses (BlockVid, arXiv 2511.22973; `vde.py` beside the
    data set), with its N = 10: a sum, not a mean, whose weights are 45 together and largest just after the start. Here
    a segment is a run of whole clips and m_i the mean of their scores, where LV-Bench scores the segment's frames anew;
    a film of fewer clips has a segment a clip, so its VDE is smaller and compares only with films of as many.

    NaN where the first segment is undefined or 0 (a relative change has no meaning there), or is the only one. Another
    undefined segment counts as the weighted mean of those that are defined.
    """
    segments, clip, length = np.minimum(lengths, SEGMENTS), np.arange(curves.shape[1]), lengths[:, None]
    of_clip = np.where(clip < length, clip * segments[:, None] // np.maximum(length, 1), -1)
    means = np.stack([_mean(curves, of_clip == segment) for segment in range(SEGMENTS)], axis=1)
    start = np.where(means[:, :1] == 0, np.nan, np.abs(means[:, :1]))
    change = np.abs(means[:, 1:] - means[:, :1]) / start
    weights = np.maximum(segments[:, None] - np.arange(1, SEGMENTS), 0).astype(np.float64)
    error: Floats = weights.sum(axis=1) * _mean(change, weights > 0, weights)
    return error


def slope(curves: Floats, clip_seconds: float | Floats) -> Floats:
    """Slope [S] a minute of film of the ordinary least-squares line through curves [S, C]; NaN below two defined clips.

    `clip_seconds` of film that a clip adds: of all curves, or of each [S].
    """
    defined = ~np.isnan(curves)
    seconds = np.broadcast_to(clip_seconds, len(curves))
    minutes = np.arange(curves.shape[1]) * seconds[:, None] / 60
    centred = np.where(defined, minutes - _mean(minutes, defined)[:, None], 0)
    height = np.where(defined, curves - _mean(curves, defined)[:, None], 0)
    spread = (centred**2).sum(axis=1)
    return _ratio((centred * height).sum(axis=1), spread)


def _clips(lengths: Ints, share: float) -> Floats:
    """The nearest number of clips to that share of each film, one at least."""
    return np.asarray(np.maximum(np.round(lengths * share), 1), dtype=np.float64)


def _mean(values: Floats, chosen: _Bools, weights: Floats | None = None) -> Floats:
    """Mean [S] of the chosen, defined values in each row [S, C], weighted if asked; NaN where there are none."""
    use = chosen & ~np.isnan(values)
    weight = use.astype(np.float64) if weights is None else np.where(use, weights, 0)
    total, size = (np.where(use, values, 0) * weight).sum(axis=1), weight.sum(axis=1)
    return _ratio(total, size)


def _ratio(above: Floats, below: Floats) -> Floats:
    """NaN where there is nothing to divide by."""
    ratio: Floats = np.divide(above, below, out=np.full(len(above), np.nan), where=below > 0)
    return ratio
