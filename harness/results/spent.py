"""What the variants of a report cost: what their stages counted, and how long these took."""

import json
from collections.abc import Sequence
from pathlib import Path

from harness.core.artifacts import COST
from harness.core.job import Job
from harness.core.store import read_manifest
from harness.results.trainings import trained

Spent = dict[str, float]


def spent(job: Job) -> dict[str, Spent]:
    """Variant -> its costs (reports/statistics/spending.py), means over seeds and tracks; of old stages, seconds alone."""
    found: dict[str, list[Spent]] = {}
    for (variant, _, _), folder in zip(job.settings["rows"], job.inputs["generate"], strict=True):
        found.setdefault(variant, []).append(_film(folder))
    return {variant: _means(films) for variant, films in found.items()}


def _film(folder: Path) -> Spent:
    """Of one seed and track: of its films, and of the trainings that they were made with."""
    trainings = trained(folder)
    counted = [_counted(one) for one in trainings]
    known = set.intersection(*(set(one) for one in counted)) if counted else {"parameters", "clips", "training_tokens"}
    seconds = sum(float(read_manifest(one)["seconds"]) for one in (folder, *trainings))
    return {name: sum(one[name] for one in counted) for name in known} | _rates(_counted(folder)) | {"seconds": seconds}


def _rates(counted: Spent) -> Spent:
    """Of films: what a second of them took."""
    if not counted:
        return {}
    rates = {name: counted[name] / counted["film_seconds"] for name in ("evaluations", "tokens")}
    return rates | {"before_first": counted["before_first"]}


def _counted(folder: Path) -> Spent:
    file = folder / COST
    found: Spent = json.loads(file.read_text()) if file.is_file() else {}
    return found


def _means(films: Sequence[Spent]) -> Spent:
    """Of what all of them counted."""
    known = [name for name in films[0] if all(name in one for one in films)]
    return {name: sum(one[name] for one in films) / len(films) for name in known}
