"""`harness doctor`: packages, devices, space, the weights of every score, and the judge's environment."""

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

import click

from benchmarks.fvd.files import FVD_FILES
from benchmarks.suites import FVD, SYNC
from benchmarks.sync.files import SYNC_FILES
from benchmarks.vbench import official
from benchmarks.vbench.files import FILES
from benchmarks.weights import WeightFile
from harness.commands.options import JSON, STORE
from harness.core.errors import UseError
from harness.core.provenance import PACKAGES

ENOUGH_GB = 20


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: whether it is there, and what to do where it is not."""

    topic: str
    name: str
    state: Literal["ok", "missing", "broken"]
    text: str


@click.command()
@click.option("--install", type=click.Choice(["vbench"]), default=None, help="build the judge's own environment")
@STORE
@JSON
def doctor(install: str | None, store: Path, as_json: bool) -> None:
    """What this machine has, and what is missing for which score: packages, devices, space, weights, the judge."""
    if install is not None:
        install_judge(lambda line: click.echo(line, err=True))  # stdout is for what is found
    examine(store, as_json, click.echo)


def examine(store: Path, as_json: bool, say: Callable[[str], None]) -> None:
    """Say everything found, as a table or as JSON."""
    found = [*_packages(), *_devices(), _space(store), *_weights(), *_judge()]
    if as_json:
        say(json.dumps([asdict(one) for one in found], indent=1))
        return
    topic, width = "", max(len(one.name) for one in found)
    for one in found:
        if one.topic != topic:
            topic = one.topic
            say(topic)
        say(f"  {one.state:<8} {one.name:<{width}}  {one.text}")


def install_judge(say: Callable[[str], None]) -> None:
    """Build the environment of the official VBench package, or finish one that was begun. Raises UseError."""
    try:
        official.build(official.default_folder(), say)
    except (ValueError, OSError) as error:
        raise UseError(f"--install vbench: {error}") from error


def _packages() -> Iterator[Finding]:
    yield Finding("packages", "python", "ok", sys.version.split()[0])
    for name in PACKAGES:
        try:
            yield Finding("packages", name, "ok", version(name))
        except PackageNotFoundError:
            yield Finding("packages", name, "missing", f"install it: pip install {name}")


def _devices() -> Iterator[Finding]:
    import torch

    count = torch.cuda.device_count()
    for index in range(count):
        about = torch.cuda.get_device_properties(index)
        yield Finding("devices", f"cuda:{index}", "ok", f"{about.name}, {about.total_memory / 2**30:.0f} GiB")
    if not count:
        yield Finding("devices", "cpu", "ok", "no GPU: the tiny profile runs here, and scores take their time")


def _space(store: Path) -> Finding:
    existing = store.absolute()
    while not existing.exists():
        existing = existing.parent
    free = shutil.disk_usage(existing).free / 1e9
    state: Literal["ok", "missing"] = "ok" if free >= ENOUGH_GB else "missing"
    wanted = "" if state == "ok" else f"; expected {ENOUGH_GB} GB or more, a bank of Wan 14B alone takes 106"
    return Finding("space", str(store), state, f"{free:.0f} GB free{wanted}")


def _weights() -> Iterator[Finding]:
    needed: dict[WeightFile, list[str]] = {}
    for name, files in [*FILES.items(), (SYNC, SYNC_FILES), (FVD, FVD_FILES)]:
        for file in files:
            needed.setdefault(file, []).append(name)
    for file, names in needed.items():
        serves = ", ".join(names)
        if file.path.is_file():
            size = file.path.stat().st_size / 1e6
            yield Finding(
                "weights", file.name, "ok", f"for {serves}; {size:.0f} MB, sha256 {file.sha256()[:12]}, {file.path}"
            )
        else:
            where = f"expected at {file.path}; licence {file.licence}; get it from {file.where_to_get}"
            yield Finding("weights", file.name, "missing", f"for {serves}; {where}")


def _judge() -> Iterator[Finding]:
    folder = official.default_folder()
    name = f"vbench {official.VBENCH_VERSION}"
    if not (folder / "bin" / "python").is_file():
        yield Finding(
            "judge", name, "missing", f"no environment in {folder}; build it: harness doctor --install vbench"
        )
        return
    problems = official.check(folder)
    yield from (Finding("judge", name, "broken", f"{problem}; harness doctor --install vbench") for problem in problems)
    if not problems:
        yield Finding("judge", name, "ok", str(folder))
