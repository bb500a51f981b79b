"""Files that are whole or not there, whoever writes them at once."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from svi.disk import remove_halves, replacing, write_whole


def test_two_threads_write_one_file(tmp_path: Path) -> None:
    file, contents = tmp_path / "file", {b"a" * 10_000, b"b" * 30_000}

    def write(content: bytes) -> None:
        for _ in range(100):
            write_whole(file, content)
            assert file.read_bytes() in contents

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(write, contents))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_an_error_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "file"
    write_whole(file, b"whole")

    def interrupted() -> None:
        with replacing(file) as fresh:
            fresh.write_bytes(b"ha")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert file.read_bytes() == b"whole"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_permissions_are_those_of_any_new_file(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_whole(tmp_path / "file", b"whole")
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    with replacing(tmp_path / "file") as fresh:
        left = fresh.read_bytes()
    (tmp_path / fresh.name).write_bytes(left)
    remove_halves(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
