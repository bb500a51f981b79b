"""What all objectives of a training share."""

from pathlib import Path

from svi.backbones.tiny import TinyBackbone
from svi.data.cache import LatentCache
from svi.error_settings import BankSettings, InjectionSettings
from svi.objectives.error_recycling import ErrorRecycling
from svi.objectives.pretraining import Pretraining
from svi.settings import FlowSettings
from tests.svi.conftest import CONDITION


def test_tokens_are_counted_after_the_patches(backbone: TinyBackbone, cache: LatentCache, tmp_path: Path) -> None:
    settings = (FlowSettings(inference_steps=10), InjectionSettings(), BankSettings(capacity=3), CONDITION)
    with ErrorRecycling(backbone, cache, *settings, 0, tmp_path) as recycling:
        assert recycling.tokens == Pretraining(backbone, cache, 3.0, 0, CONDITION).tokens == 5 * 2 * 2
