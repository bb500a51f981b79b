"""How far trainings that are alike in all but their seed differ, as runs of several seeds found it: a record of the whole store.

A run of one seed cannot know it, so its report takes what an earlier run has kept here, and a plan foresees by it.
"""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from harness.core.atomic import write_json
from harness.core.job import Job
from harness.core.signature import canonical
from harness.core.store import SIGNATURE_DIGITS, read_manifest
from harness.plan.kinds import TRAIN
from reports.statistics.trainings import Trainings

if TYPE_CHECKING:
    import pandas as pd

    from reports.statistics.info import ReportInfo
    from reports.statistics.view import ReportView

RECORD = "trainings.json"  # in the root of a store
TOY = Path(__file__).with_name("toy_trainings.json")
SEED = "train.seed"
Measure = tuple[str, str, str, str]
"""Track, metric, statistic, and the metric's version."""


def forecast_measure(track: str) -> Measure:
    """Under what the spread of forecasts is kept: of the logarithm of the late error."""
    return track, "forecast_error", "late", "1"


def alike(trainings: Iterable[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> str:
    """A name for all trainings of these settings, whatever their seed: of each expert's what it depends on (identity, upstream).

    Empty where nothing is trained.
    """
    told = [({key: value for key, value in identity.items() if key != SEED}, up) for identity, up in trainings]
    return hashlib.sha256(canonical(told).encode()).hexdigest()[:SIGNATURE_DIGITS] if told else ""


def with_known(info: "ReportInfo", job: Job, frame: "pd.DataFrame") -> "ReportInfo":
    """The description of a report with what its store knows of trainings like the baseline's, in metrics of the same version."""
    versions = dict(zip(frame["metric"], frame["version"].astype(str), strict=True))
    found = known(_root(job), _baseline(job))
    same = {
        (track, metric, statistic): one
        for (track, metric, statistic, version), one in found.items()
        if versions.get(metric) == version
    }
    return replace(info, known=same)


def known(root: Path, name: str) -> dict[Measure, Trainings]:
    """What a store keeps of trainings of that name, or what comes with the harness: of each measure what more trainings told.

    A record that cannot be read is none.
    """
    found = dict(kept(root, name))
    for measure, one in shipped().get(name, {}).items():
        if measure not in found or one.freedom > found[measure].freedom:
            found[measure] = one
    return found


def kept(root: Path, name: str) -> dict[Measure, Trainings]:
    """The store's own part of it."""
    return _rows(_read(root / RECORD).get(name, ()))


def shipped() -> dict[str, dict[Measure, Trainings]]:
    """By name what runs of the toy world found elsewhere: a store's record, as it was kept there."""
    return {name: _rows(rows) for name, rows in _read(TOY).items()}


def _rows(rows: Iterable[Mapping[str, Any]]) -> dict[Measure, Trainings]:
    try:
        return {
            (row["track"], row["metric"], row["statistic"], row["version"]): Trainings(
                *(math.nan if row[field] is None else float(row[field]) for field in Trainings._fields)
            )
            for row in rows
        }
    except (KeyError, TypeError, ValueError):
        return {}


def keep(job: Job, report: "ReportView") -> None:
    """Note what a report's several seeds say, where no more is known already."""
    from reports.statistics.variant_forecasts import forecast_trainings

    name, found = _baseline(job), report.trainings
    if not name or not found:
        return
    root, version = _root(job), dict(zip(report.frame["metric"], report.frame["version"].astype(str), strict=True))
    (root / "locks").mkdir(exist_ok=True)
    with FileLock(root / "locks" / f"{RECORD}.lock"):
        before, better = kept(root, name), known(root, name)
        now = {(track, metric, of, version[metric]): one for (track, metric, of), one in found.items()}
        foretold = {view.track: forecast_trainings(view) for view in report.tracks}
        now |= {forecast_measure(track): one for track, one in foretold.items() if one}
        new = {key: one for key, one in now.items() if key not in better or better[key].freedom <= one.freedom}
        rows = [
            dict(zip(("track", "metric", "statistic", "version"), key, strict=True)) | _plain(one)
            for key, one in sorted((before | new).items())
        ]
        write_json(root / RECORD, {**_read(root / RECORD), name: rows})


def _plain(one: Trainings) -> dict[str, float | None]:
    """As JSON has it, which knows no NaN."""
    return {field: None if math.isnan(value) else value for field, value in one._asdict().items()}


def _read(path: Path) -> dict[str, list[dict[str, Any]]]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _baseline(job: Job) -> str:
    """`alike` of the baseline's trainings."""
    settings = job.settings
    for (variant, _, _), folder in zip(settings["rows"], job.inputs["generate"], strict=True):
        if variant == settings["baseline"]:
            manifests = [read_manifest(one) for one in trained(folder)]
            return alike((manifest["identity"], manifest["upstream"]) for manifest in manifests)
    return ""


def trained(folder: Path) -> list[Path]:
    """The trainings that films in this folder of a store were made with; none of a base model's."""
    artifacts = folder.resolve().parents[1]
    return [
        artifacts / TRAIN.name / one[:SIGNATURE_DIGITS] for one in read_manifest(folder)["upstream"].get("train", ())
    ]


def _root(job: Job) -> Path:
    films: Path = job.inputs["generate"][0]
    return films.resolve().parents[2]
