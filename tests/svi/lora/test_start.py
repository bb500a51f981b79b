"""Training that goes on from a LoRA, and what signals add that is trained and kept beside it."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from svi.backbones.adapters import added, showing
from svi.conditions.pose import PoseAdapter
from svi.lora import adapter as lora
from svi.lora import files
from svi.lora.stack import Lora
from svi.settings import TrainSettings
from tests.svi.conditions.listeners import wan
from tests.svi.lora.lora_run import TARGETS

torch.set_num_threads(1)
EXPERT = "transformer"


def backbone(signal: bool = False) -> Any:
    transformer = wan()
    if signal:
        PoseAdapter(transformer.patch_embedding.out_channels, 4, 16).attach(transformer)
    return SimpleNamespace(transformers={EXPERT: transformer}, lora_targets=TARGETS)


def settings(**given: Any) -> TrainSettings:
    return TrainSettings.model_validate({"rank": 4, "alpha": 4, **given})


def changed(model: nn.Module) -> nn.Module:
    """As if trained: whatever is, moved."""
    torch.manual_seed(3)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(0.1 * torch.randn(parameter.shape))
    return model.eval()


@torch.no_grad()
def output(model: nn.Module, pose: Tensor | None = None) -> Tensor:
    bare: Any = model
    torch.manual_seed(1)
    config = bare.config
    x = torch.randn(1, config["in_channels"], 3, 4, 4)
    text = torch.randn(1, 4, config["text_dim"])
    with showing(model, {} if pose is None else {"pose": pose}):
        found: Tensor = model(x, torch.tensor([500.0]), text, return_dict=False)[0]
    return found


def poses() -> Tensor:
    return torch.randint(0, 255, (1, 9, 32, 32, 3), dtype=torch.uint8)


@pytest.mark.parametrize("alpha", [4, 2])
def test_it_is_at_first_what_it_was_whatever_its_alpha(alpha: int, tmp_path: Path) -> None:
    before = changed(lora.adapted(backbone(), settings(alpha=2)))
    lora.save(before, tmp_path)
    plain = output(lora.adapted(backbone(), settings()).eval())
    after = lora.adapted(backbone(), settings(alpha=alpha, **{"from": str(tmp_path)})).eval()
    torch.testing.assert_close(output(after), output(before), rtol=1e-5, atol=1e-6)
    assert not torch.allclose(output(after), plain, atol=1e-3)
    assert {name for name, p in after.named_parameters() if p.requires_grad} == {
        name for name, p in before.named_parameters() if p.requires_grad
    }


def test_a_whole_model_goes_on_too(tmp_path: Path) -> None:
    before = changed(lora.adapted(backbone(), settings(adapter="full")))
    lora.save(before, tmp_path)
    base = backbone()
    after = lora.adapted(base, settings(adapter="full", **{"from": str(tmp_path)}))
    assert after is base.transformers[EXPERT]
    found, trained = after.state_dict(), before.state_dict()
    assert found.keys() == trained.keys()
    assert all(torch.equal(found[name], trained[name]) for name in trained)
    # Not bit for bit: some processors round otherwise where tensors of a file lie in memory.
    torch.testing.assert_close(output(after.eval()), output(before), rtol=1e-5, atol=1e-6)
    assert all(parameter.requires_grad for parameter in after.parameters())


def test_differences_which_a_training_would_lose_are_refused(tmp_path: Path) -> None:
    lora.save(changed(lora.adapted(backbone(), settings())), tmp_path)
    weights = replace(files.read(tmp_path), differences={"blocks.0.attn1.to_q.bias": torch.ones(24)})
    files.write(weights, tmp_path / "few.safetensors", "comfyui")
    with pytest.raises(
        ValueError, match=r"differences of 1 parameters.*blocks\.0\.attn1\.to_q\.bias.*expected a plain LoRA"
    ):
        lora.adapted(backbone(), settings(**{"from": str(tmp_path / "few.safetensors")}))


def test_a_lora_of_another_model_is_refused(tmp_path: Path) -> None:
    lora.save(changed(lora.adapted(backbone(), settings())), tmp_path)
    other = backbone()
    del other.transformers[EXPERT].blocks[1]
    with pytest.raises(ValueError, match="the LoRA does not fit the model"):
        lora.adapted(other, settings(**{"from": str(tmp_path)}))


def test_what_a_signal_adds_is_trained_along_and_kept(tmp_path: Path) -> None:
    model = changed(lora.adapted(backbone(signal=True), settings(with_signal=True)))
    trained = {name for name, parameter in added(model).items() if parameter.requires_grad}
    assert trained == set(added(model))
    lora.save(model, tmp_path)
    given = poses()
    loaded = lora.load(backbone(signal=True), [Lora(tmp_path)])
    assert torch.equal(output(loaded, given), output(model, given))
    assert not torch.equal(output(loaded, given), output(loaded))
    kept = load_file(tmp_path / "lora" / files.EXTRA)
    assert all(key.startswith("dwpose_embedding.") for key in kept)


def test_it_stays_beside_the_lora_where_that_is_trained_alone(tmp_path: Path) -> None:
    first = changed(lora.adapted(backbone(signal=True), settings(with_signal=True)))
    lora.save(first, tmp_path / "first")
    second = lora.adapted(backbone(signal=True), settings(**{"from": str(tmp_path / "first")}))
    assert not any(parameter.requires_grad for parameter in added(second).values())
    lora.save(changed(second), tmp_path / "second")
    kept, was = (files.read(tmp_path / name).extra for name in ("second", "first"))
    assert kept.keys() == was.keys()
    assert all(torch.equal(kept[key], was[key]) for key in kept)


def test_a_file_of_the_authors_holds_both(tmp_path: Path) -> None:
    model = changed(lora.adapted(backbone(signal=True), settings(with_signal=True)))
    lora.save(model, tmp_path)
    file = tmp_path / "svi-dance.safetensors"
    files.write(files.read(tmp_path), file, "svi1")
    given = poses()
    loaded = lora.load(backbone(signal=True), [Lora(file)])
    torch.testing.assert_close(output(loaded, given), output(model, given), rtol=1e-5, atol=1e-6)


def test_a_transformer_that_follows_nothing_says_what_it_leaves_out(tmp_path: Path) -> None:
    lora.save(changed(lora.adapted(backbone(signal=True), settings(with_signal=True))), tmp_path)
    with pytest.warns(UserWarning, match=r"beside the LoRA and not used: dwpose_embedding\.0\.bias"):
        lora.load(backbone(), [Lora(tmp_path)])


def test_a_share_of_what_was_trained_along(tmp_path: Path) -> None:
    lora.save(changed(lora.adapted(backbone(signal=True), settings(with_signal=True))), tmp_path)
    given = poses()
    whole, half, none = (lora.load(backbone(signal=True), [Lora(tmp_path, share)]) for share in (1.0, 0.5, 0.0))
    assert torch.equal(output(none, given), output(backbone(signal=True).transformers[EXPERT], given))
    start = backbone(signal=True).transformers[EXPERT]
    for name, end in added(whole).items():
        torch.testing.assert_close(added(half)[name], (end + added(start)[name]) / 2)


def test_a_lora_stays_out_of_what_a_signal_adds(tmp_path: Path) -> None:
    """Whose layers may have names that a LoRA's targets end with."""
    base = backbone(signal=True)
    base.transformers[EXPERT].pose.to_q = nn.Linear(4, 4)
    model = changed(lora.adapted(base, settings()))
    lora.save(model, tmp_path)
    usual = lora.adapted(backbone(), settings())
    names = [name for name, parameter in usual.named_parameters() if parameter.requires_grad]
    assert [name for name, parameter in model.named_parameters() if parameter.requires_grad] == names
