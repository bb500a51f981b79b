"""What tests of training compare: weights and metrics."""

import json
from pathlib import Path

import torch
from torch import Tensor

Weights = dict[str, Tensor]


def assert_close(found: Weights, expected: Weights, atol: float = 1e-5) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, atol=atol, rtol=1e-4)


def assert_same(found: Weights, expected: Weights) -> None:
    assert found.keys() == expected.keys()
    assert [name for name in expected if not torch.equal(found[name], expected[name])] == []


def lines(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
