import itertools
import json
import threading
import time
from pathlib import Path

import pytest

from harness.core.atomic import write_json
from harness.core.errors import UseError
from harness.core.store import HARNESS_STORE, Store, default_store

SIGNATURE = "0123456789abcdef" * 4


def test_an_artifact_appears_with_its_manifest_or_not_at_all(tmp_path: Path) -> None:
    store = Store(tmp_path / "deep" / "runs")
    folder = store.begin("train", SIGNATURE)
    (folder / "weights").write_text("w")
    write_json(folder / "progress.json", {"done": 1})
    assert not store.done("train", SIGNATURE)
    assert store.note("train", SIGNATURE, "progress.json") == {"done": 1}
    store.commit("train", SIGNATURE, {"kind": "train", "seconds": 3})
    final = store.artifact("train", SIGNATURE)
    assert final == store.root / "artifacts" / "train" / SIGNATURE[:16] == store.find(SIGNATURE)
    assert sorted(p.name for p in final.iterdir()) == ["manifest.json", "weights"]
    assert store.done("train", SIGNATURE)
    assert not folder.exists()
    assert store.note("train", SIGNATURE, "progress.json") is None
    manifest = store.manifest("train", SIGNATURE)
    assert list(manifest.pop("files")) == ["weights"]
    assert manifest == {"kind": "train", "seconds": 3}
    assert [one["kind"] for one in store.manifests("train")] == ["train"]
    assert list(store.manifests("score")) == []


def test_a_partial_folder_is_taken_over_without_its_old_error(tmp_path: Path) -> None:
    store = Store(tmp_path)
    folder = store.begin("train", SIGNATURE)
    (folder / "checkpoint").write_text("c")
    write_json(folder / "error.json", {"message": "m"})
    assert store.begin("train", SIGNATURE) == folder
    assert [p.name for p in folder.iterdir()] == ["checkpoint"]


def test_a_store_is_opened_again_and_finds_nothing_unknown(tmp_path: Path) -> None:
    Store(tmp_path)
    store = Store(tmp_path)
    assert json.loads((tmp_path / "store.json").read_text()) == {"format": 1}
    with pytest.raises(UseError, match="no finished artifact 0123456789abcdef"):
        store.find(SIGNATURE)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"format": 2}', "have format 2, this version reads format 1"),
        ("3", "have format 3"),
        ("{", "no readable JSON"),
    ],
)
def test_another_format_is_refused(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "store.json").write_text(text)
    with pytest.raises(UseError, match=message):
        Store(tmp_path)


def test_a_root_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for root in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(UseError, match="choose a writable folder"):
            Store(root)


def test_a_folder_in_the_way_is_said_before_the_work(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.artifact("train", SIGNATURE).mkdir(parents=True)
    assert not store.done("train", SIGNATURE)
    with pytest.raises(UseError, match=r"has no manifest\.json"):
        store.begin("train", SIGNATURE)


def test_a_damaged_manifest_is_named(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.begin("train", SIGNATURE)
    store.commit("train", SIGNATURE, {})
    (store.artifact("train", SIGNATURE) / "manifest.json").write_text('{"kind": ')
    with pytest.raises(UseError, match=r"manifest\.json is damaged"):
        list(store.manifests("train"))


def test_a_json_file_is_never_read_half_written(tmp_path: Path) -> None:
    path = tmp_path / "progress.json"
    write_json(path, {"done": 0, "padding": "x" * 20000})
    stop = threading.Event()

    def write() -> None:
        done = 0
        while not stop.is_set():
            done += 1
            write_json(path, {"done": done, "padding": "x" * 20000})

    writer = threading.Thread(target=write)
    writer.start()
    try:
        seen: set[int] = set()
        begin = time.monotonic()
        for reads in itertools.count():
            seen.add(json.loads(path.read_text())["done"])
            if (reads >= 300 and len(seen) > 1) or time.monotonic() - begin > 60:
                break
    finally:
        stop.set()
        writer.join()
    assert len(seen) > 1
    assert [p.name for p in tmp_path.iterdir()] == ["progress.json"]


def test_results_are_kept_in_runs_unless_the_environment_names_another_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(HARNESS_STORE, raising=False)
    assert default_store() == Path("runs")
    monkeypatch.setenv(HARNESS_STORE, "")
    assert default_store() == Path("runs")
    monkeypatch.setenv(HARNESS_STORE, "~/results")
    assert default_store() == Path.home() / "results"
