"""By how much forecasts in decibels missed in the toy world's league: a record that comes with the harness.

`python -m harness.results.misses RESULTS_CSV...` prints it from the results of finished reports: every row counts, of each seed
and track. The record also says which base model and which lengths of training they are of, since they hold for no others.
"""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.core.signature import canonical
from harness.core.store import read_manifest

if TYPE_CHECKING:
    import pandas as pd

TOY = Path(__file__).with_name("toy_misses.json")
FORETOLD = ("placed_psnr", "background_psnr")
"""Metrics of a known world that a rollout foretells, the one that leads first."""


def misses(clips: int, base: str | None, trainings: Iterable[Mapping[str, Any]]) -> Mapping[str, tuple[float, ...]]:
    """By metric, of films of so many clips by the base model of that signature, or by what was trained from it; nothing where the
    record has no such films. `trainings`: what each depends on (identity), of the base model's films none."""
    kept = _kept()
    if (kept["clips"], kept["base"]) != (clips, base) or any(length(one) not in kept["trainings"] for one in trainings):
        return {}
    return {metric: tuple(values) for metric, values in kept["misses"].items()}


def length(training: Mapping[str, Any]) -> dict[str, Any]:
    """What of a training must be as in the record: its objective, and how long and how it is optimised; its seed and what is
    injected may differ, as they do there."""
    return {
        key: value
        for key, value in sorted(training.items())
        if key == "method.objective" or (key.startswith("train.") and key != "train.seed")
    }


@cache
def _kept() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(TOY.read_text(encoding="utf-8"))
    return found


def misses_in(results: "pd.DataFrame") -> dict[str, list[float]]:
    """By metric, of each variant, track and seed of a results frame that has a gain and the metric's curves."""
    from reports.statistics.drift import late_clips
    from reports.statistics.foretold import ROLLED_FILMS, missed
    from reports.statistics.frame import WINDOW

    found: dict[str, list[float]] = {metric: [] for metric in FORETOLD}
    for _, rows in results.groupby(["track", "variant", "seed"], observed=True, sort=True):
        gain = rows.loc[rows["metric"] == "gain", "value"].to_numpy(np.float64)
        for metric in FORETOLD:
            own = rows[(rows["metric"] == metric) & (rows["view"] == WINDOW)]
            if np.isfinite(gain).any() and len(own):
                curves = own.pivot_table(index="sample", columns="clip", values="value", dropna=False).to_numpy(
                    np.float64
                )
                clips = curves.shape[1]
                late = float(np.nanmean(curves[:, -late_clips(clips) :]))
                found[metric].append(round(missed(late, curves[None, :ROLLED_FILMS], gain[None], clips), 2))
    return found


def record(results: Sequence[Path]) -> dict[str, Any]:
    """What is kept of these results.csv of finished reports, in their store. Raises ValueError where base models differ."""
    import pandas as pd

    from harness.results.trainings import trained

    frame = pd.concat([pd.read_csv(path) for path in results])
    manifests = [read_manifest(folder) for path in results for folder in trained(path.resolve().parent)]
    bases = sorted({manifest["upstream"]["backbone"] for manifest in manifests})
    if len(bases) != 1:
        raise ValueError(f"results: received trainings of {len(bases)} embedded base models, expected those of one")
    trainings = {canonical(one): one for one in (length(manifest["identity"]) for manifest in manifests)}
    return {
        "clips": int(frame["clip"].max()) + 1,
        "base": bases[0],
        "trainings": [trainings[name] for name in sorted(trainings)],
        "misses": misses_in(frame),
    }


if __name__ == "__main__":
    print(json.dumps(record([Path(path) for path in sys.argv[1:]])))
