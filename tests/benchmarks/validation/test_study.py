from pathlib import Path

import numpy as np

from benchmarks.arrays import Floats
from benchmarks.films.film import Film
from benchmarks.suites.embedded import EmbeddedSuite
from benchmarks.validation.drifts import Drift
from benchmarks.validation.readings import Reading
from benchmarks.validation.study import PARTS, Study, alarming
from benchmarks.validation.verdicts import verdicts
from tests.benchmarks.validation.conftest import Discs

DOSES = {"exposure": np.array([0.02, 0.1, 0.5]), "freeze": np.array([0.06, 0.125, 0.375])}


def three(drift: Drift, _film: Film) -> Floats:
    return DOSES[drift.name]


def test_every_scene_has_one_part(discs: Discs) -> None:
    study = Study(3, tuple(DOSES), three)
    parts = [scene for part in PARTS for scene in study.part(part)]
    assert parts == list(range(study.scenes))
    assert [len(study.versions(discs, scene)) for scene in (0, 3, 15, 63)] == [7, 2, 1, 1]


def test_an_alarm_is_a_reading_beyond_the_limits() -> None:
    limits, values = np.arange(100.0), np.array([-1.0, 0.5, 50.0, 98.5, 99.5, np.nan])
    lower, higher, none = (Reading("m", "late", direction) for direction in ("lower", "higher", "none"))
    assert alarming(lower, values, limits).tolist() == [0, 0, 0, 0, 1, 0]
    assert alarming(higher, values, limits).tolist() == [1, 0, 0, 0, 0, 0]
    assert alarming(none, values, limits).tolist() == [1, 0, 0, 0, 1, 0]
    assert alarming(higher._replace(statistic="drop"), values, limits).tolist() == [0, 0, 0, 0, 1, 0]
    assert alarming(lower, values, np.full(3, np.nan)).tolist() == [0] * 6


def test_two_drifts_in_three_doses_are_told_apart_by_the_metrics_that_should(discs: Discs, tmp_path: Path) -> None:
    study, suites = Study(2, tuple(DOSES), three), [EmbeddedSuite()]
    found = study.gather(
        [study.measure(discs, scene, suites, 0, tmp_path / str(scene)) for scene in range(study.scenes)]
    )
    by = {(one.drift, *one.reading[:2]): one for one in verdicts(found)}
    assert by["exposure", "colour_drift", "late"].response == 1
    assert by["exposure", "colour_drift", "late"].power == 1
    assert by["freeze", "motion", "late"].response == 1
    assert by["freeze", "colour_drift", "late"].power < 1
    assert not any(one.reading.metric == "gain" for one in by.values())
    assert by["exposure", "psnr", "late"].better == 0
