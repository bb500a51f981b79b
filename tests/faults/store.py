"""What a store keeps, interfered with: stages, records of runs, the ledger, hashes of files."""

import json
from pathlib import Path

from harness.core.job import Job
from harness.core.signature import fingerprint
from harness.core.store import Store
from harness.results.reports import link_report
from harness.results.runs import RunRecord, begin, finish, runs
from harness.run.worker import run_job
from harness.tracking.ledger import Ledger
from tests.faults.part import Part, Result, digests
from tests.harness.run.stage_functions import node


def some_files(job: Job) -> None:
    """A stage: files large and small, in folders, with progress, and what it was given."""
    given = b"".join((folder / "deep" / "b").read_bytes() for folder in job.inputs.get("given", ()))
    (job.folder / "deep").mkdir(exist_ok=True)
    for done, (name, size) in enumerate((("a", 10), ("deep/b", 300_000), ("deep/c", 0)), start=1):
        (job.folder / name).write_bytes(given + b"x" * size)
        job.counting("file")(done, 3)


_FIRST = node("one", identity={"n": 1}, kind="first")
_SECOND = node("two", identity={"n": 2}, kind="second", upstream={"given": (_FIRST.signature,)})


def _stages(folder: Path) -> None:
    for one in (_FIRST, _SECOND):
        run_job(str(folder / "store"), {**one.fields(), "target": f"{__name__}:some_files"}, {})


def _artifacts(folder: Path) -> Result:
    return digests(folder / "store" / "artifacts", "*/*/a", "*/*/deep/*")


def whole(folder: Path) -> None:
    """Every artifact that is there is as it was written."""
    store = Store(folder / "store")
    for manifest in (store.root / "artifacts").glob("*/*/manifest.json"):
        if found := store.faults(manifest.parent.parent.name, manifest.parent.name, whole=True):
            raise AssertionError(f"{manifest.parent}: {found}")


def _run(folder: Path) -> None:
    root = Store(folder / "store").root
    empty = {"overrides": {}, "only": None, "variants": [], "tracks": [], "seeds": [], "recipes": [], "command": ""}
    for report in ("0" * 64, "1" * 64):  # the second extends the first
        record = RunRecord(
            name="one",
            experiment="one",
            source="one",
            profile="tiny",
            begun="2026-01-01T00:00:00+00:00",
            report=report,
            stages=[report],
            **empty,
        )
        begin(record, root)
        made = root / "artifacts" / "report" / report[:16]
        made.mkdir(parents=True, exist_ok=True)
        finish(record, root)
        link_report(root, "one", made)


def _recorded(folder: Path) -> Result:
    about = json.loads((folder / "store" / "run_records" / "one.json").read_text())
    assert about.pop("finished")
    return {"record": json.dumps(about), "report": str((folder / "store" / "reports" / "one").resolve().name)}


def _readable(folder: Path) -> None:
    if (folder / "store" / "store.json").exists():
        runs(Store(folder / "store").root)


def _send(folder: Path) -> None:
    ledger = Ledger(folder, "somewhere")
    for run in ("a", "b", "c"):
        if ledger.run_id(run) is None:
            ledger.add_run(run, f"id of {run}")
        for piece in range(4):
            if ledger.mark(run, str(piece)) is None:
                ledger.set_mark(run, f"id of {run}", str(piece), piece)
    ledger.forget(["c"])


def _files(folder: Path) -> None:
    (folder / "data").mkdir()
    for name in ("a", "b", "c"):
        (folder / "data" / name).write_text(name)


def _hash(folder: Path) -> None:
    for name in ("a", "b", "c", ""):
        fingerprint(folder / "data" / name, folder / "fingerprints.json")


def _hashed(folder: Path) -> Result:
    known = json.loads((folder / "fingerprints.json").read_text())
    return {Path(path).name: str(entry[-1]) for path, entry in known.items()}


PARTS = (
    Part("store", _stages, _artifacts, sound=whole, lines=("core/store.py", "core/atomic.py", "run/worker.py")),
    Part("records", _run, _recorded, sound=_readable, lines=("results/runs.py", "results/reports.py")),
    Part("ledger", _send, lambda folder: digests(folder, "tracking/*.json"), lines=("tracking/ledger.py",)),
    Part("fingerprints", _hash, _hashed, prepare=_files, lines=("core/signature.py",)),
)
