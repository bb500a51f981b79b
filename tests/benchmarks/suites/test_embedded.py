import json
import pickle
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.arrays import Floats
from benchmarks.films.film import Film, FilmFolder
from benchmarks.films.info import FilmSample
from benchmarks.suites.embedded import METRICS, SCORERS, EmbeddedSuite
from benchmarks.suites.suite import Progress, score_films
from tests.benchmarks.conftest import World
from tests.benchmarks.suites.infos import info

INFO = info("../scene-00", "scene-01")
PATH = [(4.0 + i % 8, 5.0) for i in range(40)]


@pytest.fixture
def films(world: World, tmp_path: Path) -> Path:
    """Two films of 40 frames: one perfect, one that loses its object half-way."""
    folder = tmp_path / "films"
    folder.mkdir()
    perfect = world.frames(PATH)
    broken = perfect.copy()
    broken[20:] = world.background
    np.save(folder / "frames.npy", np.stack([perfect, broken]))
    INFO.write(folder)
    write_truth(folder, world)
    np.save(folder / "continuation.npy", np.stack([perfect, perfect]))
    condition, perturbation = np.random.default_rng(0).normal(size=(2, 2, 8, 4, 4))
    probe = {"condition": condition, "perturbation": perturbation, "output_clean": condition + 0.1}
    np.savez(tmp_path / "probe.npz", **probe, output_perturbed=condition + 0.1 + 0.5 * perturbation)
    return folder


def write_truth(folder: Path, world: World) -> None:
    names = ("background", "object_renders", "object_masks", "object_stamps", "grid")
    known = {name: getattr(world.truth, name) for name in names} | world.course(PATH)
    np.savez(folder / "truth.npz", **{name: np.stack([array] * 2) for name, array in known.items()})


def scored(films: Path, progress: Progress = lambda done, total: None) -> tuple[dict[str, Any], dict[str, Floats]]:
    out = films.parent / "scores"
    probe = films.parent / "probe.npz"
    score_films(FilmFolder(films, probe=probe if probe.is_file() else None), EmbeddedSuite(), out, progress)
    with np.load(out / "scores.npz", allow_pickle=False) as file:
        return json.loads((out / "scores.json").read_text()), dict(file)


def test_every_metric_is_scored_and_described(films: Path) -> None:
    calls = []
    report, scores = scored(films, lambda done, total: calls.append((done, total)))
    assert calls == [(1, 2), (2, 2)]
    assert (report["suite"], report["suite_version"]) == (EmbeddedSuite().name, EmbeddedSuite().version)
    assert (report["fps"], report["n_clips"], report["resolution"]) == (8, 10, "16x16")
    assert report["samples"] == ["../scene-00", "scene-01"]
    assert report["skipped"] == {}
    assert set(report["metrics"]) == set(scores) == set(METRICS)
    assert all(
        set(entry) == {"direction", "version", "unit", "per", "needs", "about", "weights", "compared_with"}
        for entry in report["metrics"].values()
    )
    for name, values in scores.items():
        assert values.dtype == np.float64
        assert values.shape == ((2, 10) if METRICS[name].per == "clip" else (2,)), name


def test_the_scores_belong_to_their_film_and_clip(films: Path) -> None:
    _, scores = scored(films)
    assert scores["object_kept"].tolist() == [[1] * 10, [1] * 5 + [0] * 5]
    assert scores["background_psnr"].tolist() == [[100] * 10] * 2
    assert scores["psnr"][0].tolist() == [100] * 10
    assert scores["psnr"][1, 4] == 100 > scores["psnr"][1, 5]
    assert scores["gain"] == pytest.approx([0.5, 0.5])
    assert scores["forecast_plateau"] == pytest.approx([0.2, 0.2])


@pytest.mark.filterwarnings("ignore:Mean of empty slice")  # the first clip has no seam
def test_the_frames_values_that_clips_are_means_of_are_kept(films: Path) -> None:
    _, scores = scored(films)
    with np.load(films.parent / "scores" / "frames.npz") as kept:
        assert {"colour_drift", "contrast_drift", "sharpness_drift", "motion"} <= set(kept)
        for name, values in kept.items():
            clips = np.nanmean(values.reshape(2, 10, 4), axis=2)
            np.testing.assert_allclose(scores[name], clips, atol=1e-12)


def test_scoring_twice_gives_the_same_bytes(films: Path) -> None:
    scored(films)
    first = [(films.parent / "scores" / name).read_bytes() for name in ("scores.npz", "scores.json")]
    scored(films)
    assert first == [(films.parent / "scores" / name).read_bytes() for name in ("scores.npz", "scores.json")]


def test_what_is_missing_is_skipped_with_the_reason_and_not_zero(films: Path) -> None:
    for name in ("films/truth.npz", "films/continuation.npy", "probe.npz"):
        (films.parent / name).unlink()
    report, scores = scored(films)
    needy = {name for name, metric in METRICS.items() if set(metric.needs) - {"handoffs"}}
    assert set(report["skipped"]) == needy
    assert set(scores) == set(METRICS) - needy >= {"colour_drift", "sharpness_drift", "motion", "seam", "overexposed"}
    assert "truth.npz" in report["skipped"]["background_psnr"]
    assert "continuation.npy" in report["skipped"]["ssim"]
    assert "needs the probe's latents" in report["skipped"]["gain"]
    assert set(report["metrics"]) == set(METRICS)


def test_a_truth_without_continuation_skips_only_fidelity(films: Path) -> None:
    (films / "continuation.npy").unlink()
    report, scores = scored(films)
    assert report["skipped"] == dict.fromkeys(
        ("psnr", "ssim"), "needs the true film (continuation.npy), which is not known of these films"
    )
    assert "background_psnr" in scores


def test_a_scorer_scores_all_or_nothing() -> None:
    for scorer in SCORERS:
        assert len({metric.needs for metric in scorer.metrics}) == 1
    assert len(METRICS) == sum(len(scorer.metrics) for scorer in SCORERS)


@pytest.mark.parametrize("name", ["frames.npy", "film.json"])
def test_a_folder_without_films_is_named(films: Path, name: str) -> None:
    (films / name).unlink()
    with pytest.raises(ValueError, match=rf"films: received no {name}"):
        scored(films)


def test_contradicting_files_are_refused(films: Path, world: World) -> None:
    replace(INFO, n_clips=12).write(films)
    with pytest.raises(ValueError, match="received 40, expected 45 to 49 for 12 clips"):
        scored(films)
    replace(INFO, samples=INFO.samples[:1]).write(films)
    with pytest.raises(ValueError, match=r"frames.npy: received \(2, 40, 16, 16, 3\), expected \[1,"):
        scored(films)
    (films / "film.json").write_text(json.dumps({"fps": 8, "samples": []}))
    with pytest.raises(
        ValueError, match="received no track, track_version, method, samples_hash, clip_frames, overlap, n_clips"
    ):
        scored(films)
    INFO.write(films)
    true_films = np.load(films / "continuation.npy")
    np.save(films / "continuation.npy", true_films[:, :39])
    with pytest.raises(ValueError, match=r"continuation.npy: received \(2, 39"):
        scored(films)
    np.save(films / "continuation.npy", true_films)
    np.savez(films / "truth.npz", background=np.stack([world.background] * 2))
    with pytest.raises(ValueError, match=r"truth.npz: received no object_renders, object_masks"):
        scored(films)


class Evil:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str, str]]:
        return open, (str(self.mark), "w")


def test_a_pickle_in_place_of_frames_does_not_run(films: Path) -> None:
    mark = films.parent / "ran"
    (films / "frames.npy").write_bytes(pickle.dumps(Evil(mark)))
    with pytest.raises(ValueError, match="pickle"):
        scored(films)
    assert not mark.exists()


def test_films_stay_on_disk_while_they_are_scored(tmp_path: Path) -> None:
    shape = (2, 1000, 96, 96, 3)
    frames = np.lib.format.open_memmap(tmp_path / "frames.npy", mode="w+", dtype=np.uint8, shape=shape)
    frames[:, ::50] = 80
    frames.flush()
    del frames
    samples = tuple(FilmSample(name, ("a disc",), "", (96, 96)) for name in "ab")
    replace(INFO, n_clips=250, n_frames=1000, samples=samples).write(tmp_path)
    tracemalloc.start()
    score_films(FilmFolder(tmp_path), EmbeddedSuite(), tmp_path / "out", lambda done, total: None)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 24 * 2**20 < 1000 * 96 * 96 * 3
    assert FilmFolder(tmp_path).film(1).frames.base is not None


def test_a_film_checks_its_frames_and_clips() -> None:
    frames = np.zeros((8, 4, 4, 3), np.uint8)
    with pytest.raises(ValueError, match="frames: received float32"):
        Film(frames.astype(np.float32), 8, (slice(0, 8),))
    with pytest.raises(ValueError, match="frames: received uint8"):
        Film(frames[0], 8, (slice(0, 8),))
    for clips in (
        (slice(0, 4),),
        (slice(0, 4), slice(5, 8)),
        (slice(0, 4), slice(3, 8)),
        (slice(0, 0), slice(0, 8)),
        (),
    ):
        with pytest.raises(ValueError, match="clips: received"):
            Film(frames, 8, clips)


def test_clip_means_leave_out_what_is_undefined() -> None:
    film = Film(np.zeros((5, 4, 4, 3), np.uint8), 8, (slice(0, 2), slice(2, 4), slice(4, 5)))
    means = film.clip_means(np.array([1.0, np.nan, 2.0, 4.0, np.nan]))
    assert means[:2].tolist() == [1, 3]
    assert np.isnan(means[2])
