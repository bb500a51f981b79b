"""A small real sweep: known settings first, resumed without repeating, every trial a variant of one experiment."""

from pathlib import Path

import optuna
import pytest

from sweeps.space import SWEEPS
from tests.harness.small import SMALL, harness

WORDS = ("sweep", "injection", *SMALL)


def test_a_searched_key_is_refused_on_the_command_line(tmp_path: Path) -> None:
    done = harness("sweep", "injection", "injection.p_img=0.3", store=tmp_path / "runs")
    assert done.returncode == 2
    assert "injection.p_img" in done.stderr
    assert harness("sweep", "injektion", store=tmp_path / "runs").returncode == 2


@pytest.mark.slow
def test_a_study_goes_on_where_it_stopped(tmp_path: Path) -> None:
    store = tmp_path / "runs"
    first = harness(*WORDS, "--trials", "2", store=store)
    assert first.returncode == 0, first.stderr[-2000:]
    storage = f"sqlite:///{store / 'optuna.db'}"
    (name,) = optuna.get_all_study_names(storage)
    assert [t.params for t in optuna.load_study(study_name=name, storage=storage).trials[:2]] == [
        dict(known) for known in SWEEPS.get("injection").known[:2]
    ]
    more = harness(*WORDS, "--trials", "3", store=store)
    assert more.returncode == 0, more.stderr[-2000:]
    trials = optuna.load_study(study_name=name, storage=storage).get_trials()
    assert [t.state.name for t in trials] == ["COMPLETE"] * 3
    assert len({tuple(t.params.items()) for t in trials}) == 3
    assert "| trial-002 |" in more.stdout
    assert len(list((store / "artifacts" / "train").iterdir())) == 3
