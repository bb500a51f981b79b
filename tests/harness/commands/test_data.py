"""`harness data`: samples from real files, resumed, with a table of what was skipped and why."""

import csv
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.cli import main
from tests.svi.conditions.sounds import tone, write_wav2vec2
from tests.svi.preparation.sources import Runs, features, greys, jpegs, write_pickle, write_video

Run = Callable[..., tuple[int, str, str]]
"""The words of a command -> its exit code, stdout and stderr."""


@pytest.fixture
def data(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `harness data` with these words."""

    def run(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["harness", "data", *map(str, words)])
        capsys.readouterr()  # what building models and videos says
        with pytest.raises(SystemExit) as end:
            main()
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return int(end.value.code or 0), out, err

    return run


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """Videos with and without sound, and one torn; pickles of the authors, and one that would run."""
    root = tmp_path / "mixed"
    root.mkdir()
    whole = write_video(root / "whole.mp4", greys(50), sound=tone(2))
    write_video(root / "silent film.mp4", greys(25))
    write_video(root / "short sound.mp4", greys(50), sound=tone(1))
    (root / "torn.mp4").write_bytes(whole.read_bytes()[:2000])
    for name, embedding in (("stored", features(10)), ("hostile", Runs(tmp_path / "ran"))):
        write_pickle(root / name / "frame_data.pkl", jpegs(greys(10)))
        write_pickle(root / name / "audio_embedding.pkl", embedding)
    return root


def test_talk(tmp_path: Path, mixed: Path, data: Run) -> None:
    model, out = write_wav2vec2(tmp_path / "wav2vec2"), tmp_path / "out"
    code, said, meanwhile = data("talk", mixed, out, "--wav2vec2", model)
    assert code == 0
    head, cut, skipped, *rows, last = said.splitlines()
    assert head == f"{out}: 3 samples, 3 s (3 made now, 0 there already)"
    assert cut == "1 with a note: short sound"
    assert skipped == f"3 skipped, listed in {out}/skipped.csv:"
    assert [row.split("  ")[0] for row in rows] == ["sample", "hostile", "silent film", "torn"]
    assert "nothing of it was run" in rows[1]
    assert "a file without sound" in rows[2]
    assert "unreadable video" in rows[3]
    assert last == f"train on them: data.path={out}"
    assert meanwhile.count("/6  ") == 6
    assert "short sound: 25 frames, 1.0 s; the sound ends" in meanwhile
    assert not (tmp_path / "ran").exists()
    with (out / "skipped.csv").open(newline="") as file:
        assert [row[0] for row in csv.reader(file)] == ["sample", "hostile", "silent film", "torn"]
    assert sorted(path.name for path in (out / "whole").iterdir()) == [
        "audio.safetensors",
        "audio.wav",
        "made.json",
        "prompt.txt",
        "video.mp4",
    ]
    again = data("talk", mixed, out, "--wav2vec2", model)[1]
    assert again.startswith(
        f"{out}: 3 samples, 3 s (0 made now, 3 there already)\n1 with a note: short sound\n3 skipped"
    )


def test_dance(tmp_path: Path, data: Run) -> None:
    for name, count in (("good", 10), ("other", 30)):
        (tmp_path / "in" / name).mkdir(parents=True)
        write_video(tmp_path / "in" / name / "video.mp4", greys(10))
        write_video(tmp_path / "in" / name / "dwpose.mp4", greys(count))
    write_pickle(tmp_path / "in" / "stored" / "frame_data.pkl", jpegs(greys(10)))
    write_pickle(tmp_path / "in" / "stored" / "dw_pose_with_foot_wo_face.pkl", jpegs(greys(10)))
    out = tmp_path / "out"
    code, said, _ = data("dance", tmp_path / "in", out, "--fps", 10)
    assert code == 0
    assert said.startswith(
        f"{out}: 2 samples, 1 s (2 made now, 0 there already)\n1 skipped, listed in {out}/skipped.csv:\n"
    )
    assert "30 skeletons at 25 a second" in said
    assert data("dance", tmp_path / "in", out, "--fps", 20)[1].startswith(f"{out}: 2 samples, 1 s (1 made now, 1 there")


def test_what_cannot_be_used_is_one_message(tmp_path: Path, mixed: Path, data: Run) -> None:
    out, empty = tmp_path / "out", tmp_path / "empty"
    empty.mkdir()
    for words, told in (
        (("talk", mixed, out), "name its folder, in transformers' layout"),
        (("talk", mixed, out, "--wav2vec2", empty), "lacks config.json"),
        (("talk", empty, out), "holds nothing to make samples of"),
        (("talk", tmp_path / "absent", out), "is not a folder"),
        (("dance", empty, out), "expected a folder a sample"),
        (("dance", mixed, mixed), "expected a folder a sample"),
        (("talk", mixed / "stored", mixed / "stored"), "holds nothing to make"),
    ):
        code, _, err = data(*words)
        assert (code, told in err) == (2, True), err
        assert not out.exists()


def test_where_nothing_came_of_it_the_reasons_are_said(tmp_path: Path, data: Run) -> None:
    write_pickle(tmp_path / "in" / "hostile" / "frame_data.pkl", Runs(tmp_path / "ran"))
    write_pickle(tmp_path / "in" / "hostile" / "audio_embedding.pkl", features(3))
    code, _, err = data("talk", tmp_path / "in", tmp_path / "out")
    assert code == 2
    assert "no sample could be made" in err
    assert "nothing of it was run" in err
    inside = data("talk", tmp_path / "in", tmp_path / "in")
    assert (inside[0], "expected another one than that of the sources" in inside[2]) == (2, True)
    assert not (tmp_path / "ran").exists()
