"""python -m harness.commands.ship PROFILE [KEY=VALUE]... --store FOLDER: train an embedded profile's base model, and put it
among what comes with the harness.

The training is the stage that `harness run` would carry out, in a store where it resumes; its weights are kept in half precision.
"""

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import torch

from harness.commands.options import overrides_argument
from harness.core.graph import Node
from harness.core.provenance import facts
from harness.core.store import LOG, MANIFEST, Store
from harness.core.text import duration
from harness.declare.request import Request
from harness.declare.spec import parse_overrides, select
from harness.experiments import EXPERIMENTS
from harness.plan.kinds import BACKBONE
from harness.plan.pipeline import build
from harness.plan.shipped import CARD, shipped_folder
from harness.run.worker import run_job
from svi.artifacts import METRICS
from svi.backbones.packed import copy

POINTS = 50  # of a loss curve that is kept


def training_of(profile: str, store: Store, overrides: Mapping[str, Any]) -> Node:
    """The training of the profile's base model, whether or not its result is shipped."""
    experiment = select(EXPERIMENTS.get("ablation_eimg"), "base")
    graph = build(Request(experiment, experiment.name, profile, overrides=dict(overrides)), store.fingerprints).graph
    node = next(node for node in graph if node.kind == BACKBONE.name)
    return replace(node, target=BACKBONE.target, work=1.0)


def ship(profile: str, store: Store, overrides: Mapping[str, Any]) -> Path:
    """Train, unless the store has it, and pack it where it is looked for; returns that folder."""
    node = training_of(profile, store, overrides)
    run_job(str(store.root), node.fields(), facts())
    folder = shipped_folder(node.kind, node.signature)
    shutil.rmtree(folder, ignore_errors=True)
    copy(store.artifact(node.kind, node.signature), folder, torch.float16, without=(MANIFEST, LOG))
    manifest = store.manifest(node.kind, node.signature)
    for file in folder.rglob(METRICS):
        lines = file.read_text().splitlines(keepends=True)
        file.write_text("".join(lines[-1 :: -max(1, len(lines) // POINTS)][::-1]))
    (folder / CARD).write_text("\n".join(_card(profile, overrides, manifest, folder)))
    return folder


def _card(profile: str, overrides: Mapping[str, Any], manifest: Mapping[str, Any], folder: Path) -> Iterator[str]:
    made, identity = manifest["facts"], manifest["identity"]
    yield f"# The base model of `--profile {profile}`\n"
    spent = duration(manifest["seconds"])
    command = " ".join(
        ["python -m harness.commands.ship", profile, *(f"{key}={value}" for key, value in overrides.items())]
    )
    yield f"Made by `{command} --store FOLDER` in {spent} by the clock, at commit"
    yield f"{made['git.commit']}, with torch {made['torch']} and diffusers {made['diffusers']}; seed {identity['tiny.seed']}."
    yield "Weights are kept in half precision. All of it was drawn, trained and written by this project; licence: Apache-2.0.\n"
    yield "Settings: " + ", ".join(f"{key}={value}" for key, value in identity.items()) + "\n"
    for file in sorted(folder.rglob(METRICS)):
        yield f"Loss of the {'base model' if file.parent == folder else file.parent.name} by step:\n\n| step | loss |\n|--:|--:|"
        lines = [json.loads(line) for line in file.read_text().splitlines()]
        yield from (f"| {line['step']} | {line['train/loss']:.4f} |" for line in lines[:: max(1, len(lines) // 12)])
        yield ""


@click.command(help=__doc__)
@click.argument("profile")
@overrides_argument()
@click.option("--store", "root", type=click.Path(path_type=Path), required=True, help="where the training is kept")
def main(profile: str, overrides: Sequence[str], root: Path) -> None:
    click.echo(ship(profile, Store(root), parse_overrides(overrides)))


if __name__ == "__main__":
    main()
