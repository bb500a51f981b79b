"""How transformers are run, on a tiny Wan with two experts, adapted by LoRA or not."""

import os
from collections.abc import Iterator
from pathlib import Path
from shutil import which

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import Tensor, nn

from svi.backbones import speed
from svi.backbones.wan import WanBackbone
from svi.backbones.wrapped import bare
from svi.generation.denoiser import Denoiser, Given
from svi.settings import BackboneSettings, DataSettings, GenerateSettings, SpeedSettings
from tests.svi.wan_folder import TEXT_DIM, WanFolder

torch.set_num_threads(1)

CPU = torch.device("cpu")
STEPS = 12
CACHES = ("first_block", "taylorseer")


@pytest.fixture(scope="module")
def folder(wan_folder: WanFolder) -> Path:
    return wan_folder("wan2.2-i2v")


def load(folder: Path) -> WanBackbone:
    return WanBackbone.load(folder, BackboneSettings(name="folder"), DataSettings(height=32, width=32, clip_frames=9))


@pytest.fixture
def backbone(folder: Path) -> WanBackbone:
    return load(folder)


def adapted(backbone: WanBackbone) -> dict[str, nn.Module]:
    """A LoRA that does something on every expert."""
    config = LoraConfig(r=2, lora_alpha=2, target_modules=list(backbone.lora_targets), init_lora_weights=False)
    torch.manual_seed(0)
    return {e: get_peft_model(model, config) for e, model in backbone.transformers.items()}  # type: ignore[arg-type]


@pytest.fixture(params=["plain", "lora"])
def models(request: pytest.FixtureRequest, backbone: WanBackbone) -> dict[str, nn.Module]:
    return backbone.transformers if request.param == "plain" else adapted(backbone)


def draw(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def condition(backbone: WanBackbone) -> dict[str, Tensor]:
    c, *rest = backbone.latent_shape
    return {"latents": draw(1, c + 4, *rest, seed=1)}


def clip(backbone: WanBackbone, models: dict[str, nn.Module], seed: int = 2, steps: int = STEPS) -> Tensor:
    """Guided; neither text encoder nor VAE is needed."""
    denoiser = Denoiser(backbone, models, GenerateSettings(steps=steps, guidance=3.0))
    text, negative = (draw(1, 8, TEXT_DIM, seed=s) for s in (3, 4))
    return denoiser.clip(Given(condition(backbone), text, negative), draw(1, *backbone.latent_shape, seed=seed))


def calls_of_last_block(models: dict[str, nn.Module]) -> list[int]:
    """Counts the feed-forward layers of last blocks: what a cache skips."""
    calls = [0]

    def count(*_: object) -> None:
        calls[0] += 1

    for model in models.values():
        bare(model).blocks[-1].ffn.register_forward_hook(count)
    return calls


@pytest.mark.parametrize("cache", CACHES)
def test_a_cache_skips_work_and_stays_close(backbone: WanBackbone, models: dict[str, nn.Module], cache: str) -> None:
    calls = calls_of_last_block(models)
    plain = clip(backbone, models)
    assert calls == [2 * STEPS]
    speed.prepare(models, SpeedSettings(cache=cache, cache_threshold=0.1), CPU)
    cached = clip(backbone, models)
    assert 4 <= calls[0] - 2 * STEPS < 2 * STEPS - 4
    assert 0 < (cached - plain).abs().mean() < 0.2 * plain.std()


def test_first_block_cache_without_tolerance_changes_nothing(
    backbone: WanBackbone, models: dict[str, nn.Module]
) -> None:
    plain = clip(backbone, models)
    speed.prepare(models, SpeedSettings(cache="first_block", cache_threshold=1e-9), CPU)
    assert torch.equal(plain, clip(backbone, models))


@pytest.mark.parametrize("cache", CACHES)
def test_a_cache_forgets_between_clips(backbone: WanBackbone, models: dict[str, nn.Module], cache: str) -> None:
    """A clip does not depend on what was made before it: else a resumed film would be another one."""
    speed.prepare(models, SpeedSettings(cache=cache, cache_threshold=0.3), CPU)
    first = clip(backbone, models, seed=5)
    clip(backbone, models, seed=6)
    assert torch.equal(first, clip(backbone, models, seed=5))


@pytest.mark.parametrize("cache", CACHES)
def test_a_cache_keeps_the_branches_apart(folder: Path, cache: str) -> None:
    """What the conditional branch gives does not depend on the unconditional one running between its steps."""

    def walk(branches: tuple[str, ...]) -> list[Tensor]:
        backbone = load(folder)
        model = speed.prepare(backbone.transformers, SpeedSettings(cache=cache, cache_threshold=0.3), CPU)[
            "transformer"
        ]
        given, noise, data = condition(backbone), *(draw(1, *backbone.latent_shape, seed=s) for s in (7, 8))
        text = {"cond": draw(1, 8, TEXT_DIM, seed=3), "uncond": draw(1, 8, TEXT_DIM, seed=4)}
        out = []
        for step in range(STEPS):
            t = torch.tensor([step / STEPS], dtype=torch.float64)
            x = (t * data + (1 - t) * noise).float()
            with torch.no_grad():
                out.append({b: backbone.velocity(model, x, t, given, text[b], b) for b in branches}["cond"])
        return out

    alone, beside = walk(("cond",)), walk(("cond", "uncond"))
    assert all(torch.equal(a, b) for a, b in zip(alone, beside, strict=True))


@pytest.mark.parametrize(("weights", "dtype"), [("fp8", torch.float8_e4m3fn), ("int8", torch.int8)])
def test_small_weights(backbone: WanBackbone, models: dict[str, nn.Module], weights: str, dtype: torch.dtype) -> None:
    """Linear layers take a byte a number, adapters and norms do not; the clip stays close."""
    if weights == "int8":
        pytest.importorskip("torchao")
    plain = clip(backbone, models)
    speed.prepare(models, SpeedSettings(weights=weights), CPU)
    small = clip(backbone, models)
    assert 0 < (small - plain).abs().mean() < 0.1 * plain.std()
    for model in models.values():
        layers = {name: module for name, module in bare(model).blocks.named_modules() if isinstance(module, nn.Linear)}
        base = [module for name, module in layers.items() if "lora_" not in name]
        assert len(base) >= 2 * 10
        assert all(getattr(module.weight, "qdata", module.weight).dtype == dtype for module in base)
        lora = [module for name, module in layers.items() if "lora_" in name]
        assert all(type(module.weight) is nn.Parameter and module.weight.dtype == torch.float32 for module in lora)
        assert bare(model).blocks[0].attn1.norm_q.weight.dtype == torch.float32


@pytest.mark.parametrize("offload", ["model", "group"])
@pytest.mark.parametrize("weights", ["as is", "fp8"])
def test_offloading_changes_nothing(
    backbone: WanBackbone, models: dict[str, nn.Module], offload: str, weights: str
) -> None:
    """The hooks, with the CPU in the GPU's place."""
    speed.prepare(models, SpeedSettings(weights=weights), CPU)
    plain = clip(backbone, models, steps=3)
    speed.put(models, offload, CPU)
    assert torch.equal(plain, clip(backbone, models, steps=3))
    assert torch.equal(plain, clip(backbone, models, steps=3))


@pytest.fixture
def compiler() -> Iterator[None]:
    torch.compiler.reset()
    yield
    torch.compiler.reset()


@pytest.mark.slow
@pytest.mark.skipif(which(os.environ.get("CXX", "g++")) is None, reason="needs a C++ compiler")
@pytest.mark.usefixtures("compiler")
@pytest.mark.parametrize(
    "others", [{}, {"weights": "fp8"}, {"weights": "int8"}, {"cache": "first_block"}, {"cache": "taylorseer"}]
)
def test_compiled_blocks(backbone: WanBackbone, models: dict[str, nn.Module], others: dict[str, str]) -> None:
    speed.prepare(models, SpeedSettings(**others), CPU)
    plain = clip(backbone, models, steps=6)
    for model in models.values():
        speed.kernels(model, SpeedSettings(compile=True), CPU)
    torch.testing.assert_close(clip(backbone, models, steps=6), plain, atol=1e-3, rtol=1e-3)


def test_attention_on_a_cpu_is_torchs(backbone: WanBackbone) -> None:
    plain = clip(backbone, backbone.transformers, steps=2)
    for attention in ("auto", "sdpa"):
        speed.prepare(backbone.transformers, SpeedSettings(attention=attention), CPU)
        assert bare(backbone.transformers["transformer"]).blocks[0].attn1.processor._attention_backend == "native"
        assert torch.equal(plain, clip(backbone, backbone.transformers, steps=2))


def test_nothing_to_compile_with(models: dict[str, nn.Module], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ValueError, match=r"needs a C\+\+ compiler"):
        speed.prepare(models, SpeedSettings(compile=True), CPU)


@pytest.mark.parametrize(
    ("missing", "settings", "message"),
    [
        ("flash_attn", {"attention": "flash"}, r"pip install 'svi-harness\[flash-attn\]'"),
        ("torchao", {"weights": "int8"}, r"pip install 'svi-harness\[quant\]'"),
        (None, {"offload": "group"}, "no GPU here; set speed.offload=none"),
        (None, {"offload": "model"}, "no GPU here; set speed.offload=none"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_changes(
    backbone: WanBackbone,
    monkeypatch: pytest.MonkeyPatch,
    missing: str | None,
    settings: dict[str, str],
    message: str,
) -> None:
    monkeypatch.setattr(speed, "find_spec", lambda name: None if name == missing else object())
    before = clip(backbone, backbone.transformers, steps=1)
    with pytest.raises(ValueError, match=message):
        speed.prepare(backbone.transformers, SpeedSettings(**settings), CPU)
    assert torch.equal(before, clip(backbone, backbone.transformers, steps=1))


def test_flash_attention_needs_a_gpu(backbone: WanBackbone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "find_spec", lambda name: object())
    with pytest.raises(ValueError, match=r"received torch.float32 on cpu: set speed.attention=sdpa"):
        speed.prepare(backbone.transformers, SpeedSettings(attention="flash"), CPU)


def test_one_block_leaves_nothing_to_skip(backbone: WanBackbone) -> None:
    model = bare(backbone.transformers["transformer"])
    model.blocks = nn.ModuleList([model.blocks[0]])
    with pytest.raises(ValueError, match="transformer has one block"):
        speed.prepare(backbone.transformers, SpeedSettings(cache="first_block"), CPU)


@pytest.mark.gpu
@pytest.mark.parametrize(
    "settings", [{"offload": "model"}, {"offload": "group"}, {"offload": "group", "weights": "fp8"}]
)
def test_offloading_on_a_gpu(folder: Path, settings: dict[str, str]) -> None:
    stored = {"weights": settings["weights"]} if "weights" in settings else {}
    plain, other = load(folder), load(folder)
    speed.prepare(plain.transformers, SpeedSettings(**stored))
    speed.prepare(other.transformers, SpeedSettings(**settings))
    wanted = clip(plain, plain.transformers)
    for _ in range(2):
        torch.testing.assert_close(clip(other, other.transformers), wanted)
    assert all(p.device.type == "cpu" for model in other.transformers.values() for p in model.parameters())
