import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness.core.atomic import replacing, write_json


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


def test_permissions_are_those_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "ordinary").write_text("")
    write_json(tmp_path / "whole.json", {})
    assert (tmp_path / "whole.json").stat().st_mode == (tmp_path / "ordinary").stat().st_mode
