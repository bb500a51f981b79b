"""The newest report of each experiment: where it lies, and the job that made it."""

import os
import time
from pathlib import Path

from harness.core.errors import UseError
from harness.core.job import Job
from harness.core.store import Store
from harness.plan.kinds import REPORT
from reports.artifacts import DOCUMENT, REPRODUCE

REPORTS = "reports"  # in a store: a link an experiment, to the artifact of its newest report


def finished_reports(root: Path) -> list[str]:
    """The experiments of a store that have a report, by name."""
    return sorted(path.name for path in (root / REPORTS).glob("*") if (path / DOCUMENT).is_file())


def latest_report(root: Path, name: str) -> Path:
    """Folder of the newest report of an experiment; UseError if none is finished."""
    found = finished_reports(root)
    if name not in found:
        reports = ", ".join(found) or "none"
        raise UseError(f"no finished report of {name!r} in {root}; found: {reports}. `harness run {name}` makes one")
    return root / REPORTS / name


def link_report(root: Path, name: str, folder: Path) -> Path:
    """Let <store>/reports/<experiment> point to its newest report; returns that link."""
    links = root / REPORTS
    links.mkdir(exist_ok=True)
    fresh = links / f".{name}.{os.getpid()}.{time.monotonic_ns()}"
    fresh.symlink_to(os.path.relpath(folder, links))
    return fresh.replace(links / name)


def report_job(store: Store, experiment: str) -> Job:
    """The newest report's job as it was run, from its manifest. Raises UseError for none, or one of an older version."""
    folder = latest_report(store.root, experiment).resolve()
    manifest = store.manifest(REPORT.name, folder.name)
    if "scored" not in manifest["identity"]:
        raise UseError(f"the report of {experiment} is of an older version; `harness run {experiment}` makes it anew")
    inputs = {role: [store.find(one) for one in found] for role, found in manifest["upstream"].items()}
    command = folder / REPRODUCE
    told = {
        "command": command.read_text(encoding="utf-8").strip() if command.is_file() else f"harness run {experiment}"
    }
    return Job(REPORT.name, folder, {**manifest["identity"], **told}, inputs, lambda *_: None, first_rank=True)
