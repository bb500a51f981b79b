import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from harness.core.atomic import remove_halves, replacing, write_json, write_text
from svi import disk


def test_threads_that_write_one_file_never_meet(tmp_path: Path) -> None:
    file = tmp_path / "progress.json"
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda number: write_json(file, {"number": number, "rest": "x" * 1000}), range(200)))
    assert json.loads(file.read_text())["number"] in range(200)
    assert [left.name for left in tmp_path.iterdir()] == [file.name]


def test_what_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "film.mp4"
    file.write_text("old")

    def fail() -> None:
        with replacing(file) as fresh:
            fresh.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert file.read_text() == "old"
    assert [left.name for left in tmp_path.iterdir()] == [file.name]


def test_a_text_takes_the_place_of_a_link_s_file_and_of_no_device(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("old")
    (tmp_path / "link.md").symlink_to("page.md")
    write_text(tmp_path / "link.md", "new")
    assert (tmp_path / "link.md").is_symlink()
    assert (tmp_path / "page.md").read_text() == "new"
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    write_text(tmp_path / "pipe", "said")
    assert os.read(reader, 10) == b"said"
    os.close(reader)


def test_permissions_are_those_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "ordinary").write_text("")
    write_json(tmp_path / "whole.json", {})
    assert (tmp_path / "whole.json").stat().st_mode == (tmp_path / "ordinary").stat().st_mode


@pytest.mark.parametrize("replacing", [replacing, disk.replacing])
def test_what_a_killed_writer_left_is_removed_and_nothing_else(
    replacing: Callable[[Path], AbstractContextManager[Path]], tmp_path: Path
) -> None:
    for name in ("cost.json", ".hidden.json", ".cost.json.0123", "cost.json." + "0" * 32, "film.part"):
        (tmp_path / name).write_text("")
    there = set(tmp_path.iterdir())
    if (child := os.fork()) == 0:
        with replacing(tmp_path / "cost.json") as fresh:
            fresh.write_text("half")
            os._exit(0)
    os.waitpid(child, 0)
    assert set(tmp_path.iterdir()) > there
    remove_halves(tmp_path)
    assert set(tmp_path.iterdir()) == there
