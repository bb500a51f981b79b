"""The latent cache: what a batch holds."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from svi.backbones.wan import WanBackbone
from svi.data.augment import augmented
from svi.data.cache import LatentCache
from svi.data.cache_writer import write_cache
from svi.data.footage import VideoFootage, WorldFootage
from svi.generation.video import write_mp4
from svi.settings import BackboneSettings, ConditionSettings, DataSettings
from tests.svi.data.caches import CONDITION, SMALL, Rendered, contents, make_backbone, quiet
from tests.svi.wan_folder import KINDS, Kind, WanFolder

SHARED = Path(__file__).parents[4] / "shared" / "data" / "svi-toy"

SMALL_PROMPTS = [scene.prompt for scene in WorldFootage(SMALL).scenes]

torch.set_num_threads(1)


@pytest.mark.parametrize("padding", ["zeros", "repeat", "reference", 2])
@pytest.mark.parametrize("motion", [1, 3])
def test_a_batch_is_what_the_backbone_says_of_its_clips(tmp_path: Path, padding: str | int, motion: int) -> None:
    condition = ConditionSettings(motion_frames=motion, padding=padding)
    backbone, footage = make_backbone(SMALL), Rendered(SMALL)
    done = []
    summary = write_cache(backbone, footage, condition, SMALL, tmp_path, lambda n, total: done.append((n, total)))
    cache = LatentCache.open(tmp_path)
    assert summary == {"clips": 10, "skipped": []}
    assert done == [(4, 10), (8, 10), (10, 10)]
    assert len(cache) == 10
    assert cache.references == (1 if padding in ("zeros", "repeat") else 3)
    rows, short = [9, 0, 3, 4, 3], [False, True, False, True, True]
    reference = [k % cache.references for k in (2, 1, 0, 2, 1)]
    batch = cache.batch(rows, short, reference)
    frames = torch.from_numpy(np.stack([footage.read(i).frames for i in rows]))
    assert torch.equal(batch.latents, backbone.encode(frames))
    assert torch.equal(batch.text, backbone.encode_text([footage.prompt(i) for i in rows]))
    for b, (i, s, k) in enumerate(zip(rows, short, reference, strict=True)):
        image = torch.from_numpy(footage.references(i)[[k]])
        expected = backbone.condition(frames[b : b + 1, : 1 if s else motion], image, condition)
        assert torch.equal(batch.condition["latents"][b : b + 1], expected["latents"])


def test_a_batch_is_a_copy(tmp_path: Path) -> None:
    write_cache(make_backbone(SMALL), Rendered(SMALL), CONDITION, SMALL, tmp_path, quiet)
    cache = LatentCache.open(tmp_path)
    batch = cache.batch([1], [False], [0])
    before = batch.latents.clone()
    for tensor in (batch.latents, batch.condition["latents"], batch.text):
        tensor += 1
    assert torch.equal(cache.batch([1], [False], [0]).latents, before)
    assert (tmp_path / "clips-00000.safetensors").read_bytes() == contents(tmp_path)["clips-00000.safetensors"]


@pytest.mark.parametrize("padding", ["repeat", "reference"])
def test_augmented_motion_frames_are_in_the_condition_alone(tmp_path: Path, padding: str) -> None:
    """Each alternative has draws of its own; the clip that is learnt and the reference image stay as they are."""
    data = SMALL.model_copy(update={"augment_motion": True})
    condition = ConditionSettings(motion_frames=2, padding=padding)
    backbone, footage = make_backbone(data), Rendered(data)
    write_cache(backbone, footage, condition, data, tmp_path, quiet)
    cache = LatentCache.open(tmp_path)
    assert cache.references == 3
    for i in (0, 5, 9):
        batch = cache.batch([i] * 4, [False, True, False, False], [0, 0, 1, 2])
        frames = footage.read(i).frames
        assert torch.equal(batch.latents[:1], backbone.encode(torch.from_numpy(frames)[None]))
        for b, (m, k) in enumerate([(2, 0), (1, 0), (2, 1), (2, 2)]):
            image, motion = torch.from_numpy(footage.references(i)[[k]]), augmented(frames[:2], data.seed, i, k)
            expected = backbone.condition(motion[None, :m], image, condition)
            assert torch.equal(batch.condition["latents"][b : b + 1], expected["latents"])
        first = batch.condition["latents"][:, :, 0]
        assert len({tuple(x.flatten().tolist()) for x in first}) > 1
    with pytest.raises(ValueError, match=r"data\.augment_motion was True, now it is None"):
        write_cache(backbone, footage, condition, SMALL, tmp_path, quiet)


def test_behind_an_anchor_clip_and_condition_start_with_it(tmp_path: Path) -> None:
    condition = ConditionSettings(motion_frames=2, anchor=True, padding="zeros")
    backbone, footage = make_backbone(SMALL), Rendered(SMALL)
    write_cache(backbone, footage, condition, SMALL, tmp_path, quiet)
    cache = LatentCache.open(tmp_path)
    batch = cache.batch([5, 5], [False, True], [2, 1])
    own = backbone.encode(torch.from_numpy(footage.read(5).frames)[None])[0]
    anchors = backbone.encode(torch.from_numpy(footage.references(5))[:, None])[:, :, 0]
    assert torch.equal(batch.latents[:, :, 0], anchors[[2, 1]])
    assert torch.equal(batch.latents[:, :, 1:], own[None, :, 1:].repeat(2, 1, 1, 1, 1))
    known = batch.condition["latents"][:, 4:]
    assert torch.equal(known[0, :, :3], batch.latents[0, :, :3])
    assert torch.equal(known[1, :, :2], batch.latents[1, :, :2])
    assert not known[0, :, 3:].any()
    assert not known[1, :, 2:].any()


def test_half_precision(tmp_path: Path) -> None:
    backbone, footage = make_backbone(SMALL), Rendered(SMALL)
    half = SMALL.model_copy(update={"dtype": "bfloat16"})
    write_cache(backbone, footage, CONDITION, half, tmp_path, quiet)
    batch = LatentCache.open(tmp_path).batch([2], [False], [0])
    exact = backbone.encode(torch.from_numpy(footage.read(2).frames)[None])
    assert batch.latents.dtype == batch.condition["latents"].dtype == batch.text.dtype == torch.float32
    assert torch.equal(batch.latents, exact.bfloat16().float())


@pytest.mark.skipif(not SHARED.is_dir(), reason="no sample data beside the checkout")
def test_real_videos(tmp_path: Path) -> None:
    data = DataSettings(height=24, width=40, hop=4, references=2, shard_clips=8)
    condition = ConditionSettings(motion_frames=2, padding="reference")
    backbone, footage = make_backbone(data), VideoFootage(SHARED / "train", data)
    summary = write_cache(backbone, footage, condition, data, tmp_path, quiet)
    assert summary == {"clips": len(footage), "skipped": []}
    last = len(footage) - 1
    batch = LatentCache.open(tmp_path).batch([0, last], [False, True], [1, 0])
    frames = torch.from_numpy(np.stack([footage.read(0).frames, footage.read(last).frames]))
    assert torch.equal(batch.latents, backbone.encode(frames))
    image = torch.from_numpy(footage.references(0)[[1]])
    assert torch.equal(batch.condition["latents"][:1], backbone.condition(frames[:1, :2], image, condition)["latents"])
    assert torch.equal(batch.text, backbone.encode_text([footage.prompt(0), footage.prompt(last)]))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shown", [{"padding": "zeros"}, {"padding": "zeros", "anchor": True, "motion_frames": 4}])
def test_wan(tmp_path: Path, wan_folder: WanFolder, kind: Kind, shown: dict[str, object]) -> None:
    (tmp_path / "videos" / "Cats").mkdir(parents=True)
    noise = np.random.default_rng(0).integers(0, 255, (30, 32, 64, 3)).astype(np.uint8)
    write_mp4(tmp_path / "videos" / "Cats" / "noise.mp4", noise, 8, 32, 64)
    data = DataSettings(height=32, width=64, clip_frames=9, hop=6, references=2)
    condition = ConditionSettings(**shown)
    backbone = WanBackbone.load(wan_folder(kind), BackboneSettings(text_tokens=64), data, experts=())
    footage, folder = VideoFootage(tmp_path / "videos", data), tmp_path / "cache"
    assert write_cache(backbone, footage, condition, data, folder, quiet) == {"clips": 3, "skipped": []}
    cache = LatentCache.open(folder)
    assert cache.references == (2 if condition.anchor else 1)
    batch = cache.batch([2, 0], [False, True], [cache.references - 1, 0])
    prompt = "A video from Cats category"
    assert torch.equal(batch.text, backbone.encode_text([prompt, prompt]))
    assert len(load_file(folder / "text-00000.safetensors")["tokens"]) < 64
    for b, (i, short, k) in enumerate([(2, False, -1), (0, True, 0)]):
        frames = torch.from_numpy(footage.read(i).frames)[None]
        image, latents = torch.from_numpy(footage.references(i)[[k]]), backbone.encode(frames)
        motion = frames[:, : 1 if short else condition.motion_frames]
        expected = backbone.condition(motion, image, condition, latents[:, :, 1:2] if condition.anchor else None)
        assert batch.condition.keys() == expected.keys() == {"latents"} | ({"image"} if kind == "wan2.1-i2v" else set())
        for name, tensor in expected.items():
            assert torch.equal(batch.condition[name][b : b + 1], tensor), name
        first = backbone.encode(image[:, None])[:, :, 0] if condition.anchor else latents[:, :, 0]
        assert torch.equal(batch.latents[b : b + 1, :, 0], first)
        assert torch.equal(batch.latents[b : b + 1, :, 1:], latents[:, :, 1:])
    if kind == "wan2.1-i2v":
        feature = load_file(folder / "clips-00000.safetensors")["condition.image"]
        assert feature.shape[:3] == (3, 1, cache.references)


def test_clip_s_own_view_stays_where_motion_frames_are_augmented(tmp_path: Path, wan_folder: WanFolder) -> None:
    data = DataSettings(height=32, width=64, clip_frames=9, clips=3, references=4, augment_motion=True)
    backbone = WanBackbone.load(wan_folder("wan2.1-i2v"), BackboneSettings(text_tokens=64), data, experts=())
    condition, footage = ConditionSettings(motion_frames=1), WorldFootage(data)
    write_cache(backbone, footage, condition, data, tmp_path, quiet)
    frames = torch.from_numpy(footage.read(0).frames)[None, :1]
    clean = backbone.condition(frames, frames[:, 0], condition)
    batch = LatentCache.open(tmp_path).batch([0] * 4, [False] * 4, [0, 1, 2, 3])
    assert torch.equal(batch.condition["image"], clean["image"].expand(4, -1, -1))
    assert not torch.equal(batch.condition["latents"], clean["latents"].expand(4, -1, -1, -1, -1))
    assert torch.equal(batch.condition["latents"][:, :4], clean["latents"][:, :4].expand(4, -1, -1, -1, -1))
