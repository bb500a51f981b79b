import dataclasses
import json
import time
from pathlib import Path
from typing import Any

import pytest

from harness.core.atomic import write_json
from harness.core.graph import Graph, Node
from harness.core.store import Store
from harness.core.text import duration
from harness.plan.plan import Plan, render, totals
from tests.harness.run.stage_functions import graph, node


def commit(
    store: Store, one: Node, seconds: float = 10.0, created: str = "2026-01-01", fixed: float | None = 0.0
) -> None:
    store.begin(one.kind, one.signature)
    about = {"version": one.version, "identity": one.identity, "upstream": one.upstream}
    took = {"seconds": seconds, "fixed": fixed, "work": one.work}
    store.commit(one.kind, one.signature, {"kind": one.kind, "created": created, **took, **about})


def train(upstream: Any = None, label: str = "train", **identity: Any) -> Node:
    return node(label, kind="train", upstream=upstream, identity={"p_img": 0.9, "steps": 100, "lr": 1e-3, **identity})


def whys(*nodes: Node, store: Store) -> list[str]:
    return [row.why for row in Plan.of(graph(*nodes), store).rows]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def test_a_node_survives_its_way_to_a_worker() -> None:
    one = node("a", upstream={"x": ("s", "t"), "y": "s"}, runtime={"path": "p"}, launcher=("run", "it"), ranks=2)
    back = Node(**one.fields())
    assert back.fields() == one.fields()
    assert back.signature == one.signature
    assert one.needs == ("s", "t")


def test_a_shared_stage_is_one_node_with_both_labels() -> None:
    data = node("data")
    made = graph(data, train({"data": data.signature}, "full"), train({"data": data.signature}, "again"), data)
    assert [n.kind for n in made] == ["make", "train"]
    assert len(made) == 2
    shared = made[train({"data": data.signature}).signature]
    assert made.labels(shared.signature) == ("full", "again")


def test_runtime_makes_no_second_node() -> None:
    assert len(graph(node("a", runtime={"path": "x"}), node("a", runtime={"path": "y"}))) == 1


def test_unknown_upstream_is_refused() -> None:
    with pytest.raises(ValueError, match=r"train 'full' needs nothing, which is not in the graph"):
        Graph().add(train({"data": "nothing"}, "full"))


def test_states_and_why(store: Store) -> None:
    data = node("data")
    base, changed = train({"data": data.signature}), train({"data": data.signature}, p_img=0.0)
    assert whys(data, base, store=store) == ["not run yet", "not run yet"]
    commit(store, data)
    commit(store, base)
    commit(store, train({"data": data.signature}, p_img=0.3, steps=5, lr=2.0), created="2026-02-02")
    plan = Plan.of(graph(data, base, changed), store)
    assert [row.state for row in plan.rows] == ["cached", "cached", "missing"]
    assert plan.rows[2].why == "p_img is 0.0, not 0.9"


def test_why_names_upstream_version_and_many_settings(store: Store) -> None:
    old, new = node("old"), node("new")
    commit(store, old)
    commit(store, train({"data": old.signature}))
    newer = Node(**{**train({"data": old.signature}).fields(), "version": 2})
    more = train({"data": old.signature}, p_img=0.1, steps=1, lr=1.0, extra="x")
    other = train({"data": new.signature, "backbone": old.signature})
    assert whys(old, new, newer, more, other, store=store)[2:] == [
        "computed by version 2, not 1",
        "p_img is 0.1, not 0.9; steps is 1, not 100; lr is 1.0, not 0.001; 1 more settings differ",
        "its data is another one; its backbone is another one",
    ]


def test_a_partial_stage_says_how_far_it_came(store: Store) -> None:
    one = train()
    folder = store.begin("train", one.signature)
    plan = Plan.of(graph(one), store)
    assert (plan.rows[0].state, plan.rows[0].why, plan.rows[0].estimate) == ("partial", "begun", None)
    progress = {"done": 25, "total": 100, "unit": "step", "pace": None}
    write_json(folder / "progress.json", progress)
    commit(store, train(seed=1), 80.0)
    row = Plan.of(graph(one), store).rows[0]
    assert (row.why, row.estimate) == ("at step 25 of 100", 80.0)
    write_json(folder / "progress.json", {**progress, "pace": 0.5})
    assert Plan.of(graph(one), store).rows[0].estimate == 0.5 * 75  # whatever was loaded before the first step
    write_json(folder / "progress.json", {**progress, "pace": 0.5, "then": "other step"})
    assert Plan.of(graph(one), store).rows[0].estimate == 80.0  # what follows has another pace
    write_json(folder / "error.json", {"kind": "ValueError", "message": "the loss is nan", "traceback": ""})
    assert whys(one, store=store) == ["failed at step 25 of 100: the loss is nan"]


def test_an_estimate_is_the_median_of_the_nearest(store: Store) -> None:
    for seed, seconds in enumerate((10.0, 30.0, 20.0)):
        commit(store, train(seed=seed), seconds)
    commit(store, train(seed=0, steps=1, p_img=0.0), 1.0)
    assert Plan.of(graph(train(seed=9)), store).rows[0].estimate == 20.0


def test_an_estimate_grows_with_the_work_and_a_fixed_cost_does_not(store: Store) -> None:
    commit(store, dataclasses.replace(train(seed=0), work=3.0), 21.5, fixed=20.0)  # three steps of half a second
    longer = dataclasses.replace(train(seed=1), work=300.0)
    assert Plan.of(graph(longer), store).rows[0].estimate == 20.0 + 300 * 0.5


def test_what_counted_its_steps_is_believed_before_what_did_not(store: Store) -> None:
    commit(store, train(seed=0), 0.1, fixed=None)  # taken from another stage, say
    commit(store, train(seed=1, other=1), 10.0)
    assert Plan.of(graph(train(seed=2)), store).rows[0].estimate == 10.0


def test_what_an_earlier_version_measured_without_fixed_costs_is_no_estimate(store: Store) -> None:
    commit(store, train(seed=0))
    manifest = next((store.root / "artifacts").glob("*/*/manifest.json"))
    about = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({key: value for key, value in about.items() if key != "fixed"}))
    assert Plan.of(graph(train(seed=1)), store).rows[0].estimate is None


def test_another_way_to_make_films_says_nothing_of_this_one(store: Store) -> None:
    commit(store, train(**{"generate.method": "copy_image"}), 1.0)
    made = train(**{"generate.method": "model"})
    assert Plan.of(graph(made), store).rows[0].estimate is None


def test_totals_count_the_slots_and_the_longest_chain(store: Store) -> None:
    commit(store, train(seed=-1), 10.0)
    many = graph(*(train(seed=seed) for seed in range(8)))
    assert [Plan.of(many, store, jobs).seconds for jobs in (1, 2, 4)] == [80.0, 40.0, 20.0]
    first = train(seed=0)
    second = train({"before": first.signature}, seed=1)
    chain = Plan.of(graph(first, second, node("new kind")), store, jobs=4)
    assert (chain.seconds, chain.unknown) == (20.0, 1)


def test_the_plan_is_rendered_for_people_and_as_json(store: Store) -> None:
    commit(store, train(), 120.0)
    made = graph(train(), train(p_img=0.0, label="no_img"), train(p_img=0.0, label="twin"), node("a"))
    planned = Plan.of(made, store, jobs=2)
    lines = render(planned).splitlines()
    assert lines[0].split() == ["stage", "for", "state", "time", "why"]
    assert lines[1].split() == ["train", "train", "cached"]
    assert lines[2].split() == ["train", "no_img", "(+1)", "missing", "2", "min", "p_img", "is", "0.0,", "not", "0.9"]
    assert lines[3].split() == ["make", "a", "missing", "?", "not", "run", "yet"]
    assert totals(planned) == (
        "3 stages: 1 done, 2 not begun; about 2 min with 2 jobs, and 1 of unknown time: nothing like them has run yet"
    )
    assert totals(Plan.of(graph(train()), store)) == "1 stages, all done"
    assert totals(Plan.of(graph(node("a")), store)).endswith("so no run tells how long they take")
    told = planned.to_json()
    assert (told["cached"], told["missing"], told["unknown"], told["seconds"]) == (1, 2, 1, 120.0)
    assert told["stages"][1]["labels"] == ["no_img", "twin"]


def test_durations_are_for_people() -> None:
    assert [duration(s) for s in (0.4, 89, 91, 5000, 6000)] == ["0 s", "89 s", "2 min", "83 min", "1.7 h"]


def large(store: Store) -> Graph:
    """2000 stages that are not done, beside a hundred finished ones that each may be nearest to."""
    wide: dict[str, Any] = {f"section.key{i}": i for i in range(60)}
    for seed in range(100):
        commit(store, train(**wide, seed=-seed - 1))
    return graph(*(train(**wide, seed=seed) for seed in range(2000)))


def test_a_large_plan_reads_every_manifest_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    made, read, reads = large(store), Path.read_text, list[Path]()

    def counted(path: Path, *arguments: Any, **more: Any) -> str:
        reads.append(path)
        return read(path, *arguments, **more)

    monkeypatch.setattr(Path, "read_text", counted)
    assert Plan.of(made, store, jobs=4).count("missing") == 2000
    manifests = [path for path in reads if path.name == "manifest.json"]
    assert len(manifests) == len(set(manifests)) == 100


@pytest.mark.slow  # it takes seconds only, but may not share the machine with tests that take all of it
def test_a_large_plan_is_quick(store: Store) -> None:
    made = large(store)
    start = time.perf_counter()
    plan = Plan.of(made, store, jobs=4)
    assert plan.count("missing") == 2000
    assert time.perf_counter() - start < 4.0  # a fifth of what 10,000 stages may take, with room for a busy machine


CLIP = {"data.height": 16, "data.width": 16, "data.clip_frames": 5}


@pytest.mark.parametrize(
    "other", [{"data.height": 480}, {"data.clip_frames": 81}, {"backbone.name": "wan"}, {"train.dtype": "bfloat16"}]
)
def test_a_pace_at_one_size_says_nothing_of_another(store: Store, other: dict[str, Any]) -> None:
    commit(store, train(seed=0, **CLIP))
    assert Plan.of(graph(train(seed=1, **CLIP)), store).rows[0].estimate == 10.0
    assert Plan.of(graph(train(seed=1, **{**CLIP, **other})), store).rows[0].estimate is None


@pytest.mark.parametrize(("height", "seconds"), [(16, 10.0), (480, None)])
def test_scores_take_the_size_of_their_films(store: Store, height: int, seconds: float | None) -> None:
    """A stage without sizes of its own is held against those that stand on films of its size alone."""

    def films(seed: int, **other: int) -> Node:
        return node("films", kind="generate", identity={"seed": seed, **CLIP, **other})

    def score(on: Node) -> Node:
        return node("score", kind="score", upstream={"generate": on.signature}, identity={"suite": "embedded"})

    past, other = films(0), films(1, **{"data.height": height})
    for one in (past, score(past)):
        commit(store, one)
    assert Plan.of(graph(other, score(other)), store).rows[1].estimate == seconds
