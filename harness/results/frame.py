"""From Score artifacts to the results frame."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.arrays import Floats
from benchmarks.suites.record import ScoredMetric, ScoreRecord
from benchmarks.track import TRACKS
from harness.core.job import Job
from harness.core.store import Store

if TYPE_CHECKING:
    import pandas as pd

SHOWN_DIGITS = 12  # of a hash, enough to tell any two apart


def results_frame(job: Job) -> "pd.DataFrame":
    """The long frame of a report (statistics/frame.py): a row for each experiment, variant, track, seed, sample, metric, view
    and clip (-1: of the whole film)."""
    return joined(
        score_rows(folder, experiment=job.settings["experiment"], variant=variant, track=track, seed=seed)
        for (variant, seed, track), folder in zip(job.settings["scored"], job.inputs["score"], strict=True)
    )


def joined(blocks: "Iterable[pd.DataFrame]") -> "pd.DataFrame":
    """Rows of several Score artifacts in one frame."""
    import pandas as pd

    return pd.concat(blocks, ignore_index=True)


def score_rows(folder: Path, **keys: object) -> "pd.DataFrame":
    """The rows of one Score artifact; `keys` are its experiment, variant, track and seed."""
    import pandas as pd

    record = ScoreRecord.read(folder)
    made_with = {
        "suite": f"{record.suite} {record.suite_version}",
        "fps": float(record.fps),
        "resolution": record.resolution,
        "samples": record.samples_hash[:SHOWN_DIGITS],
        "track_version": record.track_version,
    }
    blocks = [
        pd.DataFrame({**keys, **made_with, "metric": name, **_described(metric), **block})
        for name, metric in record.metrics.items()
        if name not in record.skipped or _possible(metric, record.track)
        for block in _metric_blocks(name, record)
    ]
    return joined(blocks)


def scored_values(store: Store, signature: str) -> Mapping[str, Floats]:
    """The arrays of a Score artifact by metric, [S] or [S, n_clips] as suites/record.py says; and of its views. Raises
    UseError for one that is damaged."""
    return ScoreRecord.read(store.find(signature)).values


def _possible(metric: ScoredMetric, track: str) -> bool:
    """Whether films of that track can have the metric at all: where one prompt goes for every clip, no table says that switches of
    prompts were not scored."""
    known = TRACKS.get(track)
    return "switches" not in metric.needs or known is None or known.kind == "creative"


def _described(metric: ScoredMetric) -> dict[str, str]:
    weights = json.dumps(metric.weights, sort_keys=True).encode() if metric.weights else b""
    return {
        "direction": metric.direction,
        "unit": metric.unit,
        "version": metric.version,
        "weights": hashlib.sha256(weights).hexdigest()[:SHOWN_DIGITS] if weights else "",
        "compared_with": metric.compared_with[:SHOWN_DIGITS],
    }


def _metric_blocks(metric: str, record: ScoreRecord) -> Iterator[dict[str, Any]]:
    """A block of columns for each view of a metric, and one for the films that it could not score."""
    unscored = record.unscored(metric)
    if unscored:
        yield _rows(list(unscored), "film", -1, np.nan, "skipped", list(unscored.values()))
    films = record.rows(metric)
    kept = [row for row, name in enumerate(films) if name not in unscored]
    for view, values in record.views(metric).items():
        if view == "film":
            yield _rows([films[i] for i in kept], view, -1, values[kept], "ok", record.notes.get(metric, ""))
        else:
            n_clips = values.shape[1]
            clips = np.tile(np.arange(n_clips), len(kept))
            yield _rows(np.repeat([films[i] for i in kept], n_clips), view, clips, values[kept].reshape(-1), "ok", "")


def _rows(sample: Any, view: str, clip: Any, value: Any, status: str, reason: Any) -> dict[str, Any]:
    return {"sample": sample, "view": view, "clip": clip, "value": value, "status": status, "reason": reason}
