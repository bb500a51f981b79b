"""What a store holds, without a run: stages are made as the scheduler makes them."""

import json
from pathlib import Path

import pytest

from harness.commands.status import NAMED, store_status
from harness.core.graph import Node
from harness.core.job import StageError
from harness.core.store import Store
from harness.run.worker import run_job
from tests.harness.run.stage_functions import node


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "runs")


def made(store: Store, one: Node) -> None:
    run_job(str(store.root), one.fields(), {})


def test_finished_stages_name_their_variants_once(store: Store) -> None:
    for label in ("full, seed 0", "full, seed 1", "no_e_img, seed 0"):
        made(store, node(label))
    assert store_status(store, as_json=False).splitlines()[1:-1] == ["  make       3 finished: full, no_e_img"]


def test_what_takes_the_room_is_named(store: Store) -> None:
    made(store, node("full, seed 0"))
    (store.root / "mlartifacts").mkdir()
    (store.root / "mlartifacts" / "model").write_bytes(b"w" * 2_000_000)
    assert "2.0 MB: mlartifacts 2.0 MB" in store_status(store, as_json=False).splitlines()[-1]
    assert json.loads(store_status(store, as_json=True))["bytes"]["mlartifacts"] > 2_000_000


def test_many_variants_are_counted(store: Store) -> None:
    for number in range(NAMED + 3):
        made(store, node(f"trial-{number}, seed 100"))
    assert store_status(store, as_json=False).splitlines()[1].endswith(f"trial-{NAMED - 1} and 3 more")


def test_a_stage_that_was_cut_short_names_its_variant_until_it_is_finished(store: Store) -> None:
    one = node("no_e_img, seed 0", "die_later")
    with pytest.raises(StageError):
        made(store, one)
    stage = f"make-{one.signature[:16]}"
    said = store_status(store, as_json=False)
    assert f"  {stage}  no_e_img, seed 0  3/10 steps  stopped; the same command goes on with it" in said
    (row,) = json.loads(store_status(store, as_json=True))["partial"]
    assert row["label"] == "no_e_img, seed 0"
    made(store, one)
    assert sorted(path.name for path in store.find(one.signature).iterdir()) == ["log.txt", "manifest.json", "tried"]
