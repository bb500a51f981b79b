"""What checkpoints keep beside the weights: the count of what a training cost, by hand and after an interruption."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest

from svi.backbones.catalogue import EXPERT
from svi.backbones.meter import Meter
from svi.backbones.tiny import TinyBackbone
from svi.data.cache import LatentCache
from svi.error_settings import BankSettings, InjectionSettings
from svi.lora import adapter as lora
from svi.objectives.error_recycling import ErrorRecycling
from svi.objectives.pretraining import Pretraining
from svi.settings import FlowSettings, TrainSettings
from svi.training.budget import Budget
from svi.training.loop import train
from svi.training.objective import TrainingObjective
from tests.svi.conftest import CONDITION, make_backbone

SETTINGS = TrainSettings(steps=5, batch=4, micro_batch=2, lr=1e-3, rank=4, alpha=4, checkpoint_every=2, log_every=1)
TOKENS = 5 * 2 * 2
Make = Callable[[TinyBackbone, LatentCache, Path], AbstractContextManager[TrainingObjective]]


def recycling(backbone: TinyBackbone, cache: LatentCache, folder: Path) -> AbstractContextManager[TrainingObjective]:
    settings = (FlowSettings(inference_steps=10), InjectionSettings(), BankSettings(capacity=3, warmup=2), CONDITION)
    return ErrorRecycling(backbone, cache, *settings, seed=0, folder=folder)


def matching(backbone: TinyBackbone, cache: LatentCache, folder: Path) -> AbstractContextManager[TrainingObjective]:
    return nullcontext(Pretraining(backbone, cache, shift=3.0, seed=0, condition=CONDITION))


def counted(make: Make, cache: LatentCache, folder: Path, stop_at: int | None = None, **changes: object) -> Meter:
    """Of a training, or of what there is of one that was interrupted behind a step."""
    meter, backbone, settings = Meter(), make_backbone(), SETTINGS.model_copy(update=changes)
    meter.watch(backbone.transformers[EXPERT])

    def progress(done: int, total: int) -> None:
        if done == stop_at:
            raise KeyboardInterrupt

    with make(backbone, cache, folder) as objective:
        train(
            lora.adapted(backbone, settings),
            objective,
            settings,
            folder,
            progress,
            budget=Budget(settings, meter, TOKENS),
        )
    return meter


@pytest.mark.parametrize("make", [matching, recycling])
@pytest.mark.parametrize("adapter", ["lora", "full"])
def test_a_clip_a_sample_of_a_step_is_one_evaluation(
    make: Make, adapter: str, cache: LatentCache, tmp_path: Path
) -> None:
    found = counted(make, cache, tmp_path, adapter=adapter, checkpointing="block")
    assert found.state_dict() == {"calls": 5 * 2, "evaluations": 5 * 4, "tokens": 5 * 4 * TOKENS}
    assert found.whole


@pytest.mark.parametrize("make", [matching, recycling])
def test_an_interruption_between_two_checkpoints_changes_no_count(
    make: Make, cache: LatentCache, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        counted(make, cache, tmp_path, stop_at=3)  # the third step is done again
    assert counted(make, cache, tmp_path).state_dict() == {"calls": 10, "evaluations": 20, "tokens": 20 * TOKENS}


def test_a_checkpoint_of_before_there_were_meters_leaves_the_count_open(
    cache: LatentCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Meter, "state_dict", lambda self: None)
    with pytest.raises(KeyboardInterrupt):
        counted(matching, cache, tmp_path, stop_at=3)
    assert not counted(matching, cache, tmp_path).whole
