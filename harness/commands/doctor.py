"""`harness doctor`: packages, devices, space, the weights of every score, and the judge's environment."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

import click

from benchmarks.fvd.files import FVD_FILES
from benchmarks.suites import FVD, SYNC
from benchmarks.sync.files import SYNC_FILES
from benchmarks.vbench import official
from benchmarks.vbench.files import FILES, PROMPT_FILES
from benchmarks.weights import WeightFile
from harness.commands.options import JSON, STORE
from harness.core.errors import UseError
from harness.core.gpus import visible_gpus
from harness.core.provenance import PACKAGES

ENOUGH_GB = 20
TOPICS = ("packages", "devices", "space", "weights", "judge")


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: whether it is there, and what to do where it is not."""

    topic: str
    name: str
    state: Literal["ok", "missing", "broken"]
    text: str


@click.command()
@click.argument("topics", metavar="[TOPIC]...", nargs=-1, type=click.Choice(TOPICS))
@click.option("--install", type=click.Choice(["vbench"]), default=None, help="build the judge's own environment")
@STORE
@JSON
def doctor(topics: tuple[str, ...], install: str | None, store: Path, as_json: bool) -> None:
    """What this machine has, and what is missing; in short, and all of it for the topics that are named.

    Topics: packages, devices, space, weights (each file, its place, its licence and its source), judge (with a look
    whether it works, which takes a while).
    """
    if install is not None:
        install_judge(lambda line: click.echo(line, err=True))  # stdout is for what is found
        topics = topics or ("judge",)
    examine(topics, store, as_json, click.echo)


def examine(topics: Sequence[str], store: Path, as_json: bool, say: Callable[[str], None]) -> None:
    """Say what was found of the topics, of all in short where none is named; as JSON each file and package even so."""
    short = not topics and not as_json
    found: list[Finding] = []
    for topic in topics or TOPICS:
        if topic == "packages":
            found += _packages_in_short() if short else _packages()
        elif topic == "devices":
            found += _devices()
        elif topic == "space":
            found.append(_space(store))
        elif topic == "weights":
            found += _weights_in_short() if short else _weights()
        else:
            found += _judge(thoroughly=topic in topics)
    if as_json:
        say(json.dumps([asdict(one) for one in found], indent=1))
        return
    topic, width = "", max(len(one.name) for one in found)
    for one in found:
        if one.topic != topic:
            topic = one.topic
            say(topic)
        say(f"  {one.state:<8} {one.name:<{width}}  {one.text}")
    if short and any(one.topic == "weights" and one.state == "missing" for one in found):
        say(
            "\nThe embedded world needs no weights. What is missing, its licence and its source: harness doctor weights"
        )


def install_judge(say: Callable[[str], None]) -> None:
    """Build the environment of the official VBench package, or finish one that was begun. Raises UseError."""
    try:
        official.build(official.default_folder(), say)
    except (ValueError, OSError) as error:
        raise UseError(f"--install vbench: {error}") from error


def _packages() -> Iterator[Finding]:
    yield Finding("packages", "python", "ok", sys.version.split()[0])
    for name in PACKAGES:
        if found := _installed(name):
            yield Finding("packages", name, "ok", found)
        else:
            yield Finding("packages", name, "missing", f"install it: pip install {name}")


def _installed(package: str) -> str:
    """Its version, empty where it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _packages_in_short() -> Iterator[Finding]:
    """One line for all that is installed."""
    found = list(_packages())
    there = [one for one in found if one.state == "ok"]
    yield Finding(
        "packages", there[0].name, "ok", ", ".join([there[0].text, *(f"{p.name} {p.text}" for p in there[1:])])
    )
    yield from (one for one in found if one.state != "ok")


def _devices() -> Iterator[Finding]:
    """By the driver, not by torch: that takes seconds to load."""
    cards = visible_gpus()
    known = _cards_of_driver() if cards else {}
    for index, card in enumerate(cards):
        yield Finding("devices", f"cuda:{index}", "ok", known.get(card.strip(), f"card {card.strip()}"))
    if cards and (torch := _installed("torch")).endswith("+cpu"):
        yield Finding("devices", "torch", "broken", f"{torch} uses no GPU; install torch with CUDA")
    if not cards:
        yield Finding("devices", "cpu", "ok", "no GPU: the tiny profile runs here, and scores take their time")


def _cards_of_driver() -> dict[str, str]:
    """What nvidia-smi says of each card, by its number and its UUID."""
    command = ["nvidia-smi", "--query-gpu=index,uuid,name,memory.total", "--format=csv,noheader,nounits"]
    try:
        lines = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.splitlines()
    except (OSError, subprocess.SubprocessError):
        return {}
    rows = [[cell.strip() for cell in line.split(",")] for line in lines]
    # A card that shares the machine's memory has [N/A].
    sizes = {row[0]: f", {int(row[3]) / 1024:.0f} GiB" if row[3].isdecimal() else "" for row in rows}
    about = {row[0]: row[2] + sizes[row[0]] for row in rows}
    return {**about, **{row[1]: about[row[0]] for row in rows}}


def _space(store: Path) -> Finding:
    existing = store.absolute()
    while not existing.exists():
        existing = existing.parent
    free = shutil.disk_usage(existing).free / 1e9
    state: Literal["ok", "missing"] = "ok" if free >= ENOUGH_GB else "missing"
    wanted = "" if state == "ok" else f"; expected {ENOUGH_GB} GB or more, a bank of Wan 14B alone takes 106"
    return Finding("space", str(store), state, f"{free:.0f} GB free{wanted}")


def _weights_in_short() -> Iterator[Finding]:
    """A line a suite."""
    vbench = [file for files in FILES.values() for file in files]
    for suite, files in (("VBench", vbench), ("Sync-C, Sync-D", SYNC_FILES), ("FVD", FVD_FILES)):
        there = sum(file.path.is_file() for file in files)
        state: Literal["ok", "missing"] = "ok" if there == len(files) else "missing"
        yield Finding("weights", suite, state, f"{there} of {len(files)} files are here")


def _weights() -> Iterator[Finding]:
    """A line a file."""
    needed: dict[WeightFile, list[str]] = {}
    for name, files in [*FILES.items(), ("prompt_match", PROMPT_FILES), (SYNC, SYNC_FILES), (FVD, FVD_FILES)]:
        for file in files:
            needed.setdefault(file, []).append(name)
    for file, names in needed.items():
        serves = ", ".join(names)
        if file.path.is_file():
            size = file.path.stat().st_size / 1e6
            yield Finding("weights", file.name, "ok", f"for {serves}; {size:.0f} MB, {file.path}")
        else:
            where = f"expected at {file.path}; licence {file.licence}; get it from {file.where_to_get}"
            yield Finding("weights", file.name, "missing", f"for {serves}; {where}")


def _judge(thoroughly: bool) -> Iterator[Finding]:
    """Whether its environment is there; `thoroughly`: whether it works, too."""
    folder = official.default_folder()
    name = f"vbench {official.VBENCH_VERSION}"
    if not (folder / "bin" / "python").is_file():
        yield Finding(
            "judge", name, "missing", f"no environment in {folder}; build it: harness doctor --install vbench"
        )
        return
    problems = official.check(folder) if thoroughly else []
    yield from (Finding("judge", name, "broken", f"{problem}; harness doctor --install vbench") for problem in problems)
    if not problems:
        yield Finding("judge", name, "ok", str(folder))
