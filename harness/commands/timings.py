"""python -m harness.commands.timings: measure the timings that `harness plan` starts from, at the embedded profiles.

Every kind of stage of `ablation_eimg` is carried out in this process, with few steps: its time is split into what is fixed and what
grows with its work. Processor seconds are taken, which other programs on the machine hardly change.
"""

import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import click

from harness.core.store import Store
from harness.declare.profiles import embedded
from harness.declare.request import Request
from harness.declare.spec import select
from harness.experiments import EXPERIMENTS
from harness.plan.estimate import ALIKE
from harness.plan.pipeline import build
from harness.run.worker import run_job

VARIANTS, TRACK = "base,full,copy_*,ping_pong,recode", "consistent-50s"
# But all films, for a batch of fewer would take longer a film; and all of a codec's steps, which count as fixed.
FEW = {"tiny.steps": 200, "train.steps": 120}
KEPT = ("kind", "identity", "seconds", "fixed", "work")


def measure(root: Path, profile: str) -> list[dict[str, object]]:
    """A row for every kind of stage and way to make films: of several the one that took the median time."""
    experiment = select(EXPERIMENTS.get("ablation_eimg"), VARIANTS).model_copy(update={"tracks": (TRACK,)})
    request = Request(experiment, experiment.name, profile, overrides=FEW)
    store = Store(root)
    alike: dict[tuple[object, ...], list[dict[str, Any]]] = {}
    for node in build(request, store.fingerprints).graph:
        run_job(str(store.root), node.fields(), {}, now=time.process_time)
        about = (node.kind, *(node.identity.get(key) for key in ALIKE))
        alike.setdefault(about, []).append(store.manifest(node.kind, node.signature))
    medians = (sorted(found, key=lambda manifest: manifest["seconds"])[len(found) // 2] for found in alike.values())
    return [{key: manifest[key] for key in KEPT} for manifest in medians]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        rows = {name: measure(Path(scratch), name) for name in embedded()}
    threads = os.environ.get("OMP_NUM_THREADS")
    about = f"{os.cpu_count()} cores, {'one thread' if threads == '1' else 'all threads'} a stage"
    click.echo(json.dumps({"about": about, "profiles": rows}, indent=1))
