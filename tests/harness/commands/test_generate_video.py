"""`harness generate --video`: a film that goes on from a video."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness.core.store import Store
from svi.generation.video import write_mp4
from tests.harness.finished import finished
from tests.harness.small import SMALL, harness
from tests.svi.films import decoded
from tests.svi.generation.test_opening import REAL, packets, write_bframes


@pytest.fixture
def asked(tmp_path: Path) -> list[str]:
    """The words of a command for a short film behind a video, which is to be added."""
    (tmp_path / "prompts.txt").write_text("red disc slowly east sand stripes")
    (tmp_path / "out").mkdir()
    prompts = str(tmp_path / "prompts.txt")
    return ["generate", str(tmp_path / "out" / "film.mp4"), "--prompts", prompts, "--seconds", "4", *SMALL]


def test_a_video_of_the_films_size_is_copied_and_gone_on_with(tmp_path: Path, asked: list[str]) -> None:
    """Its packets and frames are the film's first; what the first clip is made from is its last frame."""
    store, film = tmp_path / "runs", tmp_path / "out" / "film.mp4"
    shutil.copytree(finished(), store)
    films, given = [], tmp_path / "given.mp4"
    for seed in (0, 1):
        frames = np.random.default_rng(seed).integers(0, 255, (9, 16, 16, 3)).astype(np.uint8)
        write_bframes(given, frames.repeat(8, axis=1).repeat(8, axis=2), 2)
        done = harness(*asked, "--video", str(given), *(["--stream"] if seed else []), store=store)
        assert done.returncode == 0, done.stderr
        assert f"the film begins with the 9 frames of {given}, copied as they are" in done.stderr
        films.append(decoded(film))
        assert packets(film)[:9] == packets(given)
        assert len(films[-1]) == 9 + 8
        assert np.array_equal(films[-1][:9], decoded(given))
    assert not np.array_equal(films[0][9:], films[1][9:])
    takes = len(list((store / "takes").iterdir()))
    shutil.copy(given, tmp_path / "another name.mp4")
    again = harness(*asked, "--video", str(tmp_path / "another name.mp4"), store=store)
    assert again.returncode == 0, again.stderr
    assert len(list((store / "takes").iterdir())) == takes
    kept = [manifest["identity"] for manifest in Store(store).manifests("film")]
    assert len({one["video.fingerprint"] for one in kept}) == len(kept) == 2
    assert not any("image.fingerprint" in one for one in kept)


def test_a_longer_film_behind_a_video_keeps_its_clips(tmp_path: Path, asked: list[str]) -> None:
    store, film = tmp_path / "runs", tmp_path / "out" / "film.mp4"
    shutil.copytree(finished(), store)
    write_mp4(tmp_path / "given.mp4", np.zeros((5, 16, 16, 3), np.uint8), 2, 16, 16)
    words = [*asked, "--video", str(tmp_path / "given.mp4")]
    assert harness(*words, store=store).returncode == 0
    short = decoded(film)
    words[words.index("--seconds") + 1] = "6"
    done = harness(*words, store=store)
    assert "2 of 3 clips are there already; 1 other is made" in done.stderr
    assert np.array_equal(decoded(film)[:8], short[:8])  # the last clip was encoded to its end, and now to the next one
    assert len(decoded(film)) == 5 + 12


def test_a_video_of_another_size_is_encoded_again_and_that_is_said(tmp_path: Path, asked: list[str]) -> None:
    store = tmp_path / "runs"
    shutil.copytree(finished(), store)
    frames = np.full((6, 90, 160, 3), 128, np.uint8)
    write_mp4(tmp_path / "given.mp4", frames, 2, 90, 160)
    done = harness(*asked, "--video", str(tmp_path / "given.mp4"), "--fit", "pad", store=store)
    assert done.returncode == 0, done.stderr
    size = decoded(tmp_path / "given.mp4").shape[1:3]
    assert (
        f"encoded again and so not quite as they were, since its frames are {size[1]} x {size[0]}, those of the mp4 128 x 128"
        in done.stderr
    )
    film = decoded(tmp_path / "out" / "film.mp4")
    assert len(film) == 6 + 8
    assert np.abs(film[:6, 64].astype(int) - 128).max() <= 3
    assert film[:6, 0].max() < 16  # the bars


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--video", "{text}"), "received no readable video"),
        (("--video", "{video}", "generate.fps=3"), "has 2 frames a second and the film 3; set generate.fps=2, or convert"),
        (("--video", "{video}", "condition.motion_frames=4"), "has 3 frames, and its last 4 (condition.motion_frames)"),
        (("--video", "{video}", "condition.signal=audio", "--signal", "{video}"), "begins with its image; leave one out"),
        (("--video", "{video}", "method.generation=packed_history"), "packed_history"),
        ((), "give it its first frame by --image FILE, or a video by --video FILE"),
    ],
)  # fmt: skip
def test_a_video_that_a_film_cannot_go_on_from_is_refused(
    tmp_path: Path, asked: list[str], words: tuple[str, ...], said: str
) -> None:
    write_mp4(tmp_path / "given.mp4", np.zeros((3, 16, 16, 3), np.uint8), 2, 16, 16)
    files = {"text": tmp_path / "prompts.txt", "video": tmp_path / "given.mp4"}
    done = harness(*asked, *(word.format(**files) for word in words), store=tmp_path / "runs")
    assert done.returncode == 2
    assert said in done.stderr
    assert not (tmp_path / "runs" / "artifacts").exists()


def test_a_film_does_not_overwrite_what_it_goes_on_from(tmp_path: Path, asked: list[str]) -> None:
    video = tmp_path / "out" / "film.mp4"
    write_mp4(video, np.zeros((3, 16, 16, 3), np.uint8), 2, 16, 16)
    before = video.read_bytes()
    done = harness(*asked, "--video", str(video), "--stream", store=tmp_path / "runs")
    assert done.returncode == 2
    assert "it would be overwritten" in done.stderr
    assert video.read_bytes() == before


@pytest.mark.skipif(not REAL.is_dir(), reason="no sample data beside the checkout")
def test_a_real_mp4_goes_on_with_its_own_frames_unchanged(tmp_path: Path, asked: list[str]) -> None:
    """On the embedded model, whose mp4s are small: the video is brought to their size first, with B-frames."""
    store, film = tmp_path / "runs", tmp_path / "out" / "film.mp4"
    shutil.copytree(finished(), store)
    given = sorted(REAL.glob("*.mp4"))[0]
    small = tmp_path / "small.mp4"
    frames = [np.asarray(Image.fromarray(one).resize((128, 128))) for one in decoded(given)]
    write_bframes(small, np.stack(frames), 16)
    done = harness(*asked, "--video", str(small), "generate.fps=16", "--seconds", "0.5", store=store)
    assert done.returncode == 0, done.stderr
    assert packets(film)[:81] == packets(small)
    assert np.array_equal(decoded(film)[:81], decoded(small))
