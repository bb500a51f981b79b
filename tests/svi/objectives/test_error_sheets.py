"""Errors to be looked at: what is kept of a bank, and the pictures that are made of it and of a model's own."""

from pathlib import Path

import numpy as np
import pytest
import torch

from svi.artifacts import ERRORS
from svi.backbones.tiny import TinyBackbone
from svi.bank.bank import ErrorBank
from svi.data.cache import LatentCache
from svi.error_settings import BankSettings, InjectionSettings
from svi.method.draws import keyed
from svi.objectives.error_sheets import FRAMES, KEPT, injected_sheet, keep_errors, own_errors, own_sheet

TIMES = torch.linspace(0.05, 0.95, 10)
CASES = [(0, 0.2), (0, 0.8), (3, 0.5)]


def filled(folder: Path, shape: tuple[int, ...], slots: range) -> ErrorBank:
    """Two entries in each of these slots: residuals of one value, the slot's number."""
    bank = ErrorBank(10, shape, BankSettings(capacity=4), folder)
    for slot in slots:
        for _ in range(2):
            bank.add(slot, torch.full((1, *shape), float(slot)), float(TIMES[slot]), keyed("x"))
    return bank


@pytest.mark.parametrize(("slots", "count"), [(range(10), KEPT), (range(4, 7), 3), (range(0), 0)])
def test_a_few_errors_are_kept_of_slots_from_end_to_end(slots: range, count: int, tmp_path: Path) -> None:
    bank = filled(tmp_path, (2, 5, 3, 4), slots)
    keep_errors(bank, TIMES, 0, tmp_path)
    bank.close(remove=True)
    with np.load(tmp_path / ERRORS) as kept:
        vid, t = kept["vid"], kept["t"]
    assert len(vid) == len(t) == count
    if count:
        assert vid.shape == (count, 2, FRAMES, 3, 4)
        assert (t[0], t[-1]) == (pytest.approx(float(TIMES[slots[0]])), pytest.approx(float(TIMES[slots[-1]])))
        np.testing.assert_allclose(vid[-1], (1 - t[-1]) * slots[-1], rtol=1e-3)
    assert [file.name for file in tmp_path.iterdir()] == [ERRORS]


def test_an_error_is_what_a_step_misses_the_clip_by(backbone: TinyBackbone, cache: LatentCache) -> None:
    errors = own_errors(backbone, backbone.transformers, cache, CASES)
    assert torch.equal(errors, own_errors(backbone, backbone.transformers, cache, CASES))
    clean = cache.batch([0, 0, 3], [False] * 3, [0] * 3)
    t = torch.tensor([time for _, time in CASES])
    noise = torch.stack([torch.randn(backbone.latent_shape, generator=keyed("shown", clip)) for clip, _ in CASES])
    x_t = t.view(-1, 1, 1, 1, 1) * clean.latents + (1 - t).view(-1, 1, 1, 1, 1) * noise
    with torch.no_grad():
        v = backbone.velocity(backbone.transformers["transformer"], x_t, t, clean.condition, clean.text)
    torch.testing.assert_close(clean.latents + errors, x_t + (1 - t).view(-1, 1, 1, 1, 1) * v, rtol=1e-3, atol=1e-4)


def test_pictures_of_a_models_own_errors(backbone: TinyBackbone, cache: LatentCache) -> None:
    before = own_errors(backbone, backbone.transformers, cache, CASES)
    sheet = own_sheet(backbone, cache, CASES, before, torch.zeros_like(before))
    pictures = dict(zip(sheet.rows, sheet.pictures, strict=True))
    assert sheet.pictures.shape == (5, 3, 16, 16, 3)
    assert np.array_equal(pictures["predicted after"], pictures["clip"])
    assert (pictures["error after"] == 128).all()
    assert not np.array_equal(pictures["predicted before"], pictures["clip"])
    assert pictures["error before"].std() > 0
    size = float(before[0].square().mean().sqrt())
    assert sheet.columns[0] == f"t = 0.2\nRMS {size:.2f} to 0.00"


@pytest.mark.parametrize("spread", ["head", "tile"])
def test_pictures_of_injected_errors(spread: str, backbone: TinyBackbone, cache: LatentCache) -> None:
    vid = torch.zeros(2, 8, FRAMES, 4, 4)
    vid[1] = 0.5
    settings = InjectionSettings.model_validate({"img_run": 5, "img_spread": spread})
    sheet = injected_sheet(backbone, cache, settings, vid, [0.1, 0.9])
    condition, injected, error = sheet.pictures
    assert sheet.columns == ("error of t = 0.1", "error of t = 0.9")
    assert np.array_equal(condition[0], condition[1])
    assert np.array_equal(injected[0], condition[0])
    assert not np.array_equal(injected[1], condition[1])
    assert (error[0] == 128).all()
    expected = condition[1].astype(int) + error[1] - 128
    assert np.array_equal(expected[(error[1] > 0) & (error[1] < 255)], injected[1][(error[1] > 0) & (error[1] < 255)])
