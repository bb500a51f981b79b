"""The latent cache: what it holds, resuming, full disks, files that cannot be decoded, memory."""

import contextlib
import json
import multiprocessing
import os
import resource
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import ClassVar

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from svi.backbones.tiny import Codec, TinyBackbone
from svi.backbones.wan import WanBackbone
from svi.data.augment import augmented
from svi.data.cache import LatentCache
from svi.data.cache_writer import write_cache
from svi.data.footage import Clip, Still, VideoFootage, WorldFootage
from svi.frames import Frames
from svi.generation.video import write_mp4
from svi.settings import BackboneSettings, ConditionSettings, DataSettings, TinySettings
from tests.svi.data.videos import make_video, tear
from tests.svi.wan_folder import KINDS, Kind, WanFolder

SHARED = Path(__file__).parents[4] / "shared" / "data" / "svi-toy"
SMALL = DataSettings(clips=10, shard_clips=4, references=3)
DATA = DataSettings(clips=60, height=96, width=96, clip_frames=9, shard_clips=25)  # 249 kB of pixels: blocks of 17
CONDITION = ConditionSettings(motion_frames=3)

torch.set_num_threads(1)


def make_backbone(data: DataSettings) -> TinyBackbone:
    """A codec fitted to noise, and a transformer that nothing asks."""
    settings = TinySettings(layers=1, heads=1, head_dim=12, ffn_dim=16)
    noise = torch.randint(0, 256, (4, 16, 16, 3), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    return TinyBackbone.create(Codec.fit(noise, settings.codec_patch, settings.latent_channels), settings, data)


class Rendered(WorldFootage):
    """The embedded world's clips, each rendered once for all tests."""

    clips: ClassVar[dict[tuple[str, int], Clip]] = {}

    def read(self, i: int) -> Clip:
        if (self.fingerprint, i) not in self.clips:
            self.clips[self.fingerprint, i] = super().read(i)
        return self.clips[self.fingerprint, i]


class Grey:
    """Footage that costs nothing: clip after clip of one grey."""

    fingerprint = "grey"

    def __init__(self, clips: int, data: DataSettings) -> None:
        self.clips, self.shape = clips, (data.clip_frames, data.height, data.width, 3)
        self.skipped: list[tuple[str, str]] = []

    def __len__(self) -> int:
        return self.clips

    def prompt(self, i: int) -> str:
        return "grey"

    def read(self, i: int) -> Clip:
        return Clip(np.full(self.shape, i % 256, np.uint8), "grey")

    def references(self, i: int) -> Frames:
        return self.read(i).frames[:1]

    def held_back(self) -> list[Still]:
        return []


def quiet(done: int, total: int) -> None:
    """No progress."""


def write(folder: Path, data: DataSettings = DATA, progress: Callable[[int, int], None] = quiet) -> dict[str, object]:
    return write_cache(make_backbone(data), Rendered(data), CONDITION, data, folder, progress)


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def in_a_process(task: Callable[[], None]) -> int | None:
    """Its exit status."""
    process = multiprocessing.get_context("fork").Process(target=task)
    process.start()
    process.join()
    return process.exitcode


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Files of a cache that nothing interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    write(folder)
    return contents(folder)


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


def test_what_does_not_change_is_stored_once(tmp_path: Path) -> None:
    condition = ConditionSettings(motion_frames=3, padding=1)
    write_cache(make_backbone(SMALL), Rendered(SMALL), condition, SMALL, tmp_path / "three", quiet)
    shard = load_file(tmp_path / "three" / "clips-00000.safetensors")
    assert {name: tuple(x.shape[:3]) for name, x in shard.items() if name != "prompt"} == {
        "latents": (4, 1, 1),
        "mask": (1, 1, 1),
        "condition.latents": (4, 2, 3),
    }
    one = ConditionSettings(motion_frames=1, padding="zeros")
    write_cache(make_backbone(SMALL), Rendered(SMALL), one, SMALL, tmp_path / "one", quiet)
    assert load_file(tmp_path / "one" / "clips-00000.safetensors")["condition.latents"].shape[:3] == (4, 1, 1)


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


@pytest.mark.parametrize("die_at", [17, 25, 42])
def test_a_killed_run_goes_on_and_gives_the_same_bytes(tmp_path: Path, whole: dict[str, bytes], die_at: int) -> None:
    def die(done: int, total: int) -> None:
        if done >= die_at:
            os._exit(9)

    assert in_a_process(lambda: write(tmp_path, progress=die)) == 9
    with pytest.raises(ValueError, match=r"no finished latent cache: index\.json is missing"):
        LatentCache.open(tmp_path)
    kept = {name: (tmp_path / name).stat().st_mtime_ns for name in contents(tmp_path)}
    assert ("clips-00000.safetensors" in kept) == (die_at > 17)
    write(tmp_path)
    assert contents(tmp_path) == whole
    assert all(
        (tmp_path / name).stat().st_mtime_ns == time for name, time in kept.items()
    )  # and nothing was done twice


def test_only_what_is_torn_is_written_again(tmp_path: Path, whole: dict[str, bytes]) -> None:
    for name, content in whole.items():
        (tmp_path / name).write_bytes(content)
    torn = tmp_path / "clips-00001.safetensors"
    torn.write_bytes(whole[torn.name][:-100])
    cache = LatentCache.open(tmp_path)
    assert len(cache.batch([10], [False], [0]).latents) == 1
    with pytest.raises(ValueError, match=r"clips-00001\.safetensors is damaged .* delete index\.json"):
        cache.batch([30], [False], [0])
    (tmp_path / "index.json").unlink()
    (tmp_path / "clips-00002.safetensors").unlink()
    (tmp_path / ".5f3e.part").write_bytes(b"half")
    before = (tmp_path / "clips-00000.safetensors").stat().st_mtime_ns
    write(tmp_path)
    assert contents(tmp_path) == whole
    assert (tmp_path / "clips-00000.safetensors").stat().st_mtime_ns == before


def test_a_finished_cache_is_not_written_again(tmp_path: Path, whole: dict[str, bytes]) -> None:
    for name, content in whole.items():
        (tmp_path / name).write_bytes(content)
    calls: list[int] = []
    summary = write(tmp_path, progress=lambda done, total: calls.append(done))
    assert (summary, calls) == ({"clips": 60, "skipped": []}, [])


def test_other_settings_refuse_the_folder_but_other_shards_do_not(tmp_path: Path) -> None:
    backbone = make_backbone(SMALL)
    write_cache(backbone, Rendered(SMALL), CONDITION, SMALL, tmp_path, quiet)
    (tmp_path / "index.json").unlink()
    other = ConditionSettings(motion_frames=2)
    with pytest.raises(ValueError, match=r"condition\.motion_frames was 3, now it is 2\. Write to another folder"):
        write_cache(backbone, Rendered(SMALL), other, SMALL, tmp_path, quiet)
    fewer = SMALL.model_copy(update={"clips": 9})
    with pytest.raises(ValueError, match="something else: footage was"):
        write_cache(backbone, WorldFootage(fewer), CONDITION, fewer, tmp_path, quiet)
    larger = SMALL.model_copy(update={"shard_clips": 5})
    write_cache(backbone, WorldFootage(larger), CONDITION, larger, tmp_path, quiet)
    assert json.loads((tmp_path / "index.json").read_text())["shards"] == [4, 4, 2]


def test_too_little_space_is_said_before_anything_is_encoded(tmp_path: Path) -> None:
    data = DATA.model_copy(update={"height": 1024, "width": 1024})
    needed = r"the latent cache \(100000 clips still to encode, 56\.\d MB each\) needs 5\.\d TB, but only .* are free"
    with pytest.raises(ValueError, match=needed + ".*--store, or set fewer data.clips, a larger data.hop"):
        write_cache(make_backbone(data), Grey(10**5, data), CONDITION, data, tmp_path, quiet)
    assert list(contents(tmp_path)) == ["plan.json"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", folder], capture_output=True).returncode:
        pytest.skip("no right to mount a file system")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_disk_that_fills_up_on_the_way(small_disk: Path, whole: dict[str, bytes]) -> None:
    folder, filler = small_disk / "cache", small_disk / "filler"

    def fill(done: int, total: int) -> None:
        if done == 25:  # somebody else needs the disk as well
            with contextlib.suppress(OSError), filler.open("wb") as out:
                while True:
                    out.write(bytes(2**16))

    with pytest.raises(ValueError, match=r"the disk is full at .* \(No space left on device\): 25 of 60 clips are in"):
        write(folder, progress=fill)
    assert contents(folder).items() <= whole.items()
    assert set(whole) - set(contents(folder)) == {"clips-00001.safetensors", "clips-00002.safetensors", "index.json"}
    filler.unlink()
    write(folder)
    assert contents(folder) == whole


def test_a_limit_on_the_size_of_files(tmp_path: Path, whole: dict[str, bytes]) -> None:
    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))
        with pytest.raises(
            ValueError, match=r"the disk is full at .* \(File too large\): 0 of 60 clips are in the latent"
        ):
            write(tmp_path)

    assert in_a_process(limited) == 0
    assert contents(tmp_path).items() <= whole.items()
    write(tmp_path)
    assert contents(tmp_path) == whole


def anonymous() -> int:
    """Bytes of this process's memory that are no file's."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(lines["RssAnon"].split()[0]) * 1024


def test_memory_stays_flat(tmp_path: Path) -> None:
    data = DATA.model_copy(update={"shard_clips": 8})

    def measured() -> None:
        used: list[int] = []
        footage = Grey(400, data)
        write_cache(
            make_backbone(data), footage, CONDITION, data, tmp_path, lambda done, total: used.append(anonymous())
        )
        cache, reading = LatentCache.open(tmp_path), [anonymous()]
        for row in range(len(cache)):
            cache.batch([row], [False], [0])
            reading.append(anonymous())
        assert sum(map(len, contents(tmp_path).values())) > 190e6
        # Against the second quarter: the first ones warm up the allocator, single values are noise of its arenas.
        for values, most in ((used, 20e6), (reading, 10e6)):
            quarter = len(values) // 4
            assert median(values[-quarter:]) - median(values[quarter : 2 * quarter]) < most

    assert in_a_process(measured) == 0


def test_clips_that_cannot_be_decoded_are_left_out_and_their_files_listed(tmp_path: Path) -> None:
    cats = tmp_path / "videos" / "Cats"
    cats.mkdir(parents=True)
    make_video(cats / "fine.mp4", frames=30)
    noise = np.random.default_rng(0).integers(0, 255, (200, 16, 24, 3)).astype(np.uint8)
    write_mp4(tmp_path / "whole.mp4", noise, 16, 16, 24)
    tear(cats / "torn.mp4", tmp_path / "whole.mp4", 0.5, 0.7)
    (cats / "broken.mp4").write_bytes(b"x")
    data = DataSettings(height=16, width=24, hop=5, shard_clips=4)
    footage, folder = VideoFootage(tmp_path / "videos", data), tmp_path / "cache"
    assert len(footage) == 20
    summary = write_cache(make_backbone(data), footage, CONDITION, data, folder, quiet)
    (broken, _), (torn, why) = summary["skipped"]
    assert (broken, torn) == ("Cats/broken.mp4", "Cats/torn.mp4")
    left_out = 20 - int(str(summary["clips"]))
    assert 6 <= left_out <= 12
    assert why.endswith(f"({left_out} clips left out)")
    cache = LatentCache.open(folder)
    assert len(cache) == summary["clips"]
    rows = [0, 1, 2, 3, 4, 5]  # both clips of fine.mp4, then torn.mp4's
    frames = torch.from_numpy(np.stack([footage.read(row).frames for row in rows]))
    assert torch.equal(cache.batch(rows, [False] * 6, [0] * 6).latents, make_backbone(data).encode(frames))
    assert write_cache(make_backbone(data), footage, CONDITION, data, folder, quiet) == summary


def test_videos_of_which_nothing_can_be_decoded(tmp_path: Path) -> None:
    (tmp_path / "Cats").mkdir()
    make_video(tmp_path / "Cats" / "gone.mp4")
    footage = VideoFootage(tmp_path, DataSettings(height=16, width=24))
    (tmp_path / "Cats" / "gone.mp4").write_bytes(b"")
    data = DataSettings(height=16, width=24)
    with pytest.raises(ValueError, match=r"none of the 15 clips can be decoded \(Cats/gone\.mp4: unreadable"):
        write_cache(make_backbone(data), footage, CONDITION, data, tmp_path / "cache", quiet)


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
