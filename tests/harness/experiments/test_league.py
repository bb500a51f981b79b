"""The league: its rows are those of the predictions, share what they can, and plan on real Wans or say why not."""

from pathlib import Path

import pytest

from harness.core.errors import UseError
from harness.declare.request import Request
from harness.declare.spec import TRIVIAL, parse_overrides, select
from harness.experiments import EXPERIMENTS
from harness.plan.child import Child
from harness.plan.pipeline import Pipeline, build
from harness.results.load import load
from reports.statistics.spending import unequal
from reports.tables.orderings import orderings
from tests.harness.commands.wan_words import WORDS, write_videos
from tests.harness.small import SMALL, harness
from tests.harness.wan import wan

LEAGUE = EXPERIMENTS.get("league")
ROWS = [variant.name for variant in LEAGUE.variants if variant not in TRIVIAL]


def by_name(made: Pipeline) -> dict[str, Child]:
    return {child.variant.name: child for child in made.children}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Child]:
    return by_name(build(Request(LEAGUE, "league", "tiny"), tmp_path_factory.mktemp("tiny") / "f.json"))


def test_every_prediction_has_its_rows() -> None:
    predicted = {name for one in orderings("league") for name in (one.better, one.worse)}
    assert predicted <= set(ROWS)
    assert LEAGUE.orderings == "league"


def test_what_the_ablation_made_is_not_made_again(tiny: dict[str, Child], tmp_path: Path) -> None:
    ablation = by_name(build(Request(EXPERIMENTS.get("ablation_eimg"), "ablation_eimg", "tiny"), tmp_path / "f.json"))
    for name in ("base", "lora_only", "full", "no_e_img", "copy_image"):
        assert tiny[name].generate.items() <= ablation[name].generate.items()


def test_weights_are_shared_where_films_alone_differ(tiny: dict[str, Child]) -> None:
    for together in (("full", "alpha_0.2"), FORCING, ("teacher_forcing", "teacher_forcing_sink")):
        assert len({tiny[name].train["transformer"] for name in together}) == 1
        assert len({tiny[name].generate["consistent-50s"] for name in together}) == len(together)
    assert not tiny["colour_match"].train
    assert not tiny["anchor"].train


def test_gain_is_measured_wherever_a_first_clip_tells_it(tiny: dict[str, Child]) -> None:
    """eps only in the clip loop; colours are matched from the second clip on, and a trivial method runs no loop."""
    assert {name for name in ROWS if not tiny[name].probes} == {"colour_match"}
    sequences = {name for name in ROWS if tiny[name].probes and not tiny[name].forecast}
    assert sequences == set(IN_THE_SEQUENCE)


FORCING = ("diffusion_forcing_clean", "diffusion_forcing_noisy", "diffusion_forcing_guided", "hiar")
IN_THE_SEQUENCE = (*FORCING, "rolling", "stream", "teacher_forcing", "teacher_forcing_sink", "packed_history")
TWO_EXPERTS = dict.fromkeys(("bagger", "self_rollout", "self_forcing"), "needs one transformer for all noise levels")
CAPTIONS = {"bagger": "prompts whose motion a rule can turn around"}
GIVEN = dict.fromkeys(("resampling", "anchor", "full_anchor"), "this model is given")
REFUSED = {
    "wan2.1-i2v": CAPTIONS,
    "wan2.2-i2v": {**TWO_EXPERTS, "resampling": "of two experts", "resampling_last": "of two experts"},
    "wan2.2-ti2v": {**CAPTIONS, **GIVEN},
}


@pytest.mark.parametrize("kind", REFUSED)
def test_which_rows_a_real_wan_takes(kind: str, tmp_path: Path) -> None:
    """The others are refused with the reason, before anything runs."""
    width = 64 if kind == "wan2.2-ti2v" else 48
    sized = (f"data.width={width}", f"backbone.weights={wan(kind)}", f"data.path={write_videos(tmp_path)}")
    overrides, refused = parse_overrides([*WORDS, *sized]), dict[str, str]()
    for row in ROWS:
        try:
            build(Request(select(LEAGUE, row), "league", "folder", (), overrides), tmp_path / "f.json")
        except UseError as error:
            refused[row] = str(error)
    assert refused.keys() == REFUSED[kind].keys()
    for row, why in REFUSED[kind].items():
        assert why in refused[row]


EVERY_ROW = """
from dataclasses import replace
from harness import experiment
from harness.experiments.league import league
from harness.declare.spec import TRIVIAL

@experiment(baseline="full", tracks=("consistent-50s",), orderings="league")
def small():
    "Does every row run?"
    for row in league.variants:
        if row not in TRIVIAL:  # one that sets how long it trains is trained as briefly as the others
            yield replace(row, set={key: value for key, value in row.set.items() if key != "train.steps"})
"""


@pytest.mark.slow
def test_a_run_ends_with_drift_cost_and_predictions(tmp_path: Path) -> None:
    """Every row, trained and filmed at a size for tests: an objective that spends more a step is trained at full's cost, one that
    films otherwise is named for it."""
    (tmp_path / "small.py").write_text(EVERY_ROW)
    small = [word for word in SMALL if word != "generate.steps=2"]  # rows have steps of their own
    done = harness("run", f"{tmp_path}/small.py:small", *small, "--name", "small", store=tmp_path / "runs")
    assert done.returncode == 0, done.stderr[-2000:]
    assert "consistent-50s, drift and cost" in done.stdout
    for ordering in ("recycling", "same_noise", "forcing_teacher", "sink"):
        assert f"| {ordering} " in done.stdout
    assert "Of 26 published orderings these films agree with" in done.stdout
    costs = load("small", store=tmp_path / "runs").costs
    assert set(costs.index) >= set(ROWS)
    spent = {str(name): {str(key): float(value) for key, value in row.items()} for name, row in costs.iterrows()}
    trained = ("resampling", "diffusion_forcing_clean", "hiar", "teacher_forcing")
    assert all(spent[name]["training_tokens"] == spent["full"]["training_tokens"] for name in trained)
    assert spent["resampling"]["clips"] < spent["full"]["clips"]
    assert unequal(spent["hiar"], spent["full"]) == {}
    assert unequal(spent["teacher_forcing"], spent["full"]).keys() == {"evaluations"}
    assert "teacher_forcing (5 x the evaluations a second of film)" in done.stdout
