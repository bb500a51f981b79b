"""Objectives that are closed at the end."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from svi.backbones.backbone import Backbone
from svi.data.cache import LatentCache
from svi.error_settings import BankSettings, InjectionSettings
from svi.objectives.error_recycling import ErrorRecycling
from svi.settings import FlowSettings
from tests.svi.conftest import CONDITION
from tests.svi.objectives.recycling import INJECTION, Make


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Objectives with a folder of their own each, closed at the end."""
    made: list[ErrorRecycling] = []

    def recycling(
        backbone: Backbone,
        cache: LatentCache,
        expert: str = "transformer",
        injection: InjectionSettings = INJECTION,
        **flow: Any,
    ) -> ErrorRecycling:
        settings = FlowSettings(inference_steps=10, **flow)
        bank, folder = BankSettings(capacity=3, warmup=2), tmp_path / f"objective-{len(made)}"
        made.append(ErrorRecycling(backbone, cache, settings, injection, bank, CONDITION, 0, folder, expert))
        return made[-1]

    yield recycling
    for objective in made:
        objective.close()
