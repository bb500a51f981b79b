"""film.json, as Generate writes it and everything after reads it."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.films.info import FilmInfo, FilmSample

INFO = FilmInfo(
    track="consistent-50s",
    track_version=1,
    method="model",
    samples_hash="5a",
    fps=8,
    clip_frames=5,
    overlap=1,
    n_clips=10,
    n_frames=41,
    samples=(FilmSample("a", ("a disc", "é"), "videos/a.mp4", (16, 24), "c3"),),
)


def test_it_is_written_as_one_object_with_all_it_knows(tmp_path: Path) -> None:
    INFO.write(tmp_path)
    about = {
        "track": "consistent-50s", "track_version": 1, "method": "model", "samples_hash": "5a", "fps": 8, "clip_frames": 5,
        "overlap": 1, "n_clips": 10, "n_frames": 41,
        "samples": [{"name": "a", "prompts": ["a disc", "é"], "video": "videos/a.mp4", "size": [16, 24], "start": "c3"}],
        "overlap_from": "next", "anchor": 0,
    }  # fmt: skip
    assert (tmp_path / "film.json").read_text() == json.dumps(about, indent=1)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    INFO.write(tmp_path)
    assert FilmInfo.read(tmp_path) == INFO
    assert INFO.clip_seconds == 0.5


def test_a_file_that_does_not_say_where_shared_frames_are_from_has_them_from_the_next_clip(tmp_path: Path) -> None:
    replace(INFO, overlap_from="previous").write(tmp_path)
    assert FilmInfo.read(tmp_path).overlap_from == "previous"
    about = json.loads((tmp_path / "film.json").read_text())
    del about["overlap_from"]
    (tmp_path / "film.json").write_text(json.dumps(about))
    assert FilmInfo.read(tmp_path) == INFO


def test_a_file_that_describes_no_films_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"received no film.json, expected a folder of generated films; generate"):
        FilmInfo.read(tmp_path)
    INFO.write(tmp_path)
    about = json.loads((tmp_path / "film.json").read_text())
    for text, received in (
        ("{", r"received no JSON \("),
        (json.dumps([about]), "received no object"),
        (json.dumps({key: about[key] for key in about if key not in ("fps", "n_clips")}), "received no fps, n_clips,"),
        (json.dumps({**about, "samples": [{"name": "a", "prompts": []}]}), "received no video, size,"),
    ):
        (tmp_path / "film.json").write_text(text)
        with pytest.raises(ValueError, match=rf"film.json: {received}.*; generate them again"):
            FilmInfo.read(tmp_path)
