"""What films were made of, for people: their footage, training and starts, what the command set, and what settings mean."""

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from harness.core.artifacts import FOOTAGE
from harness.core.job import Job
from harness.core.signature import leaves
from harness.core.store import read_manifest
from harness.declare.settings import Settings
from harness.plan.kinds import GENERATE, TRAIN

WORLD = "embedded world"  # as a plan names its footage


def made_of(job: Job) -> dict[str, str]:
    """Of a report's films, each in a line; what is not known is left out."""
    return {name: text for name, text in _facts(job) if text}


def _facts(job: Job) -> Iterator[tuple[str, str]]:
    found = {kind: [_identity(folder) for folder in job.inputs.get(role, ())] for kind, role in _ROLES.items()}
    footage = [folder for folder in job.inputs.get("base", ()) if (folder / FOOTAGE).is_file()]
    yield "trained on", "; ".join(dict.fromkeys(map(_footage, footage)))
    yield "training", "; ".join(dict.fromkeys(map(_training, found[TRAIN.name])))
    starts = [_STARTS.get(str(read.get("eval.samples")), "samples of a folder") for read in found[GENERATE.name]]
    yield "films start from", "; ".join(dict.fromkeys(starts))
    words = shlex.split(job.settings["command"], comments=True)
    yield "set on the command line", ", ".join(word for word in words if re.match(r"[a-z_]+\.[a-z_]+=", word))


_ROLES = {TRAIN.name: "train", GENERATE.name: "generate"}
_STARTS = {"scenes": "scenes of the embedded world", "held back": "clips held back from training"}


def _training(read: Mapping[str, Any]) -> str:
    """How long it was: epochs, where there are any, decide its steps."""
    epochs, steps, batch = read.get("train.epochs"), read["train.steps"], read["train.batch"]
    long = f"{steps:,} steps" if epochs is None else f"{epochs:,} epoch{'s' if epochs > 1 else ''}"
    long += "' worth of evaluations" if read.get("train.budget") == "evaluations" else ""
    return f"{long}, {batch} clip{'s' if batch > 1 else ''} a step"


def _footage(folder: Path) -> str:
    about = json.loads((folder / FOOTAGE).read_text())
    if _identity(folder).get("data.fingerprint") == WORLD:
        return f"the embedded world, {about['clips']:,} clips"
    videos = f"{about['videos']:,} real videos" if about.get("videos") else "real videos"
    return f"{videos}, {about['clips']:,} clips"


def _identity(folder: Path) -> dict[str, Any]:
    read: dict[str, Any] = read_manifest(folder)["identity"]
    return read


@cache
def meanings() -> dict[str, str]:
    """Dotted setting -> what it is, without the values of the sources."""
    found = {}
    for name, field in leaves(Settings).items():
        text = re.sub(r"^false: ", "", field.description or "")
        found[name] = re.sub(r"[:;]? ?\[[NCP]\].*", "", text) or text
    return found
