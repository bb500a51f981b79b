"""What runs are called, and which request may go on under which name; nothing is run."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from harness.core.errors import UseError
from harness.core.store import Store
from harness.declare.request import Request
from harness.declare.run_name import counted_overrides
from harness.declare.spec import Experiment, select
from harness.experiments import EXPERIMENTS
from harness.plan.pipeline import build
from harness.results.runs import RunRecord, begin, finish, introduction, named, runs

ABLATION = EXPERIMENTS.get("ablation_eimg")
TRACK = "consistent-50s"


def request(only: str | None = None, profile: str = "tiny", called: str | None = None, **changes: object) -> Request:
    """As the command line makes one; `changes` are seeds, tracks, recipes, and settings with __ for the dot."""
    of_experiment = {key: changes.pop(key) for key in ("seeds", "tracks") if key in changes}
    recipes = changes.pop("recipes", ())
    experiment = Experiment.model_validate({**dict(ABLATION), **of_experiment})
    settings = {key.replace("__", "."): value for key, value in changes.items()}
    return Request(
        select(experiment, only) if only else experiment, "ablation_eimg", profile, recipes, settings, only, called
    )  # type: ignore[arg-type]


def name(asked: Request, root: Path) -> str:
    return named(asked, ABLATION, root).name


def done(asked: Request, store: Store) -> str:
    """Carried out, as far as names are concerned."""
    pipeline = build(named(asked, ABLATION, store.root), store.fingerprints)
    begin(RunRecord.of(pipeline), store.root)
    finish(RunRecord.of(pipeline), store.root)
    return pipeline.request.name


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "runs")


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, "ablation_eimg"),
        ({"seeds": (0, 1, 2)}, "ablation_eimg"),
        ({"tracking__uri": "http://127.0.0.1:9"}, "ablation_eimg"),
        ({"only": "full", "train__steps": 50}, "ablation_eimg-full-train.steps=50"),
        ({"only": "full,no_e_v*"}, "ablation_eimg-full-no_e_vid"),
        ({"tracks": (TRACK,)}, f"ablation_eimg-{TRACK}"),
        ({"seeds": (5, 7)}, "ablation_eimg-seeds=5_7"),
        ({"recipes": ("svi-2.0/paper",)}, "ablation_eimg-svi-2.0-paper"),
        ({"data__path": "/some where/VIDEOS"}, "ablation_eimg-data.path=VIDEOS"),
        ({"train__steps": 50, "bank__capacity": 5}, "ablation_eimg-bank.capacity=5-train.steps=50"),
        ({"bank__capacity": 5, "train__steps": 50}, "ablation_eimg-bank.capacity=5-train.steps=50"),
        ({"profile": "wan2.1-i2v-14b-480p"}, "ablation_eimg-wan2.1-i2v-14b-480p"),
    ],
)
def test_a_name_says_what_is_overridden(asked: dict[str, object], expected: str, store: Store) -> None:
    assert name(request(**asked), store.root) == expected  # type: ignore[arg-type]


def test_a_long_name_ends_in_a_digest_that_tells_its_settings_apart(store: Store) -> None:
    first, second = (
        name(request(**{f"train__{key}": 3 for key in ("alpha", "batch", "lr", "rank")}, train__steps=n), store.root)
        for n in (1, 2)
    )  # fmt: skip
    assert first != second
    for one in (first, second):
        assert re.fullmatch(r"ablation_eimg-train\.alpha=3-train\.batch=3-[0-9a-f]{8}", one)


def test_a_value_in_another_script_is_told_from_others(store: Store) -> None:
    names = [name(request(generate__negative_prompt=text), store.root) for text in ("静态", "过曝")]
    assert len(set(names)) == 2
    assert all(re.fullmatch(r"ablation_eimg-generate\.negative_prompt=_-[0-9a-f]{8}", one) for one in names)


def test_a_debug_run_does_not_displace_the_real_one(store: Store) -> None:
    assert done(request(), store) == "ablation_eimg"
    assert done(request(only="full", train__steps=50), store) != "ablation_eimg"
    assert {run.name for run in runs(store.root)} == {"ablation_eimg", "ablation_eimg-full-train.steps=50"}


def test_more_seeds_and_tracks_extend_a_run_and_fewer_are_one_of_their_own(store: Store) -> None:
    done(request(tracks=(TRACK,), called="mine"), store)
    done(request(tracks=(TRACK, "creative-50s"), seeds=(0, 1, 2), called="mine"), store)
    with pytest.raises(UseError, match=r"mine has more.*tracks consistent-50s, creative-50s; seeds 0, 1, 2.*--name"):
        name(request(tracks=(TRACK,), called="mine"), store.root)
    done(request(seeds=(0, 1, 2)), store)
    assert done(request(), store) == "ablation_eimg-seeds=0"
    said = introduction(named(request(), ABLATION, store.root), store.root)
    assert said is not None
    assert said.startswith(
        "this run is named ablation_eimg-seeds=0, beside ablation_eimg, which has seeds 0, 1, 2; its"
    )
    assert introduction(named(request(seeds=(0, 1, 2)), ABLATION, store.root), store.root) is None
    assert done(request(), store) == "ablation_eimg-seeds=0"
    (kept,) = (run for run in runs(store.root) if run.name == "ablation_eimg")
    assert kept.seeds == [0, 1, 2]


def test_an_extension_that_was_cut_short_leaves_the_finished_run_its_name(store: Store) -> None:
    done(request(), store)
    begin(RunRecord.of(build(named(request(seeds=(0, 1)), ABLATION, store.root), store.fingerprints)), store.root)
    assert name(request(), store.root) == "ablation_eimg"


def test_a_name_of_another_run_is_refused_with_what_to_do(store: Store) -> None:
    done(request(train__steps=50, called="talk"), store)
    assert done(request(train__steps=50, called="talk"), store) == "talk"
    with pytest.raises(
        UseError, match=r"named talk \(train\.steps is 50 there, not set here\).*--name.*runs remove talk"
    ):
        name(request(called="talk"), store.root)
    with pytest.raises(UseError, match=r"bank\.p_clean_update is not set there, 0 here"):
        name(request(train__steps=50, bank__p_clean_update=0, called="talk"), store.root)
    with pytest.raises(UseError, match=r"a run is named '\.\./up'"):
        name(request(called="../up"), store.root)


def test_a_folder_is_the_same_with_a_slash_behind_it(store: Store) -> None:
    videos, again = (named(request(data__path=path), ABLATION, store.root) for path in ("VIDEOS", "./VIDEOS/"))
    assert videos.name == again.name
    record = RunRecord.of(build(named(request(), ABLATION, store.root), store.fingerprints))
    assert replace(record, overrides=counted_overrides(videos)).differences(again) == []


def test_a_file_of_ones_own_goes_on_after_an_edit_and_another_file_does_not(store: Store) -> None:
    done(replace(request(), reference="here/mine.py:ablation_eimg"), store)
    edited = ABLATION.model_copy(update={"variants": ABLATION.variants[:3]})
    asked = Request(edited, "there/mine.py:ablation_eimg", "tiny")
    assert named(asked, edited, store.root).name == "ablation_eimg"
    with pytest.raises(UseError, match=r"experiment is mine\.py:ablation_eimg there, other\.py:ablation_eimg here"):
        named(replace(asked, reference="other.py:ablation_eimg"), edited, store.root)
