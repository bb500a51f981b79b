"""The cards of this machine, and how stages share them."""

import os
import time
from pathlib import Path

import pytest

from harness.core import gpus
from harness.core.graph import Node
from harness.core.job import StageError
from harness.core.store import Store
from harness.run import local as executors


def test_the_environment_decides(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(gpus.VISIBLE, "2,5")
    assert gpus.visible_gpus() == ["2", "5"]
    monkeypatch.setenv(gpus.VISIBLE, "")
    assert gpus.visible_gpus() == []
    monkeypatch.delenv(gpus.VISIBLE)
    monkeypatch.setattr(gpus, "DRIVER", tmp_path)
    assert gpus.visible_gpus() == []
    for name in ("0000:01:00.0", "0000:02:00.0"):
        (tmp_path / name).mkdir()
    assert gpus.visible_gpus() == ["0", "1"]


def stage(name: str, ranks: int = 1) -> Node:
    return Node("make", 1, name, {"name": name}, {}, {}, "tests.harness.run.stage_functions:says_its_card", ranks=ranks)


def test_each_stage_has_a_card_to_itself(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(gpus.VISIBLE, "3,4")
    store = Store(tmp_path)
    nodes = [stage("a"), stage("b")]
    with executors.Local(8) as executor:
        assert executor.slots == 2
        for future in [executor.submit(store, node) for node in nodes]:
            future.result()
        deadline = time.monotonic() + 5
        while len(executor._cards) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
    said = [(store.artifact("make", node.signature) / "card").read_text() for node in nodes]
    assert sorted(said) == ["3", "4"]
    assert os.environ[gpus.VISIBLE] == "3,4"


def test_a_stage_of_several_ranks_waits_for_cards_that_another_schedule_has_taken(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(gpus.VISIBLE, "3,4,7")
    store, nodes = Store(tmp_path), [stage("a"), stage("b", ranks=3), stage("c", ranks=2)]
    with executors.Local(2) as executor:  # fewer jobs than cards, as two trials at a time
        for future in [executor.submit(store, node) for node in nodes]:
            future.result()
    said = [(store.artifact("make", node.signature) / "card").read_text().split(",") for node in nodes]
    assert [len(cards) for cards in said] == [1, 3, 2]


def test_a_stage_that_waits_for_cards_ends_with_the_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(gpus.VISIBLE, "3,4")
    with executors.Local(2) as executor:
        executor._cards.clear()  # taken
        waiting = executor.submit(Store(tmp_path), stage("a"))
    with pytest.raises(StageError, match="interrupted"):
        waiting.result()
