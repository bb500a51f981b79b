"""A budget of evaluations: what spends more in a step takes fewer, and ends at the same cost."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from svi.backbones.catalogue import EXPERT
from svi.backbones.meter import Meter
from svi.data.cache import LatentCache
from svi.objectives.pretraining import Pretraining
from svi.settings import TrainSettings
from svi.training.budget import Budget
from svi.training.loop import train
from svi.training.objective import tokens_of
from tests.svi.conftest import CONDITION, make_backbone
from tests.svi.training.training_results import Weights, lines

SETTINGS = TrainSettings(steps=12, batch=4, lr=1e-3, schedule="cosine", adapter="full", checkpoint_every=2, log_every=1)


class Wasteful(Pretraining):
    """Evaluates each micro-batch twice more, for nothing."""

    def losses(self, model: nn.Module, samples: range, micro: int, step: int, following: range) -> Iterator[Tensor]:
        for loss in super().losses(model, samples, micro, step, following):
            with torch.no_grad():
                for _ in range(2):
                    list(super().losses(model, samples, micro, step, following))
            yield loss


def trained(
    kind: type[Pretraining], cache: LatentCache, folder: Path, stop_at: int | None = None, budget: str = "evaluations"
) -> tuple[Weights, Budget, list[int]]:
    """The weights, what was spent, and the progress that was told."""
    backbone, meter, told = make_backbone(), Meter(), list[int]()
    meter.watch(backbone.transformers[EXPERT])
    settings = SETTINGS.model_copy(update={"budget": budget})
    allowed = Budget(settings, meter, tokens_of(backbone, EXPERT))

    def progress(done: int, total: int) -> None:
        told.append(done)
        if allowed.steps == stop_at:
            raise KeyboardInterrupt

    folder.mkdir(exist_ok=True)
    objective = kind(backbone, cache, shift=3.0, seed=0, condition=CONDITION)
    model = train(backbone.transformers[EXPERT], objective, settings, folder, progress, budget=allowed)
    return {name: p.detach().clone() for name, p in model.named_parameters()}, allowed, told


def test_a_plain_objective_takes_train_steps_either_way(cache: LatentCache, tmp_path: Path) -> None:
    by_steps, _, _ = trained(Pretraining, cache, tmp_path / "steps", budget="steps")
    by_tokens, spent, told = trained(Pretraining, cache, tmp_path / "tokens")
    assert (spent.steps, told) == (12, list(range(1, 13)))
    assert all(torch.equal(by_steps[name], by_tokens[name]) for name in by_steps)


def test_three_times_the_cost_a_step_takes_a_third_of_the_steps(cache: LatentCache, tmp_path: Path) -> None:
    _, plain, _ = trained(Pretraining, cache, tmp_path / "plain")
    _, wasteful, told = trained(Wasteful, cache, tmp_path / "wasteful")
    assert (wasteful.steps, wasteful.tokens) == (4, plain.tokens)
    assert told == [3, 6, 9, 12]  # in steps of a plain one
    rates = [line["train/lr"] for line in lines(tmp_path / "wasteful")]
    assert rates == pytest.approx([1e-3, *(line["train/lr"] for line in lines(tmp_path / "plain"))][1::3])


def test_an_interruption_changes_neither_weights_nor_steps(cache: LatentCache, tmp_path: Path) -> None:
    whole, spent, _ = trained(Wasteful, cache, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        trained(Wasteful, cache, tmp_path / "cut", stop_at=3)
    resumed, again, _ = trained(Wasteful, cache, tmp_path / "cut")
    assert (again.steps, again.tokens) == (spent.steps, spent.tokens)
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_evaluations_that_nobody_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="needs a meter"):
        Budget(SETTINGS.model_copy(update={"budget": "evaluations"}))
