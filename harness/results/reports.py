"""The report of each run: where it lies, and the job that made it."""

import os
import time
from pathlib import Path

from harness.core.errors import UseError
from harness.core.job import Job
from harness.core.store import Store
from harness.plan.kinds import REPORT
from harness.results.runs import RunRecord, finish, runs
from reports.artifacts import DOCUMENT, REPRODUCE

REPORTS = "reports"  # in a store: a link a run, to the artifact of its newest report


def finished_reports(root: Path) -> list[str]:
    """The runs of a store that have a report, by name."""
    return sorted(path.name for path in (root / REPORTS).glob("*") if (path / DOCUMENT).is_file())


def latest_report(root: Path, name: str) -> Path:
    """Folder of the newest report of a run, or of an experiment's only run. Raises UseError for none, or several."""
    found = finished_reports(root)
    if name in found:
        return root / REPORTS / name
    of_experiment = [run.name for run in runs(root) if run.experiment == name and run.name in found]
    if len(of_experiment) == 1:
        return root / REPORTS / of_experiment[0]
    if of_experiment:
        raise UseError(f"no run is named {name!r} in {root}; runs of that experiment: {', '.join(of_experiment)}")
    reports = ", ".join(found) or "none"
    raise UseError(f"no finished report of {name!r} in {root}; found: {reports}. `harness run {name}` makes one")


def finish_run(store: Store, record: RunRecord) -> Path:
    """Note that the run has its report; returns the link <store>/reports/<run>, which points to it."""
    finish(record, store.root)
    return link_report(store.root, record.name, store.artifact(REPORT.name, record.report))


def link_report(root: Path, name: str, folder: Path) -> Path:
    """Let <store>/reports/<name> point to a report; returns that link."""
    links = root / REPORTS
    links.mkdir(exist_ok=True)
    fresh = links / f".{name}.{os.getpid()}.{time.monotonic_ns()}"
    fresh.symlink_to(os.path.relpath(folder, links))
    return fresh.replace(links / name)


def report_job(store: Store, name: str) -> Job:
    """The newest report's job as it was run, from its manifest. Raises UseError for none, or one of an older version."""
    folder = latest_report(store.root, name).resolve()
    if "scored" not in store.manifest(REPORT.name, folder.name)["identity"]:
        raise UseError(f"the report of {name} is of an older version; `harness run {name}` makes it anew")
    return job_of(store, folder, name)


def job_of(store: Store, folder: Path, name: str) -> Job:
    """The job of a finished report of the run, in that folder of its store."""
    manifest = store.manifest(REPORT.name, folder.name)
    inputs = {role: [store.find(one) for one in found] for role, found in manifest["upstream"].items()}
    command = folder / REPRODUCE
    told = {"command": command.read_text(encoding="utf-8").strip() if command.is_file() else f"harness run {name}"}
    return Job(REPORT.name, folder, {**manifest["identity"], **told}, inputs, lambda *_: None)
