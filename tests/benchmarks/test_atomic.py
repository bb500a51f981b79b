"""A file that appears whole or not at all, whoever else writes it."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from benchmarks.atomic import write_whole


def test_writers_of_one_file_do_not_meet(tmp_path: Path) -> None:
    contents = [bytes([i]) * 100_000 for i in range(32)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda content: write_whole(tmp_path / "a", content), contents))
    assert (tmp_path / "a").read_bytes() in contents
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_failure_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    write_whole(tmp_path / "a", b"whole")
    with pytest.raises(TypeError):
        write_whole(tmp_path / "a", None)  # type: ignore[arg-type]
    assert (tmp_path / "a").read_bytes() == b"whole"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_it_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    write_whole(tmp_path / "a", b"")
    (tmp_path / "b").touch()
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == stat.S_IMODE((tmp_path / "b").stat().st_mode)
