"""`harness doctor --gpu`: the first hour on a card, in ten minutes: does it compute what the processor does, and how fast?"""

import getpass
import json
import os
import re
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from shutil import which
from typing import Any, Literal

from harness.core.atomic import replacing
from harness.core.card_report import CardReport, CheckRow, SizeRow, Work
from harness.core.errors import UseError
from harness.core.gpus import VISIBLE, visible_gpus
from harness.core.provenance import facts
from harness.core.text import duration, table
from svi.backbones.catalogue import MODELS
from svi.card.process import DEVICE, Start, in_processes, read_rows

Device = Literal["cuda", "cpu"]
PART_SECONDS, SIZE_SECONDS = 300, 600  # of a part: more than any takes on a card that works; of one at a profile's size
GPU_MISSING = (
    "--gpu: no GPU is visible here (looked at the driver and CUDA_VISIBLE_DEVICES); run it on a GPU node, such as "
    "`srun --gpus=1 harness doctor --gpu`, or try the same checks on the processor: harness doctor --gpu --device cpu"
)


def check_card(device: Device) -> None:
    """Raises UseError where there clearly is no card; a container may show torch one without saying so in /proc."""
    if device == "cuda" and not visible_gpus() and (os.environ.get(VISIBLE) is not None or which("nvidia-smi") is None):
        raise UseError(GPU_MISSING)


@dataclass
class Examination:
    """One card in the making of its report; `device` cpu: the processor against itself, which tries the checks."""

    device: Device
    say: Callable[[str], None]
    start: Start = in_processes
    checks: list[CheckRow] = field(default_factory=list)
    sizes: list[SizeRow] = field(default_factory=list)

    def examine(self, profiles: tuple[str, ...]) -> CardReport:
        """All checks, then what each profile's work takes. Raises UseError where torch sees no card."""
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="card-") as folder:
            here = Path(folder)
            about = self._about(here)
            wan, processor = here / "wan", here / "processor"
            if wrong := self._run("processor", processor, [str(wan)], card=False):
                raise UseError(
                    f"--gpu: the processor itself cannot run a small Wan ({private(wrong)}); install the packages again"
                )
            self._rows("card", here / "card", [str(wan), str(processor)])
            for part in ("ways", "compiled"):
                self._rows(part, here / part, [str(wan)])
            self._rows("together", here / "together", [str(wan)], ranks=about["cards"] or 2)
            for profile in profiles:
                for work in ("encoders", "step", "call"):
                    self._size(profile, work, here / f"{profile}-{work}")
        return CardReport(
            card=about["card"],
            memory_bytes=about["memory"],
            cards=max(about["cards"], 1),
            driver=driver() if self.device == "cuda" else "",
            created=datetime.now(UTC),
            seconds=round(time.monotonic() - began, 1),
            versions={**facts(), **about["versions"]},
            checks=tuple(self.checks),
            sizes=tuple(self.sizes),
        )

    def _run(self, part: str, out: Path, what: list[str], *, card: bool | None = None, ranks: int = 1) -> str:
        on_card = self.device == "cuda" if card is None else card
        seconds = SIZE_SECONDS if part == "size" else PART_SECONDS
        return self.start(part, out, what, card=on_card, seconds=seconds, ranks=ranks)

    def _about(self, here: Path) -> dict[str, Any]:
        if wrong := self._run("device", here / "device", []):
            raise UseError(
                f"--gpu: torch cannot ask the card ({private(wrong)}); is its driver newer than torch's CUDA?"
            )
        about: dict[str, Any] = json.loads((here / "device" / DEVICE).read_text())
        if self.device == "cuda" and not about["cards"] and not visible_gpus():
            raise UseError(GPU_MISSING)
        if self.device == "cuda" and not about["cards"]:
            raise UseError(
                "--gpu: the driver has a card, but torch sees none: torch is a build without CUDA, or its CUDA is newer than the "
                "driver; install torch as docs/gpu.md says"
            )
        self.say(f"{about['card']}, {about['memory'] / 2**30:.0f} GiB")
        return about

    def _rows(self, part: str, out: Path, what: list[str], ranks: int = 1) -> None:
        wrong = self._run(part, out, what, ranks=ranks)
        for row in read_rows(out):
            self._check(CheckRow.model_validate(row))
        if wrong:
            self._check(CheckRow(name=part, state="failed", note=wrong))

    def _size(self, profile: str, work: str, out: Path) -> None:
        if self.device == "cpu":
            return
        wrong = self._run("size", out, [profile, work])
        rows = read_rows(out)
        if wrong:
            rows.append({"work": "text" if work == "encoders" else work, "how": "", "note": wrong})
        model = MODELS[profile]
        for row in rows:
            size = SizeRow(
                profile=profile,
                dtype="bfloat16",
                height=model.height,
                width=model.width,
                frames=model.frames,
                **{**row, "note": private(row["note"])},
            )
            self.sizes.append(size)
            self.say(f"  {size.profile}, {WORDS[size.work]}: {measured(size)}")

    def _check(self, row: CheckRow) -> None:
        row = row.model_copy(update={"note": private(row.note)})
        self.checks.append(row)
        self.say("  " + "  ".join(cell for cell in cells(row) if cell))


WORDS: dict[Work, str] = {
    "step": "training step of a clip",
    "call": "denoiser call",
    "encode": "clip encoded",
    "decode": "clip decoded",
    "text": "prompt encoded",
}


def measured(size: SizeRow) -> str:
    """What it took, or why that is not known."""
    if size.seconds is None:
        return f"not measured: {size.note}"
    return f"{size.seconds:.3g} s, at most {(size.peak_bytes or 0) / 2**30:.1f} GiB  {size.how}".rstrip()


def cells(row: CheckRow) -> tuple[str, ...]:
    """A check for people."""
    told = row.note
    if row.measured is not None:
        told = f"{row.measured:.2g} of at most {row.tolerance:.2g}" + (f"; {row.note}" if row.note else "")
    return row.state, row.name, row.dtype or "", told


def text_of(report: CardReport, told: list[str]) -> str:
    """The report for people, and what it means for an experiment."""
    counts = {state: sum(row.state == state for row in report.checks) for state in ("passed", "failed", "skipped")}
    lines = [
        f"{report.card}, {report.memory_bytes / 2**30:.0f} GiB, {report.cards} in this machine",
        f"{report.created:%Y-%m-%d}, {duration(report.seconds)}; driver {report.driver or 'none'}; "
        + ", ".join(f"{name} {value}" for name, value in report.versions.items()),
        "",
        ", ".join(f"{count} {state}" for state, count in counts.items()),
        *table([("state", "check", "numbers", "relative difference, or why not"), *map(cells, report.checks)]),
    ]
    if report.sizes:
        rows = [(size.profile, WORDS[size.work], measured(size)) for size in report.sizes]
        lines += ["", *table([("profile", "work", "on one card"), *rows])]
    return "\n".join([*lines, *(["", *told] if told else [])]) + "\n"


def write(report: CardReport, store: Path, told: list[str]) -> tuple[Path, Path]:
    """Both files, the second one for people. Raises UseError where they cannot be written."""
    try:
        file = report.save(store)
        with replacing(file.with_suffix(".txt")) as fresh:
            fresh.write_text(text_of(report, told), encoding="utf-8")
    except OSError as error:
        raise UseError(f"cannot write the report into {store} ({error.strerror}); choose a writable --store") from error
    return file, file.with_suffix(".txt")


def driver() -> str:
    """The version of NVIDIA's driver, empty where nvidia-smi does not tell."""
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        lines = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.split()
    except (OSError, subprocess.SubprocessError):
        return ""
    return lines[0] if lines else ""


def private(text: str) -> str:
    """The same without folders, the host's name and the user's: it will be shown to others."""
    text = re.sub(r"(?<![\w.])~?/(?:[^\s/'\":,;()<>]+/)+", ".../", text)
    for name, word in _names():
        text = re.sub(rf"\b{re.escape(name)}\b", word, text)
    return text


def _names() -> Iterator[tuple[str, str]]:
    yield socket.gethostname(), "HOST"
    try:
        yield getpass.getuser(), "USER"
    except (KeyError, OSError):
        return
