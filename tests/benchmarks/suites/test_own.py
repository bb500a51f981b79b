"""A scorer of one's own: what it declares and gives is checked, and kept like any other's."""

import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.films.film import Film, FilmFolder
from benchmarks.scorers.metric import Metric
from benchmarks.suites import OTHERS
from benchmarks.suites.own import TAKEN, OwnSuite, checked_metrics
from benchmarks.suites.suite import score_films
from tests.benchmarks.suites.infos import info

FLICKER = Metric("flicker", "lower", "1", "0..1", "clip", (), "How far the brightness of neighbouring frames differs.")
INFO = info("scene-00")


class Flicker:
    metrics: tuple[Metric, ...] = (FLICKER,)

    def score(self, film: Film) -> Any:
        light = np.concatenate([film.frames[block].mean(axis=(1, 2, 3)) for block in film.blocks()])
        return {"flicker": film.clip_means(np.abs(np.diff(light, prepend=np.nan)) / 255)}


@pytest.fixture
def films(tmp_path: Path) -> FilmFolder:
    """One film that is black, and white from its sixth clip on."""
    frames = np.zeros((1, 40, 16, 16, 3), np.uint8)
    frames[:, 20:] = 255
    np.save(tmp_path / "frames.npy", frames)
    INFO.write(tmp_path)
    return FilmFolder(tmp_path)


def scored(films: FilmFolder, scorer: Any, folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    score_films(films, OwnSuite("Mine", "1 abc", scorer), folder, lambda done, total: None)
    with np.load(folder / "scores.npz") as values:
        return json.loads((folder / "scores.json").read_text()), dict(values)


def test_its_scores_are_kept_with_what_they_mean(films: FilmFolder, tmp_path: Path) -> None:
    record, values = scored(films, Flicker(), tmp_path / "out")
    assert (record["suite"], record["suite_version"]) == ("Mine", "1 abc")
    about = record["metrics"]["flicker"]
    assert (about["direction"], about["unit"], about["per"]) == ("lower", "0..1", "clip")
    expected = np.zeros(10)
    expected[5] = 1 / 4  # one of the clip's four frames
    np.testing.assert_allclose(values["flicker"], [expected])


def test_what_films_do_not_have_is_skipped_with_the_reason(films: FilmFolder, tmp_path: Path) -> None:
    class Wanting(Flicker):
        metrics = (Metric("wanting", "lower", "1", "0..1", "clip", ("truth",), "?"),)

    record, values = scored(films, Wanting(), tmp_path / "out")
    assert "needs the true scene" in record["skipped"]["wanting"]
    assert not values


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"flicker": np.zeros(40)}, r"flicker has shape \(40,\), expected \(10,\), a number a clip \(film.clip_means"),
        ({"flicker": 1.0}, r"flicker has shape \(\), expected \(10,\)"),
        ({"flicker": "dark"}, "flicker is 'dark', expected numbers"),
        ({"flickr": np.zeros(10)}, r"received \['flickr'\], expected a value for each of flicker"),
        (np.zeros(10), "received ndarray, expected a value for each of flicker"),
        ({}, r"received \[\], expected"),
    ],
)
def test_what_it_gives_must_be_what_it_declares(films: FilmFolder, tmp_path: Path, given: Any, said: str) -> None:
    class Wrong(Flicker):
        def score(self, film: Film) -> Any:
            return given

    with pytest.raises(ValueError, match=said):
        scored(films, Wrong(), tmp_path / "out")


def test_what_it_fails_of_is_said_with_its_line(films: FilmFolder, tmp_path: Path) -> None:
    class Failing(Flicker):
        def score(self, film: Film) -> Any:
            return 1 / 0

    with pytest.raises(ValueError, match=r"Mine.score: ZeroDivisionError: division by zero \(line \d+\)"):
        scored(films, Failing(), tmp_path / "out")


@pytest.mark.parametrize(
    ("metrics", "said"),
    [
        ([FLICKER], "expected a tuple of one Metric or more"),
        ((), "expected a tuple of one Metric or more"),
        ((FLICKER, FLICKER), "received a name twice"),
        (({"name": "a b"},), r"received name 'a b', expected letters"),
        (({"name": "psnr"},), "a built-in suite has 'psnr'; give it another name"),
        (({"name": "imaging_quality"},), "a built-in suite has 'imaging_quality'"),
        (({"name": "sync_c"},), "a built-in suite has 'sync_c'"),
        (({"direction": "up"},), "received direction 'up', expected higher, lower or none"),
        (({"per": "set"},), "received per 'set', expected clip or film"),
        (({"needs": ("probe",)},), "received needs 'probe', expected some of truth, continuation"),
    ],
)
def test_what_is_no_metric_is_refused(metrics: Any, said: str) -> None:
    found = tuple(Metric(**(vars(FLICKER) | one)) if isinstance(one, dict) else one for one in metrics)
    with pytest.raises(ValueError, match=said):
        checked_metrics("Mine", found if isinstance(metrics, tuple) else metrics)


@pytest.mark.parametrize("suite", OTHERS)
def test_the_names_of_suites_that_load_models_are_theirs(suite: str) -> None:
    module, name = {"syncnet": ("sync", "SyncSuite"), "fvd": ("fvd", "FvdSuite")}[suite]
    declared = getattr(importlib.import_module(f"benchmarks.suites.{module}"), name).metrics
    assert tuple(metric.name for metric in declared) == OTHERS[suite]
    assert set(OTHERS[suite]) <= TAKEN
