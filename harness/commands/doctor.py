"""`harness doctor`: packages, devices, space, the weights of every score, and the judge's environment."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from benchmarks.fvd.files import FVD_FILES
from benchmarks.suites import FVD, SYNC
from benchmarks.sync.files import SYNC_FILES
from benchmarks.vbench import official
from benchmarks.vbench.files import FILES, PROMPT_FILES
from benchmarks.weights import WeightFile
from harness.commands.options import JSON, STORE, Number, Whole, names_of
from harness.core.errors import UseError
from harness.core.gpus import visible_gpus
from harness.core.provenance import PACKAGES
from harness.core.store import Store
from svi.backbones.catalogue import MODELS

if TYPE_CHECKING:
    from harness.commands.card import Device
    from svi.card.process import Start

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
@click.option("--gpu", is_flag=True, help="hold a card against the processor, and time it: docs/gpu.md")
@click.option(
    "--device",
    type=click.Choice(["cuda", "cpu"]),
    default=None,
    show_default="cuda",
    help="with --gpu; cpu: the processor against itself, which tries the checks without a card",
)
@click.option(
    "--profile",
    "profiles",
    multiple=True,
    shell_complete=names_of("profiles"),
    help="with --gpu: a Wan whose work is timed at its size where it fits; may be given again",
)
@click.option(
    "--experiment",
    default=None,
    shell_complete=names_of("experiments"),
    help="with --gpu and --profile: what it would take, in hours",
)
@click.option("--price", type=Number(), default=None, help="with --experiment: of a card an hour; hours are money then")
@click.option(
    "--clips", type=Whole(), default=None, help="with --experiment: training clips, where it counts in epochs"
)
@STORE
@JSON
def doctor(
    topics: tuple[str, ...],
    install: str | None,
    gpu: bool,
    device: "Device | None",
    store: Path,
    as_json: bool,
    **asked: Any,
) -> None:
    """What this machine has, and what is missing; in short, and all of it for the topics that are named.

    Topics: packages, devices, space, weights (each file, its place, its licence and its source), judge (with a look
    whether it works, which takes a while).
    """
    if gpu:
        if topics or install:
            raise UseError(f"--gpu examines a card alone; leave out {' '.join(topics) or f'--install {install}'}")
        examine_card(device or "cuda", Asked(**asked), store, as_json)
        return
    for name, value in {**asked, "device": device}.items():
        if value not in (None, ()):
            raise UseError(
                f"--{name.removesuffix('s') if value is asked['profiles'] else name} goes with --gpu; add that"
            )
    if install is not None:
        install_judge(lambda line: click.echo(line, err=True))  # stdout is for what is found
        topics = topics or ("judge",)
    examine(topics, store, as_json, click.echo)


@dataclass(frozen=True)
class Asked:
    """What is to be measured of a card beside the checks, and what that is to mean."""

    profiles: tuple[str, ...] = ()
    experiment: str | None = None
    price: float | None = None
    clips: int | None = None

    def check(self) -> None:
        """What is refused is refused before ten minutes are spent. Raises UseError."""
        from harness.commands.card_cost import amount

        for profile in self.profiles:
            if profile not in MODELS:
                raise UseError(f"--profile {profile}: expected a published Wan, one of {', '.join(MODELS)}")
        if self.experiment is None:
            for name, value in (("--price", self.price), ("--clips", self.clips)):
                if value is not None:
                    raise UseError(f"{name} {value:g}: of which experiment? Name it with --experiment")
            return
        if not self.profiles:
            raise UseError(f"--experiment {self.experiment}: its hours depend on the model; name one with --profile")
        for profile in self.profiles:
            amount(self.experiment, profile)


def examine_card(device: "Device", asked: Asked, store: Path, as_json: bool, start: "Start | None" = None) -> None:
    """Examine the card, write its report into the store, say what it means; exit code 1 where a check failed. Raises UseError.

    `start`: how parts are carried out; none: in processes of their own.
    """
    from harness.commands.card import Examination, check_card, text_of, write
    from harness.commands.card_cost import told
    from svi.card.process import in_processes

    asked.check()
    check_card(device)
    kept = Store(store).root
    examination = Examination(device, lambda line: click.echo(line, err=True), start or in_processes)
    report = examination.examine(asked.profiles)
    means: list[str] = []
    for profile in asked.profiles if asked.experiment else ():
        means += told(report, str(asked.experiment), profile, asked.price, asked.clips)
    files = write(report, kept, means)
    click.echo(report.model_dump_json(indent=1) if as_json else text_of(report, means))
    click.echo(f"Written, to be attached to an issue: {files[0]} and {files[1].name} beside it", err=True)
    if any(check.state == "failed" for check in report.checks):
        raise SystemExit(1)


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
