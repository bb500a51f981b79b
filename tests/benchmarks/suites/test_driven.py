"""What films follow reaches the scores through the files of a folder."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.arrays import Array
from benchmarks.films.film import FilmFolder
from benchmarks.films.info import FilmInfo, FilmSample
from benchmarks.suites import LOUDNESS, POSE
from benchmarks.suites.driven import SCORERS, DrivenSuite
from benchmarks.suites.embedded import EmbeddedSuite
from benchmarks.suites.suite import Suite, score_films
from svi.data import dancing, talking, world

FRAMES, CLIPS = 41, 10
SCENES = [world.draw_scene(np.random.default_rng(seed), 16, 16) for seed in (0, 1)]


def write(folder: Path, films: list[Array], truths: list[dict[str, Any]]) -> FilmFolder:
    folder.mkdir()
    np.save(folder / "frames.npy", np.stack(films))
    np.savez(folder / "truth.npz", **{name: np.stack([truth[name] for truth in truths]) for name in truths[0]})
    samples = tuple(FilmSample(f"scene-{i}", ("a word",), f"videos/{i}.mp4", (16, 16)) for i in range(len(films)))
    FilmInfo(
        track="consistent-50s", track_version=1, method="model", samples_hash="0", fps=8, clip_frames=5, overlap=1,
        n_clips=CLIPS, n_frames=FRAMES, samples=samples,
    ).write(folder)  # fmt: skip
    return FilmFolder(folder)


@pytest.fixture
def talk(tmp_path: Path) -> FilmFolder:
    """Two films; the second follows the sound of the first."""
    sounds = [talking.loudness((i,), FRAMES, 8) for i in range(2)]
    films = [talking.render(scene, sounds[0]) for scene in SCENES]
    truths = [talking.truth(scene, sound) for scene, sound in zip(SCENES, sounds, strict=True)]
    return write(tmp_path / "talk", films, truths)


@pytest.fixture
def dance(tmp_path: Path) -> FilmFolder:
    """Two films; the second follows the skeleton of the first."""
    dances = [dancing.joints((i,), FRAMES, 8) for i in range(2)]
    films = [dancing.render(scene, dances[0]) for scene in SCENES]
    truths = [dancing.truth(scene, joints) for scene, joints in zip(SCENES, dances, strict=True)]
    return write(tmp_path / "dance", films, truths)


def scored(films: FilmFolder, suite: Suite, out: Path) -> tuple[dict[str, Any], dict[str, Array]]:
    score_films(films, suite, out, lambda done, total: None)
    with np.load(out / "scores.npz") as file:
        return json.loads((out / "scores.json").read_text()), dict(file)


def test_films_that_follow_a_sound(talk: FilmFolder, tmp_path: Path) -> None:
    record, values = scored(talk, DrivenSuite(LOUDNESS), tmp_path / "scores")
    assert (record["suite"], record["suite_version"], record["skipped"]) == ("loudness", "2", {})
    assert {name: rows.shape for name, rows in values.items()} == dict.fromkeys(values, (2, CLIPS))
    own, other = values["sync_correlation"].mean(axis=1)
    assert own > 0.98
    assert other < 0.5
    assert values["sync_slip"][0].tolist() == [0] * CLIPS
    assert set(talk_metrics(record)) == {"sync_correlation", "sync_lag", "sync_slip", "place_error"}


def test_films_that_follow_a_skeleton(dance: FilmFolder, tmp_path: Path) -> None:
    record, values = scored(dance, DrivenSuite(POSE), tmp_path / "scores")
    assert (record["suite"], record["suite_version"], record["skipped"]) == ("pose", "1", {})
    own, other = values["pose_error"].mean(axis=1)
    assert own < 0.3
    assert other > 1
    assert values["parts_kept"].min() == 1


def talk_metrics(record: dict[str, Any]) -> list[str]:
    return [name for name, metric in record["metrics"].items() if metric["needs"] == ["truth", "loudness"]]


def test_the_embedded_suite_judges_them_as_ever(talk: FilmFolder, dance: FilmFolder, tmp_path: Path) -> None:
    for name, films in (("t", talk), ("d", dance)):
        _, values = scored(films, EmbeddedSuite(), tmp_path / name)
        assert values["background_psnr"].min() == 100
        assert values["object_kept"].min() == 1
        assert "make them again" not in str(films.missing("course"))  # nothing moves in them


def test_films_without_that_signal_are_skipped_with_the_reason(talk: FilmFolder, tmp_path: Path) -> None:
    record, values = scored(talk, DrivenSuite(POSE), tmp_path / "scores")
    assert values == {}
    assert set(record["skipped"]) == {"pose_error", "parts_kept"}
    assert all("needs the pose that the films follow (truth.npz)" in why for why in record["skipped"].values())


def test_what_a_scorer_needs_is_all_or_nothing() -> None:
    for scorer in SCORERS.values():
        assert len({metric.needs for metric in scorer.metrics}) == 1
