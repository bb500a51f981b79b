"""Is a result as it was written? What is looked at, and what is said of it."""

import os
import shutil
from pathlib import Path

import pytest

from harness.core.atomic import write_json
from harness.core.errors import UseError
from harness.core.store import Store, read_manifest

SIGNATURE = "0123456789abcdef" * 4
FILE = Path("deep", "weights")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """With one finished stage, of two files and a log."""
    store = Store(tmp_path / "runs")
    folder = store.begin("train", SIGNATURE)
    (folder / "deep").mkdir()
    (folder / FILE).write_bytes(b"w" * 1000)
    (folder / "empty").touch()
    (folder / "log.txt").write_text("said")
    store.commit("train", SIGNATURE, {"kind": "train"})
    return store


def made(store: Store) -> Path:
    return store.artifact("train", SIGNATURE)


def flip(file: Path, *, unseen: bool = False) -> None:
    """One bit of the file; `unseen`: its time stays as it was, as when a disk fails."""
    about = file.stat()
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    if unseen:
        os.utime(file, ns=(about.st_atime_ns, about.st_mtime_ns))


def test_what_is_as_it_was_written_is_found(store: Store) -> None:
    assert store.find(SIGNATURE) == made(store)
    assert store.faults("train", SIGNATURE, whole=True) == []
    assert list(read_manifest(made(store))["files"]) == ["deep/weights", "empty"]


def test_a_flipped_bit_is_named_with_its_stage_and_what_to_do(store: Store) -> None:
    flip(made(store) / FILE)
    with pytest.raises(
        UseError, match=r"deep/weights its bytes have changed .* stage train-0123456789abcdef .*--repair"
    ):
        store.find(SIGNATURE)


def test_a_bit_that_the_disk_lost_is_found_where_all_is_read(store: Store) -> None:
    flip(made(store) / FILE, unseen=True)
    assert store.faults("train", SIGNATURE) == []
    assert store.faults("train", SIGNATURE, whole=True) != []


@pytest.mark.parametrize(("content", "said"), [(b"w", "has 1 bytes, had 1000"), (None, "is gone")])
def test_another_size_and_a_lost_file_are_named(content: bytes | None, said: str, store: Store) -> None:
    file = made(store) / FILE
    file.unlink() if content is None else file.write_bytes(content)
    with pytest.raises(UseError, match=f"deep/weights {said}"):
        store.find(SIGNATURE)


def test_a_copy_of_a_store_is_read_once(store: Store, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(store.root, copy, copy_function=shutil.copyfile)  # times are those of the copy
    other = Store(copy)
    before = read_manifest(other.artifact("train", SIGNATURE))
    assert other.find(SIGNATURE).is_dir()
    after = read_manifest(other.artifact("train", SIGNATURE))
    assert after != before
    assert other.find(SIGNATURE).is_dir()
    assert read_manifest(other.artifact("train", SIGNATURE)) == after


def test_what_a_stage_printed_is_no_result(store: Store) -> None:
    with (made(store) / "log.txt").open("a") as log:
        log.write("its launcher says good-bye")
    assert store.faults("train", SIGNATURE, whole=True) == []


def test_a_result_of_before_checksums_is_taken_as_it_is(store: Store) -> None:
    (made(store) / "manifest.json").write_text('{"kind": "train"}')
    flip(made(store) / FILE)
    assert store.faults("train", SIGNATURE) is None
    assert store.find(SIGNATURE) == made(store)


@pytest.mark.parametrize(
    "sums",
    [[1], None, {"a": 3}, {"a": [1, 2]}, {"a": ["1", 2, "x"]}, {"a\0b": [1, 2, "x"]}, {"\ud800": [1, 2, "x"]}],
)
def test_checksums_that_are_none_are_damage(sums: object, store: Store) -> None:
    write_json(made(store) / "manifest.json", {**read_manifest(made(store)), "files": sums})
    assert store.faults("train", SIGNATURE, whole=True) == [("manifest.json", "has no readable checksums")]
    with pytest.raises(UseError, match="has no readable checksums"):
        store.find(SIGNATURE)


def test_what_is_set_aside_is_not_there_any_more(store: Store) -> None:
    aside = store.set_aside("train", SIGNATURE)
    assert (aside / FILE).is_file()
    assert not store.done("train", SIGNATURE)
    store.begin("train", SIGNATURE)
