"""Background consistency and aesthetic quality: CLIP's tower from OpenAI's file, its images, and what is made of them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.vbench.aesthetic import AestheticQuality
from benchmarks.vbench.background import BackgroundConsistency
from benchmarks.vbench.clip import ClipImages, ClipTower
from benchmarks.vbench.dimension import VideoInfo
from benchmarks.vbench.files import VIT_B_32
from tests.benchmarks.vbench.vbench_videos import moving_frames
from tests.benchmarks.vbench.vbench_weights import clip_tensors, write_clip_b, write_clip_l

WIDTH, LAYERS = 128, 2


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small towers under the published names."""
    folder = tmp_path_factory.mktemp("cache")
    write_clip_b(folder, WIDTH, LAYERS)
    write_clip_l(folder, WIDTH, LAYERS)
    return folder


@pytest.fixture(autouse=True)
def _use_cache(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VBENCH_CACHE_DIR", str(cache))


def written_out(tensors: dict[str, Tensor], images: Tensor) -> Tensor:
    """CLIP's image tower, formula by formula, from OpenAI's tensors."""
    of = {name[7:]: value.float() for name, value in tensors.items() if name.startswith("visual.")}

    def norm(x: Tensor, name: str) -> Tensor:
        return functional.layer_norm(x, (WIDTH,), of[f"{name}.weight"], of[f"{name}.bias"])

    def linear(x: Tensor, name: str, mark: str = ".") -> Tensor:
        return x @ of[f"{name}{mark}weight"].T + of[f"{name}{mark}bias"]

    patches = functional.conv2d(images, of["conv1.weight"], stride=32).flatten(2).transpose(1, 2)
    tokens = torch.cat([of["class_embedding"].expand(len(images), 1, WIDTH), patches], dim=1)
    tokens = norm(tokens + of["positional_embedding"], "ln_pre")
    for layer in range(LAYERS):
        block = f"transformer.resblocks.{layer}"
        q, k, v = (
            part.unflatten(-1, (2, 64)).transpose(1, 2)
            for part in linear(norm(tokens, f"{block}.ln_1"), f"{block}.attn.in_proj", "_").chunk(3, dim=-1)
        )
        mixed = ((q @ k.transpose(-1, -2) / 8).softmax(-1) @ v).transpose(1, 2).flatten(2)
        tokens = tokens + linear(mixed, f"{block}.attn.out_proj")
        hidden = linear(norm(tokens, f"{block}.ln_2"), f"{block}.mlp.c_fc")
        tokens = tokens + linear(hidden * torch.sigmoid(1.702 * hidden), f"{block}.mlp.c_proj")
    return norm(tokens[:, 0], "ln_post") @ of["proj"]


def test_the_tower_is_clips() -> None:
    images = torch.randn(3, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    expected = written_out(clip_tensors(WIDTH, LAYERS, 32, 512, seed=2), images)
    torch.testing.assert_close(ClipTower(VIT_B_32).encode(images), expected, atol=2e-5, rtol=0)


@pytest.mark.parametrize(("height", "width"), [(224, 224), (90, 161), (300, 131)])
def test_images_are_the_middle_square(height: int, width: int) -> None:
    frames = np.full((1, height, width, 3), 255, np.uint8)
    images = ClipImages().of(frames)
    assert images.shape == (1, 3, 224, 224)
    white = torch.tensor([(1 - 0.48145466) / 0.26862954, (1 - 0.4578275) / 0.26130258, (1 - 0.40821073) / 0.27577711])
    torch.testing.assert_close(images.amax(dim=(0, 2, 3)), white)


def test_images_are_made_once_a_block() -> None:
    images = ClipImages()
    first, second = moving_frames(2, 32, 32), moving_frames(2, 32, 32, seed=1)
    assert images.of(first) is images.of(first)
    changed = images.of(second)
    assert not torch.equal(changed, images.of(first))
    assert torch.equal(changed, images.of(second))


def test_dimensions_that_share_their_images_score_as_alone() -> None:
    shared = ClipImages()
    together = [BackgroundConsistency.load(images=shared), AestheticQuality.load(images=shared)]
    alone = [BackgroundConsistency.load(), AestheticQuality.load()]
    frames = moving_frames(6, 40, 56)
    for dimension in (*together, *alone):
        dimension.begin(VideoInfo("a", 16, 6, 40, 56))
    for start in (0, 2, 4):
        block = frames[start : start + 2]
        for dimension in (*together, *alone):
            dimension.feed(block)
    for one, other in zip(together, alone, strict=True):
        ours, theirs = one.end(), other.end()
        np.testing.assert_array_equal(ours.frames, theirs.frames)
        assert ours.value == theirs.value
        assert (ours.weight, len(ours.frames)) == ((5, 6) if one.name == "background_consistency" else (1, 6))


def test_background_consistency_is_high_only_while_the_scene_stays() -> None:
    dimension = BackgroundConsistency.load()
    frames = moving_frames(8, 40, 56)  # another texture from frame 4
    dimension.begin(VideoInfo("a", 16, 8, 40, 56))
    dimension.feed(frames)
    score = dimension.end()
    assert int(np.nanargmin(score.frames)) == 4
    assert score.value == pytest.approx(np.nanmean(score.frames))


def test_aesthetic_quality_is_a_tenth_of_the_mean_rating() -> None:
    tower = ClipTower(VIT_B_32)
    linear = nn.Linear(512, 1).requires_grad_(False)
    frames = moving_frames(5, 40, 56)
    dimension = AestheticQuality(tower, linear, ClipImages())
    dimension.begin(VideoInfo("a", 16, 5, 40, 56))
    dimension.feed(frames[:2])
    dimension.feed(frames[2:])
    score = dimension.end()
    features = tower.encode(ClipImages().of(frames)).double().numpy()
    ratings = features / np.linalg.norm(features, axis=1, keepdims=True) @ linear.weight[0].double().numpy()
    np.testing.assert_allclose(score.frames, (ratings + linear.bias.item()) / 10, atol=1e-6)
    assert (score.value, score.weight) == (score.frames.mean(), 1)
