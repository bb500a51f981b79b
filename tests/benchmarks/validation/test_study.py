from pathlib import Path

import numpy as np

from benchmarks.arrays import Floats
from benchmarks.films.film import Film
from benchmarks.suites.embedded import EmbeddedSuite
from benchmarks.validation.drifts import Drift
from benchmarks.validation.readings import Reading
from benchmarks.validation.study import PARTS, Measured, Study, alarming
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


def test_a_scene_in_which_a_drift_cannot_be_seen_is_left_out_of_it_alone(discs: Discs) -> None:
    """Of two films in every dose one does not show the freeze, and of eight the first; none shows the blur."""
    reading, dark = Reading("m", "late", "lower"), (1, 2)
    study = Study(2, ("exposure", "freeze", "blur"), three)
    measured = []
    for scene in range(study.scenes):
        drifts = tuple(DOSES) if scene < 10 and scene not in dark else tuple(DOSES)[:1] * (scene < 10)
        per = 3 if scene < 2 else 1
        values = np.concatenate(
            [[0.0] * (scene < 2 or scene >= 10), *(100 * k + np.arange(per) for k, _ in enumerate(drifts))]
        )
        measured.append(Measured(drifts, {reading: values}))
    found = study.gather(measured)
    assert study.left_out(measured) == {"freeze": 2, "blur": 10}
    assert found.doses["exposure", reading].tolist() == [[0, 1, 2], [0, 1, 2]]
    assert found.doses["freeze", reading].tolist() == [[100, 101, 102]]
    assert found.undrifted["freeze", reading].tolist() == [0]
    assert found.visible["exposure", reading].tolist() == [0] * 8
    assert found.visible["freeze", reading].tolist() == [100] * 7
    assert {one.drift for one in verdicts(found)} == set(DOSES)


def test_what_cannot_be_seen_in_a_film_is_not_shown(discs: Discs, tmp_path: Path) -> None:
    def some(drift: Drift, film: Film) -> Floats | None:
        return None if drift.name == "freeze" else three(drift, film)

    study, suites = Study(1, tuple(DOSES), some), [EmbeddedSuite()]
    assert {one.drift for one in study.versions(discs, 0)} == {"no drift", "exposure"}
    assert study.measure(discs, 1, suites, 0, tmp_path).drifts == ("exposure",)
    assert Study(1, ("freeze",), some).measure(discs, 1, suites, 0, tmp_path) == ((), {})
