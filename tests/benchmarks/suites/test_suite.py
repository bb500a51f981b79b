"""How a suite's scores are kept: film by film, with what is missing and what they were made with."""

import json
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest

from benchmarks.films.film import FilmFolder
from benchmarks.films.info import FilmInfo, FilmSample
from benchmarks.films.videos import VideoFolder
from benchmarks.scorers.metric import Metric
from benchmarks.suites.record import ScoreRecord
from benchmarks.suites.suite import FilmScorer, FilmScores, Reasons, Scores, film_by_film, score_films, score_share
from benchmarks.suites.vbench import VbenchSuite, windows
from benchmarks.track import get_track
from benchmarks.vbench.dimension import DimensionScore, mean_of_frames
from benchmarks.vbench.files import RAFT_THINGS
from tests.benchmarks.vbench.vbench_videos import moving_frames, write_video
from tests.benchmarks.vbench.vbench_weights import write_clip_b, write_clip_bpe

FPS, SECONDS = 2, 50
PROMPTS = {"first": ("cat", "dog"), "turned": ("dog", "cat")}


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two videos of 50 s, and one whose last second is missing."""
    folder = tmp_path_factory.mktemp("videos")
    for seed, frames in enumerate((100, 101, 99)):
        write_video(folder / f"film {seed}.mp4", moving_frames(frames, 48, 64, seed), FPS)
    return folder


@pytest.fixture(scope="module")
def films(videos: Path) -> VideoFolder:
    return VideoFolder(videos, get_track("consistent-50s"))


@pytest.fixture(scope="module")
def weights(motion_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """CLIP ViT-B/32 by its published names, but small, and RAFT; no other weights."""
    folder = tmp_path_factory.mktemp("weights")
    write_clip_b(folder, width=64, layers=1)
    raft = f"{RAFT_THINGS.path_under}/{RAFT_THINGS.name}"
    (folder / raft).parent.mkdir(parents=True)
    (folder / raft).symlink_to(motion_weights / raft)
    return folder


@pytest.fixture(scope="module")
def scored(films: VideoFolder, weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The films' scores in three dimensions: the first lacks its weights, the last needs larger films."""
    folder = tmp_path_factory.mktemp("scored")
    suite = VbenchSuite(("subject_consistency", "background_consistency", "dynamic_degree"), "cpu")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VBENCH_CACHE_DIR", str(weights))
        patch.setenv("TORCH_HOME", str(weights / "torch"))
        score_films(films, suite, folder, lambda done, total: None)
    return folder


class Half:
    """A suite whose metric is undefined for one film, and that remembers which films it was asked for."""

    name, version = "half", "1"
    metrics = (Metric("half", "higher", "1", "", "film", (), "Half the film's index."),)
    weights = MappingProxyType({"half": {"a.pth": "0123"}})

    def __init__(self, fails_at: int | None = None) -> None:
        self.asked: list[int] = []
        self._fails_at = fails_at

    def missing(self, films: VideoFolder) -> Reasons:
        return {}

    def film_scorer(self, films: VideoFolder) -> FilmScorer:
        def of_film(index: int) -> FilmScores:
            self.asked.append(index)
            if index == self._fails_at:
                raise ValueError("the power went")
            if index == 1:
                return FilmScores(skipped={"half": "no half"}, warning="it is odd")
            return FilmScores({"half": index / 2})

        return of_film

    def score(self, films, work, progress) -> Scores:
        return film_by_film(films, work, progress, self.film_scorer(films))


def test_scores_say_what_they_were_made_with(films: VideoFolder, tmp_path: Path) -> None:
    score_films(films, Half(), tmp_path / "out", lambda done, total: None)
    about = json.loads((tmp_path / "out" / "scores.json").read_text())
    assert (about["suite"], about["suite_version"], about["fps"], about["resolution"]) == ("half", "1", 2.0, "48x64")
    assert (about["track"], about["track_version"], about["n_clips"]) == ("consistent-50s", 1, 10)
    assert about["samples"] == ["film 0", "film 1", "film 2"]
    assert about["samples_hash"] == films.samples_hash != ""
    assert about["metrics"]["half"]["weights"] == {"a.pth": "0123"}


def test_a_film_without_a_score_is_named_and_not_zero(films: VideoFolder, tmp_path: Path) -> None:
    score_films(films, Half(), tmp_path, lambda done, total: None)
    with np.load(tmp_path / "scores.npz") as scores:
        np.testing.assert_array_equal(scores["half"], [0, np.nan, 1])
    assert json.loads((tmp_path / "scores.json").read_text())["skipped_films"] == {"half": {"film 1": "no half"}}


def test_what_is_scored_is_not_scored_again_after_a_failure(films: VideoFolder, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="the power went"):
        score_films(films, Half(fails_at=2), tmp_path, lambda done, total: None)
    again = Half()
    score_films(films, again, tmp_path, lambda done, total: None)
    assert again.asked == [2]
    assert json.loads((tmp_path / "scores.json").read_text())["warnings"] == {"film 1": "it is odd"}
    assert not (tmp_path / "work").exists()


def test_a_share_that_was_scored_before_is_not_scored_again(films: VideoFolder, tmp_path: Path) -> None:
    for folder in ("alone", "shared"):
        (tmp_path / folder).mkdir()
    score_films(films, Half(), tmp_path / "alone", lambda done, total: None)
    first, second = Half(), Half()
    score_share(films, second, tmp_path / "shared", slice(1, None, 2), lambda done, total: None)
    score_films(films, first, tmp_path / "shared", lambda done, total: None)
    assert (first.asked, second.asked) == ([0, 2], [1])
    for alone in (tmp_path / "alone").iterdir():
        assert alone.read_bytes() == (tmp_path / "shared" / alone.name).read_bytes()


def test_whole_window_and_prefix_come_from_the_frames_values() -> None:
    frames = np.array([np.nan, 1.0, 2.0, 3.0, 4.0, 5.0])
    score = DimensionScore(weight=1.0, frames=frames, rule=lambda stretch, start: float(np.nanmean(stretch)))
    window, prefix = windows(score, (slice(0, 2), slice(2, 4), slice(4, 6)))
    np.testing.assert_array_equal(window, [1, 2.5, 4.5])
    np.testing.assert_array_equal(prefix, [1, 2, 3])
    assert mean_of_frames(frames[1:3], 1) == 1.5


def test_dimensions_without_weights_are_skipped_with_file_folder_and_licence(scored: Path, weights: Path) -> None:
    about = json.loads((scored / "scores.json").read_text())
    assert set(about["skipped"]) == {"subject_consistency", "subject_kept", "prompt_match", "flow_seam"}
    assert about["skipped"]["subject_kept"] == about["skipped"]["subject_consistency"]
    assert "where one clip was continued" in about["skipped"]["flow_seam"]  # unknown of videos that anyone made
    why = about["skipped"]["subject_consistency"]
    assert str(weights / "torch/hub/checkpoints/dino_vitbase16_pretrain.pth") in why
    assert "licence Apache-2.0" in why
    assert "harness doctor" in why
    assert set(about["metrics"]["background_consistency"]["weights"]) == {"ViT-B-32.pt"}
    with np.load(scored / "scores.npz") as scores, np.load(scored / "frames.npz") as frames:
        views = {"scene_kept", *(f"background_consistency{view}" for view in ("", "@window", "@prefix"))}
        assert {name for name in scores if not name.startswith(("dynamic_degree", "flow"))} == views
        assert scores["background_consistency@window"].shape == (3, 10)
        of_frames = frames["background_consistency"]
    assert of_frames.shape == (3, 101)
    with np.load(scored / "scores.npz") as scores:
        np.testing.assert_allclose(scores["background_consistency"], np.nanmean(of_frames, axis=1), rtol=1e-12)
        np.testing.assert_allclose(
            scores["background_consistency@prefix"][:, -1], scores["background_consistency"], rtol=1e-12
        )


def test_films_are_held_against_the_prompt_of_each_clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_clip_b(tmp_path / "weights", width=64, layers=1)
    write_clip_bpe(tmp_path / "weights")
    monkeypatch.setenv("VBENCH_CACHE_DIR", str(tmp_path / "weights"))
    films = [FilmSample(name, prompts, "videos/a.mp4", (48, 64)) for name, prompts in PROMPTS.items()]
    FilmInfo("creative-50s", 1, "model", "0", 8, 5, 1, 2, 9, tuple(films)).write(tmp_path)
    (tmp_path / "videos").mkdir()
    write_video(tmp_path / "videos" / "a.mp4", moving_frames(9, 48, 64, 0), 8)
    score_films(
        FilmFolder(tmp_path), VbenchSuite(("background_consistency",), "cpu"), tmp_path, lambda done, total: None
    )
    record = ScoreRecord.read(tmp_path)
    assert set(record.metrics["prompt_match"].weights) == {"ViT-B-32.pt", "bpe_simple_vocab_16e6.txt.gz"}
    first, turned = record.values["prompt_match"]
    assert np.isfinite(first).all()
    assert first[0] != pytest.approx(turned[0], abs=1e-3)  # the same frames, another prompt
    short = replace(films[0], prompts=("cat",))
    FilmInfo("creative-50s", 1, "model", "0", 8, 5, 1, 2, 9, (short,)).write(tmp_path)
    assert "needs the prompt of each clip" in str(FilmFolder(tmp_path).missing("prompts"))


def test_a_video_too_small_for_a_dimension_is_skipped_in_it_alone(scored: Path) -> None:
    about = json.loads((scored / "scores.json").read_text())
    assert set(about["skipped_films"]) == {"dynamic_degree", "flow_kept", "flow_seam"}
    assert "48" in about["skipped_films"]["dynamic_degree"]["film 0"]


@pytest.fixture(scope="module")
def ours_and_true(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two folders of three films each, and a small network in the place of I3D."""
    from tests.benchmarks.fvd.fvd_weights import SmallNetwork, write_torchscript

    root = tmp_path_factory.mktemp("fvd")
    write_torchscript(root, SmallNetwork())
    for seed, folder in enumerate(("ours", "true")):
        (root / folder).mkdir()
        for film in ("a", "b", "c"):
            write_video(root / folder / f"{film}.mp4", moving_frames(200, 48, 64, seed + ord(film)), 4)
    return root


def score_fvd(root: Path, true: str, out: Path) -> None:
    from benchmarks.suites.fvd import FvdSuite

    films = VideoFolder(root / "ours", get_track("consistent-50s"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_WEIGHTS", str(root))
        score_films(films, FvdSuite(str(root / true), "cpu"), out, lambda done, total: None)


def test_fvd_of_all_films_and_of_their_clips_with_a_warning(ours_and_true: Path, tmp_path: Path) -> None:
    score_fvd(ours_and_true, "true", tmp_path / "out")
    with np.load(tmp_path / "out" / "scores.npz") as scores:
        assert scores["fvd"].shape == (1,)
        assert scores["fvd@window"].shape == (1, 10)
        assert (scores["fvd@window"] > 0).all()
    about = json.loads((tmp_path / "out" / "scores.json").read_text())
    assert "3 generated" in about["notes"]["fvd"]
    assert "fewer than 256" in about["notes"]["fvd"]
    assert about["details"]["n_generated"] == 30
    assert about["details"]["films"] == 3
    assert set(about["metrics"]["fvd"]["weights"]) == {"i3d_torchscript.pt"}


@pytest.mark.slow
def test_fvd_of_films_to_themselves_is_none(ours_and_true: Path, tmp_path: Path) -> None:
    score_fvd(ours_and_true, "ours", tmp_path)
    with np.load(tmp_path / "scores.npz") as scores:
        assert scores["fvd"][0] == pytest.approx(0, abs=1e-6)


@pytest.fixture(scope="module")
def larger(tmp_path_factory: pytest.TempPathFactory) -> VideoFolder:
    """Large enough to look for faces in, without sound."""
    folder = tmp_path_factory.mktemp("larger")
    write_video(folder / "film 0.mp4", moving_frames(50, 128, 128), 1)
    return VideoFolder(folder, get_track("consistent-50s"))


def test_a_film_without_sound_counts_as_one_without_a_score(
    larger: VideoFolder, sync_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchmarks.suites.sync import SyncSuite

    monkeypatch.setenv("HARNESS_WEIGHTS", str(tmp_path))
    suite = SyncSuite(None, "cpu")
    assert "sfd_face.pth (licence" in suite.missing(larger)["sync_c"]
    monkeypatch.setenv("HARNESS_WEIGHTS", str(sync_weights))
    suite = SyncSuite(None, "cpu")
    assert suite.missing(larger) == {}
    score_films(larger, suite, tmp_path / "out", lambda done, total: None)
    about = json.loads((tmp_path / "out" / "scores.json").read_text())
    assert "sound" in about["skipped_films"]["sync_c"]["film 0"]


def test_sound_that_ends_early_is_said_and_a_film_without_a_face_is_counted(
    larger: VideoFolder, sync_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchmarks.suites.sync import SyncSuite
    from tests.benchmarks.sync.sync_videos import hum, write_wav

    monkeypatch.setenv("HARNESS_WEIGHTS", str(sync_weights))
    (tmp_path / "sound").mkdir()
    write_wav(tmp_path / "sound" / "film 0.wav", hum(3))
    score_films(larger, SyncSuite(str(tmp_path / "sound"), "cpu"), tmp_path / "out", lambda done, total: None)
    about = json.loads((tmp_path / "out" / "scores.json").read_text())
    assert "1 films go on after their sound has ended" in about["notes"]["sync_c"]
    assert "its sound ends after 3.00 s of 50" in about["warnings"]["film 0"]
    with np.load(tmp_path / "out" / "scores.npz") as scores:
        np.testing.assert_array_equal(scores["face_found"], 0)
    assert "face" in about["skipped_films"]["sync_c"]["film 0"]
