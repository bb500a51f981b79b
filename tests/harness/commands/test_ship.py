"""Base models that come with the harness: packed by one command, found by a plan, unpacked by a run."""

import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file

from harness.commands.ship import main, training_of
from harness.core.job import Job
from harness.core.store import Store
from harness.declare.profiles import embedded
from harness.plan import shipped as places
from harness.plan.shipped import CARD, UNPACK, taken
from harness.stages.shipped import unpack
from svi.backbones.tiny import TinyBackbone
from svi.settings import DataSettings, TinySettings
from tests.harness.small import harness

SHORT = {
    "tiny.steps": 4, "tiny.codec_steps": 4, "tiny.codec_width": 4, "tiny.layers": 1, "tiny.batch": 4, "data.clips": 12
}  # fmt: skip
COMMAND = ("small", *(f"{key}={value}" for key, value in SHORT.items()))
MOST_BYTES = 8 * 10**6
SHIPPED = [folder for folder in places.ROOT.iterdir() if (folder / CARD).is_file()]


@pytest.fixture
def packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A shortened training of the profile `small`, where shipped ones lie."""
    monkeypatch.setattr(places, "ROOT", tmp_path / "shipped")
    ran = CliRunner().invoke(main, [*COMMAND, "--store", str(tmp_path / "runs")], catch_exceptions=False)
    assert ran.exit_code == 0, ran.output
    return Path(ran.output.splitlines()[-1])


def test_a_shortened_training_is_packed_found_and_unpacked(packed: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    node = training_of("small", store, SHORT)
    found = taken(node)
    assert (found.target, found.signature, found.work) == (UNPACK, node.signature, 0)
    other = training_of("small", store, {**SHORT, "tiny.seed": 1})
    assert taken(other) is other  # other settings are trained
    folder = tmp_path / "unpacked"
    folder.mkdir()
    unpack(Job(node.kind, folder, {**found.identity, **found.runtime}, {}, lambda *_: None))
    original = store.artifact(node.kind, node.signature)
    for file in folder.rglob("*.safetensors"):
        mine, theirs = load_file(file), load_file(original / file.relative_to(folder))
        assert mine.keys() == theirs.keys()
        for name, values in mine.items():
            assert values.dtype == torch.float32
            assert torch.equal(values, theirs[name].half().float())
    values = {key.removeprefix("tiny."): value for key, value in node.identity.items() if key.startswith("tiny.")}
    data = DataSettings(world="lanes", height=32, width=32)
    backbone = TinyBackbone.load(folder, TinySettings(**values), data)
    latents = backbone.encode(torch.zeros(1, 5, 32, 32, 3, dtype=torch.uint8))
    assert latents.shape == (1, values["latent_channels"], 5, 8, 8)
    card = (packed / CARD).read_text()
    assert f"`python -m harness.commands.ship {' '.join(COMMAND)} --store FOLDER`" in card
    assert "seed 1234" in card
    assert "| step | loss |" in card
    assert not (folder / CARD).exists()


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda folder: folder.name)
def test_what_is_shipped_belongs_to_a_profile_and_is_small(folder: Path, tmp_path: Path) -> None:
    """Where this fails, a setting or a stage's version has changed since: ship the profile anew."""
    nodes = [training_of(name, Store(tmp_path), {}) for name in embedded()]
    assert folder in [places.shipped_folder(node.kind, node.signature) for node in nodes]
    assert sum(file.stat().st_size for file in folder.rglob("*")) < MOST_BYTES
    assert {"commit", "seed"} <= set((folder / CARD).read_text().replace(";", "").split())


def test_a_plan_of_the_larger_world(tmp_path: Path) -> None:
    plan = json.loads(harness("plan", "ablation_eimg", "--profile", "small", "--json", store=tmp_path).stdout)
    assert plan["missing"] == len(plan["stages"])
    refused = harness("plan", "ablation_talk", "--profile", "small", store=tmp_path)
    assert refused.returncode == 2
    assert "data.world=lanes: nothing there follows condition.signal=audio" in refused.stderr
    refused = harness(
        "plan",
        "ablation_eimg",
        "condition.motion_frames=3",
        "tiny.codec_frames=4",
        "--profile",
        "small",
        store=tmp_path,
    )
    assert "condition.motion_frames is 3; with tiny.codec=wan whole latents are handed on" in refused.stderr
