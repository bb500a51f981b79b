"""Prompts that are told while they are read."""

import time
from pathlib import Path
from threading import Thread

import pytest

from benchmarks.samples import read_prompts
from benchmarks.told import prompts_so_far, told_in


def grown(file: Path, parts: list[str], patience: float) -> list[list[str]]:
    """What is told of a file to which these parts are added, each once all before it are known."""
    file.write_text("")
    found: list[list[str]] = []

    def add() -> None:
        for part in parts:
            time.sleep(0.5)
            with file.open("a") as lines:
                lines.write(part)

    writer = Thread(target=add)
    writer.start()
    for prompts in told_in(file, patience):
        found.append(prompts)
    writer.join()
    return found


def test_lines_are_told_once_they_have_their_end(tmp_path: Path) -> None:
    file = tmp_path / "prompts.txt"
    assert grown(file, ["one\n# a comment\n\ntw", "o\nthree\n", "# end\nfour\n"], 30) == [["one"], ["two", "three"]]
    assert prompts_so_far(file) == (["one", "two", "three"], True)


def test_a_last_line_without_an_end_counts_when_nothing_follows(tmp_path: Path) -> None:
    file = tmp_path / "prompts.txt"
    assert grown(file, ["one\ntwo"], 1.2) == [["one"], ["two"]]
    assert prompts_so_far(file) == (list(read_prompts(file)), False)
    assert prompts_so_far(file, unended=False) == (["one"], False)


def test_no_file_for_a_moment_is_no_end_and_no_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "prompts.txt"
    assert prompts_so_far(file) == ([], False)
    file.write_bytes("é".encode()[:1])
    assert prompts_so_far(file, unended=False) == ([], False)  # half a letter is being written
    with pytest.raises(ValueError, match=r"unreadable prompts\.txt"):
        prompts_so_far(file)
