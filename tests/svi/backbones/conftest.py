"""A Wan of each kind, loaded."""

from pathlib import Path

import pytest

from svi.backbones.wan import WanBackbone
from tests.svi.backbones.wans import SETTINGS, sizes
from tests.svi.wan_folder import KINDS, Kind, WanFolder


@pytest.fixture(scope="module")
def folders(wan_folder: WanFolder) -> dict[Kind, Path]:
    return {kind: wan_folder(kind) for kind in KINDS}


@pytest.fixture(scope="module")
def backbones(folders: dict[Kind, Path]) -> dict[Kind, WanBackbone]:
    return {kind: WanBackbone.load(folder, SETTINGS, sizes(kind)) for kind, folder in folders.items()}
