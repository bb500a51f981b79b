"""Writing the latent cache: resuming, full disks, files that cannot be decoded, memory."""

import contextlib
import json
import multiprocessing
import os
import resource
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from svi.data.cache import LatentCache
from svi.data.cache_writer import help_cache, write_cache
from svi.data.footage import Clip, Still, VideoFootage, WorldFootage
from svi.frames import Frames
from svi.generation.video import write_mp4
from svi.settings import ConditionSettings, DataSettings
from tests.svi.data.caches import CONDITION, SMALL, Rendered, contents, make_backbone, quiet
from tests.svi.data.videos import make_video, tear

DATA = DataSettings(clips=60, height=96, width=96, clip_frames=9, shard_clips=25)  # 249 kB of pixels: blocks of 17

torch.set_num_threads(1)


class Grey:
    """Footage that costs nothing: clip after clip of one grey."""

    fingerprint = "grey"
    files = 0

    def __init__(self, clips: int, data: DataSettings) -> None:
        self.clips, self.shape = clips, (data.clip_frames, data.height, data.width, 3)
        self.skipped: list[tuple[str, str]] = []
        self.notes: list[str] = []

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


def write(folder: Path, data: DataSettings = DATA, progress: Callable[[int, int], None] = quiet) -> dict[str, object]:
    return write_cache(make_backbone(data), Rendered(data), CONDITION, data, folder, progress)


def in_a_process(task: Callable[[], object]) -> int | None:
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


def test_a_cache_is_the_same_whoever_encodes_its_shards(tmp_path: Path) -> None:
    """A helper encodes the second of three shards, once the first process has planned the cache."""
    write(tmp_path / "alone", DATA)
    helped: list[set[str]] = []

    def others() -> None:
        before = set(contents(tmp_path / "shared"))
        help_cache(make_backbone(DATA), Rendered(DATA), CONDITION, DATA, tmp_path / "shared", slice(1, None, 2))
        helped.append(set(contents(tmp_path / "shared")) - before)

    (tmp_path / "shared").mkdir()
    asked = (make_backbone(DATA), Rendered(DATA), CONDITION, DATA, tmp_path / "shared", quiet)
    write_cache(*asked, slice(0, None, 2), others)
    assert helped == [{"clips-00001.safetensors"}]
    assert contents(tmp_path / "shared") == contents(tmp_path / "alone")
