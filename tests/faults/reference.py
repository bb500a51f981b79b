"""The undisturbed command: what every disturbed one must end in, and stores from which it can begin in the middle."""

import shutil
from pathlib import Path

from harness.core.store import read_manifest
from tests.faults.command import RUN, End, result, run
from tests.harness.small import prepared


class Reference:
    """RUN carried out twice; what differs between the two, such as pages that tell how long it took, is not compared."""

    def __init__(self, folder: Path) -> None:
        """`folder` is this one's alone."""
        self.folder, self._kept = folder, folder / "kept" / "store"
        first = run(*RUN, store=self._new(self._kept))
        assert first.code == 0, first.err
        manifests = sorted((self._kept / "artifacts").glob("*/*/manifest.json"), key=_created)
        self.stages = [manifest.parent.relative_to(self._kept) for manifest in manifests]
        self.expected = result(self._kept, first)
        root = self.store("second", 0)
        self.seconds = (second := run(*RUN, store=root)).seconds
        self.varying = {name for name, value in result(root, second).items() if self.expected.get(name) != value}

    def store(self, name: str, there: int) -> Path:
        """A new store of that name in which the first so many stages are done, and an empty MLflow."""
        root = self._new(self.folder / name / "store")
        for stage in self.stages[:there]:
            shutil.copytree(self._kept / stage, root / stage)
        return root

    def wrong(self, root: Path, end: End, runs: str | None = None) -> str | None:
        """Why this is not how the undisturbed command ended; None where it is. `runs`: the URL of MLflow's database, if another."""
        if end.code:
            return f"the command ended with {end.code}: {end.last}"
        found = result(root, end, runs)
        differing = {name for name in self.expected | found if self.expected.get(name) != found.get(name)}
        return f"another result: {', '.join(sorted(differing - self.varying))}" if differing - self.varying else None

    def _new(self, root: Path) -> Path:
        shutil.rmtree(root.parent, ignore_errors=True)
        root.parent.mkdir(parents=True)
        return prepared(root)


def _created(manifest: Path) -> str:
    return str(read_manifest(manifest.parent)["created"])
