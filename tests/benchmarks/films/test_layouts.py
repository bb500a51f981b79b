"""Output folders of ten projects, built as each one's script names its files, read as they are."""

import datetime
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks.films.layouts import LAYOUTS, recognised, videos_of
from benchmarks.films.videos import VideoFolder
from benchmarks.track import get_track
from tests.benchmarks.vbench.vbench_videos import moving_frames, write_video

FPS = 2
PROMPTS = (
    "A stylish woman walks down a Tokyo street filled with warm glowing neon and animated city signage. She wears black",
    "A white and orange tabby cat is seen happily darting through a dense garden, as if chasing something",
)
NOON = datetime.datetime(2026, 3, 4, 12, 5, 9, 123_000)
Write = Callable[..., Path]


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """50 s at two frames a second."""
    return write_video(tmp_path_factory.mktemp("video") / "video.mp4", moving_frames(100, 32, 48), FPS)


@pytest.fixture
def write(video: Path, tmp_path: Path) -> Write:
    """A copy of it under a path of the project's folder."""

    def written(name: str, folder: str = "out") -> Path:
        path = tmp_path / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return Path(shutil.copy(video, path))

    return written


def found(folder: Path) -> tuple[str, dict[str, str], dict[str, list[str]]]:
    known = recognised(folder)
    assert known is not None
    videos = {name: path.relative_to(folder).as_posix() for name, path in known.videos.items()}
    return known.project, videos, dict(known.left_out)


def test_svi(write: Write, tmp_path: Path) -> None:
    """test_svi.py: a folder a sample and run, in it the film, written anew after each clip."""

    def run(reference: str, time: datetime.datetime) -> str:
        timestamp = time.strftime("%Y%m%d_%H%M%S")
        return f"{reference}_{timestamp}/i2v_{reference}_natural_cfgt{5.0}_step{50}_{timestamp}.mp4"

    first, again = run("red_fox", NOON), run("red_fox", NOON + datetime.timedelta(days=1))
    for name in (first, again, run("tom", NOON)):
        write(name)
    project, videos, left_out = found(tmp_path / "out")
    assert project == "SVI"
    assert videos == {"red_fox": again, "tom": run("tom", NOON)}
    assert left_out == {"an earlier run of the same sample": [Path(first).name]}


def test_svi_talk_and_dance(write: Write, tmp_path: Path) -> None:
    """test_svi_talk.py, test_svi_dance.py: a file after each clip, of all frames so far."""
    timestamp = NOON.strftime("%Y%m%d_%H%M%S")
    for clip in range(1, 4):
        part = f"_{timestamp}_chunk_{clip:02d}_of_{12:02d}"
        write(f"obama_speech_natural_cfga{4.0}_cfgt{5.0}_step{50}{part}_with_audio.mp4", "talk")
        write(f"output_cfgt{5.0}_step{50}{part}.mp4", "dance")
    project, videos, left_out = found(tmp_path / "talk")
    assert (project, list(videos)) == ("SVI-Talk", ["obama_speech"])
    assert "_chunk_03_of_12_with_audio" in videos["obama_speech"]
    assert len(left_out["the same film after fewer clips"]) == 2
    project, videos, _ = found(tmp_path / "dance")
    assert project == "SVI-Dance"
    assert next(iter(videos.values())).endswith("_chunk_03_of_12.mp4")
    assert "the picture and the skeleton beside the film" in next(
        VideoFolder(tmp_path / "dance", None).notes.__iter__()
    )


def test_helios(write: Write, tmp_path: Path) -> None:
    """infer_helios.py: one prompt gives number, task and second; a file of prompts gives their numbers."""
    for number, task in enumerate(("t2v", "i2v")):
        write(f"{number:04d}_{task}_{int(NOON.timestamp()) + number}.mp4", "single")
    assert found(tmp_path / "single")[:2] == (
        "Helios",
        {f"{n:04d}_{task}": f"{n:04d}_{task}_{int(NOON.timestamp()) + n}.mp4" for n, task in enumerate(("t2v", "i2v"))},
    )
    for number in (0, 2, 10):
        write(f"{number}.mp4", "output_helios")
        write(f"{number}.mp4", "somewhere")
    assert found(tmp_path / "output_helios")[:2] == ("Helios", {"0": "0.mp4", "2": "2.mp4", "10": "10.mp4"})
    assert recognised(tmp_path / "somewhere") is None  # numbers alone are anybody's


def test_heliosbench(write: Write, tmp_path: Path) -> None:
    """eval/README.md: {id}_{duration}_ori{true duration}."""
    for number in (1, 12):
        write(f"{number}_1440_ori1452.mp4")
    assert found(tmp_path / "out")[:2] == ("HeliosBench", {"1": "1_1440_ori1452.mp4", "12": "12_1440_ori1452.mp4"})


@pytest.mark.parametrize("mode", ["", "_lora", "_regular_dp0_sp4"])
def test_longlive(write: Write, tmp_path: Path, mode: str) -> None:
    """inference.py of several ranks: by number or by prompt; the second repository writes the prompts beside."""
    for rank, number, seed in ((0, 0, 0), (1, 1, 0), (0, 2, 0), (0, 2, 1)):
        film = write(f"rank{rank}-{number}-{seed}{mode}.mp4")
    film.with_name(f"{film.stem}_prompts.txt").write_text("A fox runs.\n")
    project, videos, left_out = found(tmp_path / "out")
    assert project == "LongLive"
    assert list(videos) == ["0", "1", "2", "2-1"]
    assert (videos["1"], left_out) == (f"rank1-1-0{mode}.mp4", {})
    known = recognised(tmp_path / "out")
    assert known is not None
    assert known.prompts == {"2-1": "A fox runs."}


def test_longlive_by_prompts(write: Write, tmp_path: Path) -> None:
    for prompt in PROMPTS:
        write(f"rank0-{prompt[:100]}-0.mp4")
    known = recognised(tmp_path / "out")
    assert known is not None
    assert (known.project, set(known.prompts.values())) == ("LongLive", {prompt[:100] for prompt in PROMPTS})


@pytest.mark.parametrize(
    ("folder", "project"), [("self_forcing_dmd", "Self-Forcing"), ("rolling_forcing_dmd", "Rolling Forcing")]
)
@pytest.mark.parametrize("by_number", [True, False])
def test_self_forcing_and_rolling_forcing(
    write: Write, tmp_path: Path, folder: str, project: str, by_number: bool
) -> None:
    """inference.py, the same in both: {idx}-{seed}_{model}, or {prompt[:100]}-{seed}; the READMEs' folders tell them apart."""
    names = ["0-0_ema", "1-0_ema"] if by_number else [f"{prompt[:100]}-0" for prompt in PROMPTS]
    for name in names:
        write(f"{name}.mp4", f"videos/{folder}")
        write(f"{name}.mp4", "mine")
    samples = ["0", "1"] if by_number else sorted(prompt[:100] for prompt in PROMPTS)
    called, videos, _ = found(tmp_path / "videos" / folder)
    assert (called, sorted(videos)) == (project, samples)
    either = recognised(tmp_path / "mine")
    assert either is not None
    assert either.alike
    assert either.project == "Self-Forcing or Rolling Forcing"


def test_framepack(write: Write, tmp_path: Path) -> None:
    """demo_gradio.py: {job}_{latent frames}.mp4 after each section, all of it so far, and the job's image."""
    job = f"{NOON.strftime('%y%m%d_%H%M%S')}_{NOON.microsecond // 1000:03d}_{7042}"
    for latents in (9, 19, 37, 109):
        write(f"{job}_{latents}.mp4")
    (tmp_path / "out" / f"{job}.png").touch()
    project, videos, left_out = found(tmp_path / "out")
    assert (project, videos) == ("FramePack", {job: f"{job}_109.mp4"})
    assert left_out == {"the same film after fewer sections": [f"{job}_{latents}.mp4" for latents in (9, 19, 37)]}


def test_fastvideo(write: Write, tmp_path: Path) -> None:
    """video_generator.py: the prompt's first 100 letters without those that no file may have, and a number if taken."""
    first, second = (prompt[:100].strip().strip(".") for prompt in PROMPTS)
    for name in (first, second, f"{first}_1"):
        write(f"{name}.mp4", "fastvideo_outputs")
        write(f"{name}.mp4", "mine")
    project, videos, _ = found(tmp_path / "fastvideo_outputs")
    assert (project, set(videos)) == ("FastVideo", {first, second, f"{first}-1"})
    assert VideoFolder(tmp_path / "mine", None).project == ""
    assert found(tmp_path / "mine")[:2] == ("FastVideo or another that names films by prompts", videos)


def test_lightx2v(write: Write, tmp_path: Path) -> None:
    """scripts/*/*.sh: save_results/output_{script}.mp4, each another model's."""
    write("output_lightx2v_wan_t2v_tea.mp4", "save_results")
    write("output_helios_distilled_t2v.mp4", "save_results")
    project, videos, _ = found(tmp_path / "save_results")
    assert (project, set(videos)) == ("LightX2V", {"lightx2v_wan_t2v_tea", "helios_distilled_t2v"})
    assert "score one by itself" in VideoFolder(tmp_path / "save_results", None).notes[0]


def test_wan2gp(write: Write, tmp_path: Path) -> None:
    """wgp.py: {time}_seed{seed}_{prompt}; the same prompt and seed may be another model's, so each file is a film."""
    names = [
        f"{NOON.strftime('%Y-%m-%d-%Hh%Mm')}{second:02}s_seed{seed}_a red fox runs.mp4"
        for second, seed in ((1, 42), (9, 42))
    ]
    for name in names:
        write(name)
    project, videos, left_out = found(tmp_path / "out")
    assert (project, videos, left_out) == ("Wan2GP", {"a red fox runs": names[0], "a red fox runs-1": names[1]}, {})


def test_comfyui(write: Write, tmp_path: Path) -> None:
    """nodes_video.py: {prefix}_{counter:05}_.mp4, by default in video/; VideoHelperSuite: without the last sign, and with sound."""
    for counter in (1, 2):
        write(f"video/ComfyUI_{counter:05}_.mp4", "output")
        write(f"AnimateDiff_{counter:05}.mp4", "output")
    write("AnimateDiff_00002-audio.mp4", "output")
    (tmp_path / "output" / "AnimateDiff_00002.png").touch()  # the first frame, with the workflow
    project, videos, left_out = found(tmp_path / "output")
    assert project == "ComfyUI"
    assert videos["ComfyUI_00001"] == "video/ComfyUI_00001_.mp4"
    assert videos["AnimateDiff_00002"] == "AnimateDiff_00002-audio.mp4"
    assert left_out == {"the same film without its sound": ["AnimateDiff_00002.mp4"]}
    assert len(videos) == 4


def test_every_project_is_built_above() -> None:
    tests = " ".join(name.replace("_", "") for name in globals() if name.startswith("test_"))
    projects = {layout.projects[0] for layout in LAYOUTS} | {"Rolling Forcing"}
    projects -= {"SVI-Talk", "SVI-Dance"}
    assert len(projects) == 11  # ten projects, and HeliosBench
    assert [one for one in projects if one.lower().replace("-", "").replace(" ", "") not in tests] == []


def unknown() -> Iterator[tuple[str, ...]]:
    yield ("fox.mp4", "hare.mp4")
    yield ("clip-1.mp4", "clip-2.mp4")
    yield ("scene_00001.mp4", "scene_00002.mp4")
    yield ("A fox.mp4", "A stylish woman walks.mp4")
    yield ("rank0-0-0_lora.mp4", "fox.mp4", "hare.mp4")


@pytest.mark.parametrize("names", unknown())
def test_unknown_and_ambiguous_folders_are_read_by_their_files_names(
    write: Write, tmp_path: Path, names: tuple[str, ...]
) -> None:
    for name in names:
        write(name)
    assert recognised(tmp_path / "out") is None
    videos, known = videos_of(tmp_path / "out")
    assert known is None
    assert list(videos) == sorted(Path(name).stem for name in names)


def test_files_that_are_named_as_samples_are_theirs_and_else_the_recognised_ones(write: Write, tmp_path: Path) -> None:
    for name in ("rank0-0-0_lora", "rank0-1-0_lora"):
        write(f"{name}.mp4")
    films = VideoFolder(tmp_path / "out", get_track("consistent-50s"), (["rank0-0-0_lora"], "5a"))
    assert (films.names, films.project) == (["rank0-0-0_lora"], "")
    films = VideoFolder(tmp_path / "out", get_track("consistent-50s"), (["1"], "5a"))
    assert (films.names, films.video(0).name, films.project) == (["1"], "rank0-1-0_lora.mp4", "LongLive")
    with pytest.raises(ValueError, match=r"fox: no fox\.mp4 for this sample"):
        VideoFolder(tmp_path / "out", get_track("consistent-50s"), (["fox"], "5a"))


def test_what_was_recognised_and_left_out_is_told_first(write: Write, tmp_path: Path) -> None:
    for number in range(3):
        write(f"rank0-{number}-0_lora.mp4")
    write("comparison.mp4")
    write_video(tmp_path / "out" / "rank0-3-0_lora.mp4", moving_frames(100, 48, 64), FPS)
    write_video(tmp_path / "out" / "rank0-4-0_lora.mp4", moving_frames(20, 32, 48), FPS)
    films = VideoFolder(tmp_path / "out", None)
    assert films.names == ["0", "1", "2"]
    assert (films.project, films.scored_as) == ("LongLive", get_track("consistent-50s"))
    assert films.notes[:5] == [
        "5 videos of LongLive, each called by its prompt's number or beginning (rank0-0-0_lora.mp4 is '0')",
        "1 left out, not named as LongLive names films: comparison.mp4",
        "1 left out, 64x48 at 2 fps, where most are 48x32 at 2 fps: rank0-3-0_lora.mp4",
        "1 left out, shorter than 25.0 s, half of the median: rank0-4-0_lora.mp4",
        "scored as consistent-50s, which they last as long as (--track names another)",
    ]
