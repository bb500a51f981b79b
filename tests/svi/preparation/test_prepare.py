"""Many samples: each whole or not there, what is there kept, and what gives none listed with the reason."""

import csv
import errno
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from filelock import FileLock

from svi.preparation.prepare import Outcome, prepare
from svi.preparation.source import Made


@dataclass
class Copied:
    """A text, copied; an empty one gives no sample."""

    file: Path
    prompt: str = "A text."
    how: Mapping[str, object] = field(default_factory=dict)
    meanwhile: Callable[[Path], None] = lambda folder: None

    @property
    def name(self) -> str:
        return self.file.stem

    @property
    def files(self) -> Sequence[Path]:
        return [self.file]

    def make(self, folder: Path) -> Made:
        (folder / "half").write_text("written first")
        self.meanwhile(folder)
        if not (text := self.file.read_text()):
            raise ValueError(f"{self.file} is empty")
        (folder / "text").write_text(text)
        return Made(len(text), len(text) / 25, "")


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Three texts, of which the second is empty."""
    found = [tmp_path / f"{name}.txt" for name in ("a", "b", "c")]
    for file, text in zip(found, ("first", "", "third"), strict=True):
        file.write_text(text)
    return found


def prepared(files: Sequence[Path], target: Path, **how: object) -> Outcome:
    return prepare([Copied(file, how=how) for file in files], [], target, lambda *_: None)


def test_samples_and_a_list_of_what_was_skipped(files: list[Path], tmp_path: Path) -> None:
    told = []
    target = tmp_path / "out"
    sources = [Copied(file) for file in files]
    outcome = prepare(sources, [("d", "lacks a text"), ("\t=1", "-no")], target, lambda *said: told.append(said))
    assert outcome.made == {"a": Made(5, 0.2, ""), "c": Made(5, 0.2, "")}
    assert outcome.skipped == [("d", "lacks a text"), ("\t=1", "-no"), ("b", f"{files[1]} is empty")]
    with (target / "skipped.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows == [["sample", "why"], ["d", "lacks a text"], ["'\t=1", "'-no"], ["b", f"{files[1]} is empty"]]
    assert told == [
        (1, 3, "a", "5 frames, 0.2 s"),
        (2, 3, "b", f"skipped: {files[1]} is empty"),
        (3, 3, "c", "5 frames, 0.2 s"),
    ]
    assert sorted(path.name for path in target.iterdir() if path.is_dir()) == ["a", "c"]
    assert (target / "a" / "text").read_text() == "first"
    assert (target / "a" / "prompt.txt").read_text() == "A text.\n"


def test_what_is_there_stays_and_what_changed_is_made_anew(files: list[Path], tmp_path: Path) -> None:
    target = tmp_path / "out"
    prepared(files, target, fps=25)
    before = (target / "a" / "text").stat().st_mtime_ns
    files[1].write_text("second")
    files[2].write_text("third, longer")
    again = prepared(files, target, fps=25)
    assert (again.kept, again.skipped) == ({"a": Made(5, 0.2, "")}, [])
    assert set(again.made) == {"b", "c"}
    assert (target / "a" / "text").stat().st_mtime_ns == before
    assert (target / "c" / "text").read_text() == "third, longer"
    assert set(prepared(files, target, fps=30).made) == {"a", "b", "c"}
    assert set(prepare([Copied(files[0], "Another caption.", {"fps": 30})], [], target, lambda *_: None).made) == {"a"}
    assert (target / "a" / "prompt.txt").read_text() == "Another caption.\n"


def test_a_sample_is_whole_or_not_there(files: list[Path], tmp_path: Path) -> None:
    """Neither an interrupt nor a kill leaves half of one, and the next call goes on."""
    target = tmp_path / "out"

    def interrupted(folder: Path) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare([Copied(files[0]), Copied(files[2], meanwhile=interrupted)], [], target, lambda *_: None)
    assert [path.name for path in target.iterdir() if path.is_dir()] == ["a"]

    def killed(folder: Path) -> None:
        os._exit(9)

    if not (child := os.fork()):
        prepare([Copied(files[2], meanwhile=killed)], [], target, lambda *_: None)
    os.waitpid(child, 0)
    assert (target / ".c.part" / "half").is_file()
    assert not (target / "c").exists()
    again = prepared(files, target)
    assert (set(again.kept), set(again.made)) == ({"a"}, {"c"})
    assert not (target / ".c.part").exists()
    assert not (target / "c" / "half.part").exists()


def test_a_damaged_record_is_made_anew(files: list[Path], tmp_path: Path) -> None:
    target = tmp_path / "out"
    prepared(files, target)
    for text in ("", "[]", "{}", '{"made": 3}'):
        (target / "a" / "made.json").write_text(text)
        assert set(prepared(files, target).made) == {"a"}


def test_a_source_that_cannot_be_read_any_more_is_skipped(files: list[Path], tmp_path: Path) -> None:
    files[0].unlink()
    outcome = prepared(files, tmp_path / "out")
    assert set(outcome.made) == {"c"}
    assert "a.txt cannot be read" in outcome.skipped[0][1]


def test_two_sources_of_one_name_are_not_mixed(files: list[Path], tmp_path: Path) -> None:
    other = tmp_path / "other" / "a.txt"
    other.parent.mkdir()
    other.write_text("another")
    outcome = prepared([files[0], other], tmp_path / "out")
    assert outcome.skipped == [("a", f"{other}: a sample of this name was made of another file; rename one")]
    assert (tmp_path / "out" / "a" / "text").read_text() == "first"


def test_one_command_at_a_time(files: list[Path], tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.mkdir()
    with FileLock(target / ".lock"), pytest.raises(ValueError, match="another command is writing samples there"):
        prepared(files, target)
    assert set(prepared(files, target).made) == {"a", "c"}


def test_a_full_disk_is_said_and_whole_samples_stay(files: list[Path], tmp_path: Path) -> None:
    def full(folder: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    sources = [Copied(files[0]), Copied(files[2], meanwhile=full)]
    with pytest.raises(ValueError, match=r"the disk is full at .*; 1 samples are whole"):
        prepare(sources, [], tmp_path / "out", lambda *_: None)
    assert [path.name for path in (tmp_path / "out").iterdir() if path.is_dir()] == ["a"]
