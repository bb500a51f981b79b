"""Films that repeat the start image or the first clip, or go through the codec alone: which frame is where; that they resume, and
need no model if none is."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from svi.backbones.wan import WanBackbone
from svi.generation.generator import Generator
from svi.generation.reel import Script
from svi.generation.trivial import shown, write_films
from svi.settings import (
    COPY_CLIPS,
    COPY_IMAGE,
    PING_PONG,
    RECODE,
    TRIVIAL_METHODS,
    BackboneSettings,
    DataSettings,
    GenerateSettings,
)
from tests.svi.conftest import CONDITION, DATA
from tests.svi.films import SETTINGS, decoded, maker, quiet, scripts, sections
from tests.svi.wan_folder import WanFolder

ROOT = Path(__file__).parents[3]
# Four clips of 5 frames that overlap by 1, the last in full: 17 frames.
CLIPS = (slice(0, 4), slice(4, 8), slice(8, 12), slice(12, 17))


def settings(method: str, **changes: object) -> GenerateSettings:
    return SETTINGS.model_copy(update={"method": method, **changes})


def generator(method: str, **changes: object) -> Generator | None:
    return None if method == "copy_image" else maker(settings(method, **changes))


def films(folder: Path, method: str, story: list[Script], **changes: object) -> np.ndarray:
    """Frames [S, F, H, W, 3]."""
    folder.mkdir()
    write_films(story, CLIPS, 8, folder, settings(method, **changes), generator(method, **changes), quiet)
    return np.load(folder / "frames.npy")


def test_which_frame_of_the_first_clip_is_shown() -> None:
    frames = np.arange(12)
    assert shown("copy_image", frames, 1).tolist() == [0] * 12
    assert shown("copy_clips", frames, 5).tolist() == [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1]
    assert shown("ping_pong", frames, 5).tolist() == [0, 1, 2, 3, 4, 3, 2, 1, 0, 1, 2, 3]
    assert shown("ping_pong", frames, 2).tolist() == [0, 1] * 6
    assert shown("ping_pong", frames, 1).tolist() == [0] * 12
    assert (np.abs(np.diff(shown("ping_pong", np.arange(4000), 81))) == 1).all()


@pytest.mark.parametrize("method", [COPY_IMAGE, COPY_CLIPS, PING_PONG])
def test_the_films_frames(tmp_path: Path, method: str) -> None:
    story = scripts(4)
    model = maker()
    model.films(story, 17, 8, tmp_path, quiet)
    made = films(tmp_path / method, method, story)
    assert made.shape == (2, 17, 16, 16, 3)
    if method == "copy_image":
        assert all((film == script.image).all() for film, script in zip(made, story, strict=True))
        return
    model.encode([script.prompts[0] for script in story])
    first = model.first(story)
    assert first.shape == (2, 5, 16, 16, 3)
    # The model's own film begins with the same clip, of which the next one takes the last frame's place.
    assert np.array_equal(first[:, :4], np.load(tmp_path / "frames.npy")[:, :4])
    assert np.array_equal(made, first[:, shown(method, np.arange(17), 5)])
    assert not np.array_equal(first[:, 0], first[:, 1])


def test_a_recoded_film_is_its_last_frame_through_the_codec_again_and_again(tmp_path: Path) -> None:
    story, backbone = scripts(4), maker().backbone
    made = films(tmp_path / RECODE, RECODE, story)
    frames = np.stack([script.image for script in story])
    for clip in CLIPS:
        still = torch.from_numpy(frames)[:, None].repeat(1, 5, 1, 1, 1)
        shown_clip = backbone.decode(backbone.encode(still))
        length = clip.stop - clip.start
        assert np.array_equal(made[:, clip], shown_clip[:, :length].numpy())
        frames = shown_clip[:, -1].numpy()
    assert not np.array_equal(made[0, 0], story[0].image)


@pytest.mark.parametrize("method", TRIVIAL_METHODS)
def test_they_are_written_as_other_films_are(tmp_path: Path, method: str) -> None:
    story = scripts(4, 3)
    seen: list[tuple[int, int]] = []
    folder = tmp_path / "films"
    folder.mkdir()
    changed = settings(method, together=2)
    write_films(story, CLIPS, 8, folder, changed, generator(method), lambda done, total: seen.append((done, total)))
    assert seen == [(done, 12) for done in (0, 2, 4, 6, 8, 8, 9, 10, 11, 12)]
    assert sorted(p.name for p in folder.iterdir()) == ["frames.npy", "videos"]
    for i in range(3):
        video = decoded(folder / "videos" / f"film-{i}.mp4")
        assert video.shape == (17, 128, 128, 3)
        lossless = np.load(folder / "frames.npy")[i].repeat(8, axis=1).repeat(8, axis=2)
        assert np.abs(video.astype(int) - lossless).mean() < 12


class Stop(Exception):
    pass


@pytest.mark.parametrize("method", TRIVIAL_METHODS)
def test_stopped_anywhere_and_resumed_is_identical(tmp_path: Path, method: str) -> None:
    """Stopped after every clip in turn, with the next one's files begun; the first clip is made once a group."""
    story, whole, cut = scripts(4, 3), tmp_path / "whole", tmp_path / "cut"
    films(whole, method, story, together=2)
    cut.mkdir()
    seen: list[int] = []
    made: list[int] = []

    def stop(done: int, total: int) -> None:
        if seen and done > seen[-1]:
            seen.append(done)
            raise Stop
        seen[:] = seen or [done]

    def attempt(progress: object) -> None:
        model = generator(method)
        if model is not None:
            first = model.first
            model.first = lambda some: made.append(len(some)) or first(some)  # type: ignore[method-assign, func-returns-value]
        write_films(story, CLIPS, 8, cut, settings(method, together=2), model, progress)  # type: ignore[arg-type]

    for _ in range(7):
        with pytest.raises(Stop):
            attempt(stop)
        for work in (cut / "films").glob("*"):
            (work / f"{len(list(work.glob('*.mp4'))):05d}.mp4").write_bytes(b"begun")
    attempt(quiet)
    assert seen == [0, 2, 4, 6, 8, 9, 10, 11]
    assert made == ([] if method in (COPY_IMAGE, RECODE) else [2, 1])
    assert sorted(p.name for p in cut.iterdir()) == ["frames.npy", "videos"]
    for file in ["frames.npy", *(f"videos/film-{i}.mp4" for i in range(3))]:
        assert (whole / file).read_bytes() == (cut / file).read_bytes(), file


def test_a_finished_run_makes_nothing_again(tmp_path: Path) -> None:
    story = scripts(4)
    films(tmp_path / "done", "ping_pong", story)
    model = maker()
    model.first = None  # type: ignore[method-assign, assignment]
    encoded: list[str] = []
    model.encode = lambda prompts, folder: encoded.extend(prompts)  # type: ignore[method-assign, assignment]
    seen: list[int] = []
    write_films(story, CLIPS, 8, tmp_path / "done", settings("ping_pong"), model, lambda done, total: seen.append(done))
    assert (seen, encoded) == ([8], [])


def test_films_of_several_sizes_by_a_wan(tmp_path: Path, wan_folder: WanFolder) -> None:
    """Each with its own size; text is encoded for all first clips at once, and its encoder is gone before they are made."""
    backbone = WanBackbone.load(
        wan_folder("wan2.1-i2v"),
        BackboneSettings(name="folder", text_tokens=16),
        DataSettings(height=32, width=32, clip_frames=9),
    )
    plain = settings("ping_pong", lossless=False, steps=1)
    model = Generator(backbone, backbone.transformers, sections(plain, CONDITION))
    rng = np.random.default_rng(0)
    story = [
        Script(f"film-{i}", rng.integers(0, 256, (*size, 3), dtype=np.uint8), (f"prompt {i}", "never shown"))
        for i, size in enumerate([(32, 48), (48, 32)])
    ]
    loaded: list[bool] = []
    clips = (slice(0, 8), slice(8, 17))
    write_films(
        story, clips, 8, tmp_path, plain, model, lambda done, total: loaded.append("text_encoder" in vars(backbone))
    )
    assert loaded == [False] * 6
    with pytest.raises(KeyError):
        model.texts[["never shown"]]
    for script in story:
        film = decoded(tmp_path / "videos" / f"{script.name}.mp4").astype(int)
        factor = 128 // min(script.image.shape[:2])
        assert film.shape == (17, *(factor * side for side in script.image.shape[:2]), 3)
        assert np.abs(film[8 - 1] - film[8 + 1]).mean() < np.abs(film[0] - film[8]).mean()


def test_a_method_and_its_maker_go_together(tmp_path: Path) -> None:
    for method, model in (("copy_image", maker()), ("ping_pong", None)):
        with pytest.raises(ValueError, match="only copy_image goes without one"):
            write_films(scripts(4), CLIPS, 8, tmp_path, settings(method), model, quiet)


def test_equal_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected different names"):
        write_films([scripts(4)[0]] * 2, CLIPS, 8, tmp_path, settings("copy_image"), None, quiet)


def test_repeating_an_image_loads_no_torch() -> None:
    code = "import sys, svi.generation.trivial; assert not {'torch', 'diffusers'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_the_first_clip_does_not_know_later_prompts() -> None:
    story = scripts(4)
    model = maker()
    model.encode([script.prompts[0] for script in story])
    again = [Script(script.name, script.image, script.prompts[:1]) for script in story]
    assert np.array_equal(model.first(story), model.first(again))
    assert DATA.clip_frames == model.first(story).shape[1]
    assert torch.is_grad_enabled()
