"""Films, their scores and the latent cache, dealt out to processes: the same files, byte for byte, whoever makes which part."""

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.suites import EMBEDDED, OFFICIAL, VBENCH
from harness.core.graph import Graph, Node
from harness.core.job import Job
from harness.core.store import LOG, MANIFEST, Store
from harness.declare.request import Request
from harness.declare.spec import parse_overrides, select
from harness.experiments import EXPERIMENTS
from harness.plan.launch import scorers
from harness.plan.pipeline import build
from harness.run.worker import run_job
from harness.stages import films, scores, training
from tests.harness.finished import RUN, finished
from tests.harness.small import SMALL

DEALT = ("generate.together=1", "data.shard_clips=10", "generate.ranks=2", "data.ranks=2", "score.ranks=2")


def graph(*overrides: str) -> Graph:
    """Of the finished experiment's variant without training, whose films the base model makes, and of its cache."""
    chosen = select(EXPERIMENTS.get("ablation_eimg"), "base,full").model_copy(update={"tracks": ("consistent-50s",)})
    settings = parse_overrides([word for word in (*RUN, *overrides) if "=" in word and not word.startswith("tracks=")])
    return build(Request(chosen, "x", "tiny", (), settings), finished() / "fingerprints.json").graph


def node(kind: str, *overrides: str) -> Node:
    return next(one for one in graph(*overrides) if one.kind == kind and "full" not in one.label)


def job(store: Store, one: Node, folder: Path, rank: int, ranks: int, others: Callable[[], None]) -> Job:
    inputs = {role: store.find(given) for role, given in one.upstream.items() if isinstance(given, str)}
    return Job(
        one.kind,
        folder,
        {**one.identity, **one.runtime},
        inputs,
        lambda *_: None,
        rank=rank,
        ranks=ranks,
        others=others,
    )


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in (MANIFEST, LOG)
    }


STAGES = {"generate": films.generate, "data": training.data, "score": scores.score}


@pytest.mark.parametrize("kind", STAGES)
def test_two_processes_make_what_one_makes(kind: str, tmp_path: Path) -> None:
    """In this process, one after the other: the second one's share first, which the first one waits for."""
    one, dealt = node(kind, *DEALT[:2]), node(kind, *DEALT)
    assert one.signature == dealt.signature
    assert (one.ranks, dealt.ranks) == (1, 2)
    store, stage = Store(finished()), STAGES[kind]
    alone, shared = tmp_path / "alone", tmp_path / "shared"
    alone.mkdir()
    shared.mkdir()
    stage(job(store, one, alone, 0, 1, lambda: None))
    made: list[set[str]] = []

    def others() -> None:
        before = set(contents(shared))
        stage(job(store, dealt, shared, 1, 2, lambda: None))
        made.append(set(contents(shared)) - before)

    stage(job(store, dealt, shared, 0, 2, others))
    assert any(name.endswith((".mp4", ".safetensors", ".npz")) for name in made[0])
    assert contents(shared) == contents(alone)


def test_the_first_one_makes_what_another_left(tmp_path: Path) -> None:
    dealt = node("generate", *DEALT)
    films.generate(job(Store(finished()), dealt, tmp_path, 0, 2, lambda: None))
    assert len(list((tmp_path / "videos").glob("*.mp4"))) == 2


def test_no_more_processes_than_parts() -> None:
    assert node("generate", "generate.ranks=8").ranks == 1  # two films side by side are one part
    assert node("generate", "generate.ranks=8", "generate.together=1").ranks == 2
    assert node("data", "data.ranks=8", "data.shard_clips=20").ranks == 3
    assert node("score", "score.ranks=8").ranks == 2


def test_suites_that_load_a_model_take_every_card(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2")
    assert [scorers(suite, None, 16) for suite in (VBENCH, EMBEDDED, OFFICIAL)] == [3, 1, 1]
    assert [scorers(suite, 2, 16) for suite in (VBENCH, EMBEDDED, OFFICIAL)] == [2, 2, 1]


@pytest.mark.slow
def test_films_that_follow_a_sound_are_dealt_out(tmp_path: Path) -> None:
    chosen = select(EXPERIMENTS.get("ablation_talk"), "base").model_copy(update={"tracks": ("consistent-50s",)})
    settings = parse_overrides([*SMALL, "data.world=shapes", *DEALT])
    graph = build(Request(chosen, "x", "tiny", (), settings), tmp_path / "fingerprints.json").graph
    base, made = (next(one for one in graph if one.kind == kind) for kind in ("backbone", "generate"))
    store = Store(tmp_path / "runs")
    run_job(str(store.root), base.fields(), {})
    for folder in ("alone", "shared"):
        (tmp_path / folder).mkdir()
    films.generate(job(store, made, tmp_path / "alone", 0, 1, lambda: None))
    second = job(store, made, tmp_path / "shared", 1, 2, lambda: None)
    films.generate(job(store, made, tmp_path / "shared", 0, 2, lambda: films.generate(second)))
    assert made.ranks == 2
    assert (tmp_path / "shared" / "signals" / "scene-01.wav").is_file()
    assert contents(tmp_path / "shared") == contents(tmp_path / "alone")
