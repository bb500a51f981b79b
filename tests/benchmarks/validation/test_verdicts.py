import numpy as np
import pytest

from benchmarks.arrays import Floats
from benchmarks.validation.readings import Reading
from benchmarks.validation.study import Readings
from benchmarks.validation.verdicts import Verdict, verdicts

FILMS, DOSES = 4, 10
DOSE = np.arange(1.0, DOSES + 1)


def verdict(reading: Reading, of_dose: Floats, visible: float) -> Verdict:
    """Of films that read about 0 without a drift, `of_dose` [DOSES] in each dose and `visible` with the just visible one."""
    own = np.linspace(-0.1, 0.1, FILMS)
    true = np.linspace(-1, 1, 4 * FILMS)
    found = Readings(
        undrifted={("hue", reading): own},
        doses={("hue", reading): own[:, None] + of_dose},
        visible={("hue", reading): np.full(4 * FILMS, visible)},
        limits={reading: true},
        alarms={reading: true * 0.9},
    )
    return verdicts(found)[0]


@pytest.mark.parametrize(
    ("reading", "of_dose", "visible"),
    [
        (Reading("error", "late", "lower"), DOSE, 2),
        (Reading("psnr", "late", "higher"), -DOSE, -2),
        (Reading("psnr", "drop", "higher"), DOSE, 2),
        (Reading("motion", "film", "none"), -DOSE, -2),
    ],
)
def test_a_metric_that_follows_sees_and_is_quiet_holds(reading: Reading, of_dose: Floats, visible: float) -> None:
    found = verdict(reading, of_dose, visible)
    assert (found.response, found.least, found.power, found.false_alarms) == pytest.approx((1, 1, 1, 0))
    assert found.holds
    assert not found.rewards


def test_a_metric_that_a_drift_pleases_rewards_it() -> None:
    found = verdict(Reading("psnr", "late", "higher"), DOSE, 2)
    assert (found.response, found.power, found.better) == pytest.approx((-1, 0, 1))
    assert found.gain == pytest.approx(10 / np.std(np.linspace(-1, 1, 16)))
    assert found.rewards
    assert not found.holds


def test_a_gain_that_nobody_would_notice_is_no_reward() -> None:
    assert not verdict(Reading("psnr", "late", "higher"), DOSE / 100, 0).rewards


def test_motion_has_no_better_direction_to_be_rewarded_in() -> None:
    assert not verdict(Reading("motion", "late", "none"), DOSE, 2).rewards


@pytest.mark.parametrize("of_dose", [np.zeros(DOSES), np.where(DOSE > 5, np.nan, DOSE)])
def test_a_metric_that_stays_or_falls_silent_says_nothing(of_dose: Floats) -> None:
    assert verdict(Reading("error", "late", "lower"), of_dose, 0).response == 0


def test_a_metric_that_cannot_be_given_for_films_without_a_drift_has_no_verdict() -> None:
    reading = Reading("error", "late", "lower")
    nothing = {reading: np.full(4, np.nan)}
    doses = {("hue", reading): np.full((4, DOSES), np.nan)}
    assert verdicts(Readings(nothing, doses, {("hue", reading): np.full(8, np.nan)}, nothing, nothing)) == []
