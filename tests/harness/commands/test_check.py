"""Damage in a store: found, named, and only that stage made again."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from harness.commands.check import check
from harness.core.graph import Node
from harness.core.store import Store
from harness.run.worker import run_job
from tests.harness.core.test_checksums import flip
from tests.harness.finished import RUN, copied, finished
from tests.harness.run.stage_functions import node
from tests.harness.small import ROOT, harness


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "runs")


def made(store: Store, label: str) -> Node:
    """A finished stage."""
    one = node(label)
    run_job(str(store.root), one.fields(), {})
    return one


def checked(store: Store, *options: str) -> Result:
    return CliRunner().invoke(check, [*options, "--store", str(store.root)])


def test_a_whole_store_is_clean(store: Store) -> None:
    made(store, "full, seed 0")
    done = checked(store)
    assert (done.exit_code, done.stdout) == (0, "1 stage is as it was written, 0 are damaged\n")


def test_every_damaged_file_is_named_and_set_aside_on_demand(store: Store) -> None:
    good, bad, torn = (made(store, label) for label in ("good", "bad", "torn"))
    flip(store.find(bad.signature) / "out.txt", unseen=True)
    (store.find(torn.signature) / "manifest.json").write_text('{"kind": ')
    done = checked(store)
    assert done.exit_code == 1
    assert f"{bad.signature[:16]}/out.txt its bytes have changed" in done.stdout
    assert f"{torn.signature[:16]}/manifest.json is no readable JSON" in done.stdout
    assert "1 stage is as it was written, 2 are damaged" in done.stdout
    assert checked(store, "--repair").exit_code == 0
    assert [store.done("make", one.signature) for one in (good, bad, torn)] == [True, False, False]
    assert checked(store).exit_code == 0


def test_older_results_are_said_to_be_without_checksums(store: Store) -> None:
    one = made(store, "old")
    file = store.find(one.signature) / "manifest.json"
    manifest = json.loads(file.read_text())
    del manifest["files"]
    file.write_text(json.dumps(manifest))
    done = checked(store)
    assert (done.exit_code, "1 is not checksummed" in done.stdout) == (0, True)
    assert "files" not in json.loads(file.read_text())
    assert checked(store, "--add").exit_code == 0
    assert checked(store).stdout.startswith("1 stage is as it was written, 0")


def test_a_full_disk_is_one_message(store: Store) -> None:
    one = made(store, "old")
    file = store.find(one.signature) / "manifest.json"
    file.write_text('{"kind": "make"}')
    words = ["harness", "check", "--add", "--store", str(store.root)]
    limited = "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))"
    code = f"{limited}; from harness.cli import main; sys.argv = {words!r}; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 1
    assert "File too large; what is finished is kept: make room" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert file.read_text() == '{"kind": "make"}'


@pytest.mark.slow
def test_only_the_damaged_stage_is_made_again(tmp_path: Path) -> None:
    root = copied(tmp_path / "runs")
    (report,) = (root / "reports").glob("*")
    table = (report / "results.csv").read_bytes()
    before = {path: path.stat().st_ino for path in (root / "artifacts").glob("*/*/manifest.json")}
    frames = next((root / "artifacts" / "generate").glob("*/frames.npy"))
    flip(frames)
    refused = harness(*RUN, store=root, drawn=False)
    assert refused.returncode == 2
    assert f"{frames} its bytes have changed" in refused.stderr
    again = harness(*RUN, "--repair", store=root, drawn=False)
    assert again.returncode == 0, again.stderr
    changed = {path for path, inode in before.items() if path.stat().st_ino != inode and path.parent != frames.parent}
    assert all("files" in json.loads(path.read_text()) for path in before)
    assert [path for path in changed if _made_again(path, root)] == []
    assert (report / "results.csv").read_bytes() == table


def _made_again(manifest: Path, root: Path) -> bool:
    """Not merely read again, since a copied store's files have other times."""
    first = finished() / manifest.relative_to(root)
    return json.loads(manifest.read_text())["created"] != json.loads(first.read_text())["created"]
