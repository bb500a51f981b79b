"""The clip loop with a real tiny transformer."""

import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from svi.data import world_clips
from svi.generate import Generator, Script
from svi.settings import ConditionSettings, GenerateSettings
from svi.video import write_mp4
from tests.svi.conftest import CONDITION, DATA, make_backbone

ROOT = Path(__file__).parents[2]
SETTINGS = GenerateSettings(steps=2, guidance=1.0, shift=3.0)


def scripts(clips: int) -> list[Script]:
    return [Script(f"film-{i}", clip.frames[0], (clip.prompt,) * clips) for i, clip in enumerate(world_clips(DATA)[:2])]


def maker(settings: GenerateSettings = SETTINGS, condition: ConditionSettings = CONDITION) -> Generator:
    backbone = make_backbone()
    return Generator(backbone, backbone.transformer, settings, condition)


def quiet(done: int, total: int) -> None:
    return None


@pytest.mark.parametrize(("motion", "clips", "frames"), [(1, 4, 16), (1, 4, 17), (2, 3, 10)])
def test_every_clip_but_the_last_drops_its_overlap(tmp_path: Path, motion: int, clips: int, frames: int) -> None:
    condition = CONDITION.model_copy(update={"motion_frames": motion})
    film = maker(condition=condition).films(scripts(clips), frames, tmp_path, quiet)
    assert film.shape == (2, frames, 16, 16, 3)
    assert (film.reshape(2, frames, -1).max(axis=2) > 0).all()  # every frame was written


def test_killed_at_a_clip_and_resumed_is_identical(tmp_path: Path) -> None:
    whole = maker().films(scripts(6), 24, tmp_path_for(tmp_path, "whole"), quiet)

    def die(done: int, total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    folder = tmp_path_for(tmp_path, "cut")
    with pytest.raises(KeyboardInterrupt):
        maker().films(scripts(6), 24, folder, die)
    begun: list[int] = []
    resumed = maker().films(scripts(6), 24, folder, lambda done, total: begun.append(done))
    assert begun == [4, 5, 6]
    assert np.array_equal(whole, resumed)


def tmp_path_for(root: Path, name: str) -> Path:
    (root / name).mkdir()
    return root / name


def film_with(tmp_path: Path, name: str, **changes: object) -> np.ndarray:
    settings = SETTINGS.model_copy(update=changes)
    return np.array(maker(settings).films(scripts(3), 12, tmp_path_for(tmp_path, name), quiet))


def test_seeds(tmp_path: Path) -> None:
    """The same seed gives the same film, another seed or stride another; the first clip does not know the stride."""
    film = film_with(tmp_path, "a")
    assert np.array_equal(film, film_with(tmp_path, "b"))
    assert not np.array_equal(film, film_with(tmp_path, "c", seed=1))
    fixed = film_with(tmp_path, "d", seed_stride=0)
    assert np.array_equal(film[:, :4], fixed[:, :4])
    assert not np.array_equal(film, fixed)


def test_latent_handoff_and_guidance_change_the_film(tmp_path: Path) -> None:
    film = film_with(tmp_path, "a")
    latent = film_with(tmp_path, "b", handoff="latent")
    assert np.array_equal(film[:, :4], latent[:, :4])  # only what follows a hand-off can differ
    assert not np.array_equal(film, film_with(tmp_path, "c", guidance=4.0))


def test_probe_of_a_model_that_copies_its_condition() -> None:
    """A backbone whose velocity leads straight to the condition has gain 1 and eps 0."""
    generator = maker()
    shape = generator.backbone.latent_shape

    def copying(
        transformer: object, x: torch.Tensor, t: torch.Tensor, condition: torch.Tensor, text: object
    ) -> torch.Tensor:
        return (condition[:, -shape[0] :] - x) / (1 - t).reshape(-1, 1, 1, 1, 1)

    generator.backbone.velocity = copying  # type: ignore[method-assign, assignment]
    probe = generator.probe(scripts(1))
    np.testing.assert_allclose(probe["output_clean"], probe["condition"], atol=1e-5)
    np.testing.assert_allclose(probe["output_perturbed"] - probe["output_clean"], probe["perturbation"], atol=1e-5)


def test_mp4_is_untagged_yuv420p_enlarged_and_true_in_duration(tmp_path: Path) -> None:
    frames = np.random.default_rng(0).integers(0, 255, (40, 16, 24, 3)).astype(np.uint8)
    write_mp4(tmp_path / "film.mp4", frames, 8, 16, 24)
    with av.open(str(tmp_path / "film.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")
        assert (stream.height, stream.width) == (128, 192)
        assert float(stream.duration * stream.time_base) == pytest.approx(5.0)
        assert stream.codec_context.color_primaries == stream.codec_context.color_trc == 2  # unspecified
        assert len(list(container.decode(stream))) == 40


@pytest.mark.slow
def test_memory_does_not_grow_with_length(tmp_path: Path) -> None:
    """Peak memory of a process after a film of 60 clips, and after one of 600 clips in the same process, in MiB."""
    code = f"""
import resource
from pathlib import Path
from svi.video import write_mp4
from tests.svi.test_generate import maker, quiet, scripts
for clips in (60, 600):
    folder = Path({str(tmp_path)!r}) / str(clips)
    folder.mkdir()
    films = maker().films(scripts(clips), 4 * clips, folder, quiet)
    write_mp4(folder / "film.mp4", films[0], 8, 16, 16)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    short, long = map(float, done.stdout.split())
    assert long - short < 0.02 * short
