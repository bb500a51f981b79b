"""Films that are scored from their mp4s."""

import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from benchmarks.films.film import FilmFolder
from benchmarks.films.info import FilmInfo, FilmSample
from benchmarks.films.mp4 import Mp4Frames
from benchmarks.suites.embedded import EmbeddedSuite
from benchmarks.suites.suite import score_films

FPS, CLIP, OVERLAP = 8, 5, 1


def write_video(path: Path, frames: np.ndarray) -> None:
    """As films are written: H.264 without B-frames, untagged."""
    path.parent.mkdir(exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"crf": "10", "bf": "0", "g": "20"})
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], "yuv420p"
        for image in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())


def smooth(frames: int, height: int = 48, width: int = 64, seed: int = 0) -> np.ndarray:
    """A gradient that moves and changes its colour, so that every frame is another. [F, H, W, 3] uint8"""
    f, y, x = np.mgrid[:frames, :height, :width]
    angle = (x + y + 3 * f + 10 * seed)[..., None] / 17 + np.arange(3)
    return np.round(127 + 100 * np.sin(angle)).astype(np.uint8)


def write_folder(folder: Path, films: list[np.ndarray]) -> Path:
    names = [f"film {i}" for i in range(len(films))]
    for name, film in zip(names, films, strict=True):
        write_video(folder / "videos" / f"{name}.mp4", film)
    n_clips = -(-(len(films[0]) - OVERLAP) // (CLIP - OVERLAP))
    samples = [FilmSample(name, ("a wave",), f"videos/{name}.mp4", films[0].shape[1:3]) for name in names]
    FilmInfo(
        track="consistent-50s",
        track_version=1,
        method="model",
        samples_hash="0",
        fps=FPS,
        clip_frames=CLIP,
        overlap=OVERLAP,
        n_clips=n_clips,
        n_frames=len(films[0]),
        samples=tuple(samples),
    ).write(folder)
    return folder


def write_world(folder: Path, films: list[np.ndarray]) -> None:
    """A world whose only object stands still in the middle."""
    n, (height, width) = len(films), films[0].shape[1:3]
    mask = np.zeros((n, 1, height, width))
    mask[:, :, height // 3 : height // 2, width // 3 : width // 2] = 1
    background = np.stack([film[0] for film in films])
    renders = np.where(mask[..., None] > 0, 0.2, background[:, None] / 255)
    np.savez(folder / "truth.npz", background=background, object_renders=renders, object_masks=mask)
    np.save(folder / "continuation.npy", np.stack(films))


def scored(folder: Path) -> tuple[dict[str, object], dict[str, np.ndarray]]:
    score_films(FilmFolder(folder), EmbeddedSuite(), folder / "scores", lambda done, total: None)
    with np.load(folder / "scores" / "scores.npz") as file:
        return json.loads((folder / "scores" / "scores.json").read_text()), dict(file)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, np.ndarray]:
    """A file of 90 frames, and what PyAV decodes from it."""
    path = tmp_path_factory.mktemp("video") / "film.mp4"
    write_video(path, smooth(90))
    with av.open(str(path)) as container:
        return path, np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


@pytest.mark.parametrize(
    "slices",
    [
        [(0, 90)],
        [(0, 7), (7, 8), (8, 8), (8, 50), (50, 90)],
        [(max(i - 1, 0), i + 1) for i in range(90)],  # one frame back at every step
        [(40, 60), (42, 45), (30, 35), (0, 1), (89, 95), (60, 61)],  # forwards and back
    ],
)
def test_slices_are_those_of_the_decoded_film(video: tuple[Path, np.ndarray], slices: list[tuple[int, int]]) -> None:
    path, film = video
    frames = Mp4Frames(path)
    assert (frames.shape, frames.dtype, len(frames)) == (film.shape, film.dtype, 90)
    for start, stop in slices:
        got = frames[start:stop]
        assert got.dtype == np.uint8
        assert np.array_equal(got, film[start:stop])
    assert np.array_equal(frames[:], Mp4Frames(path)[:])
    with pytest.raises(ValueError, match="step of 2"):
        frames[::2]


def test_reading_one_frame_back_at_every_step_seeks_nothing(video: tuple[Path, np.ndarray]) -> None:
    """Every frame is decoded once."""
    frames = Mp4Frames(video[0])
    decoded = []

    def counted(decoder: Iterator[av.VideoFrame]) -> Iterator[av.VideoFrame]:
        for frame in decoder:
            decoded.append(frame.pts)
            yield frame

    frames._decoder = counted(frames._decoder)
    for i in range(90):
        frames[max(i - 1, 0) : i + 1]
    assert len(decoded) == 90


def test_films_are_scored_from_their_mp4s(tmp_path: Path) -> None:
    """As from the frames themselves, but for what compression changes."""
    films = [smooth(41, seed=i) for i in range(2)]
    folder = write_folder(tmp_path, films)
    write_world(folder, films)
    report, scores = scored(folder)
    assert report["resolution"] == "48x64"
    course = {
        "placed_psnr",
        "identity",
        "object_colour",
        "light_drift",
        "hue_drift",
        "detail_kept",
        "heading_error",
        "speed_kept",
        "switch_latency",
    }  # truth.npz has none
    assert set(report["skipped"]) == {"gain", "eps", "forecast_plateau"} | course
    skipped = report["skipped"]
    assert isinstance(skipped, dict)
    assert skipped["placed_psnr"].endswith(
        "which these films do not have: they were made before it was kept; make them again"
    )
    np.save(folder / "frames.npy", np.stack(films))
    _, lossless = scored(folder)
    assert set(scores) == set(lossless)
    for name in ("motion", "colour_drift"):
        np.testing.assert_allclose(scores[name], lossless[name], atol=0.02)
        assert not np.array_equal(scores[name], lossless[name])
    assert (lossless["psnr"] == 100).all()
    assert ((scores["psnr"] > 30) & (scores["psnr"] < 100)).all()


def test_enlarged_films_meet_no_need_for_their_world(tmp_path: Path) -> None:
    films = [smooth(13)]
    folder = write_folder(tmp_path, [film.repeat(2, axis=1).repeat(2, axis=2) for film in films])
    write_world(folder, films)
    report, scores = scored(folder)
    assert "generate.lossless=true" in report["skipped"]["psnr"]  # type: ignore[index]
    assert "generate.lossless=true" in report["skipped"]["object_kept"]  # type: ignore[index]
    of_any_film = {
        "colour_drift",
        "contrast_drift",
        "sharpness_drift",
        "motion",
        "seam",
        "overexposed",
        "repetition",
        "tint_drift",
    }
    assert set(scores) == of_any_film


def test_damaged_or_contradicting_videos_are_refused(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, [smooth(13), smooth(13)])
    write_video(folder / "videos" / "film 1.mp4", smooth(9))
    with pytest.raises(ValueError, match="expected slices that part 9 frames"):
        FilmFolder(folder).film(1)
    whole = (folder / "videos" / "film 0.mp4").read_bytes()
    (folder / "videos" / "film 1.mp4").write_bytes(whole[:200])
    with pytest.raises(ValueError, match=r"film 1.mp4: received no readable video"):
        FilmFolder(folder).film(1)
    (folder / "videos" / "film 1.mp4").unlink()
    with pytest.raises(ValueError, match=r"film 1.mp4: received no readable video .*No such file"):
        FilmFolder(folder).film(1)
    (folder / "videos" / "film 0.mp4").unlink()
    with pytest.raises(ValueError, match=r"received no frames.npy and no film 0.mp4"):
        FilmFolder(folder)


def test_a_frame_that_cannot_be_decoded_is_named(tmp_path: Path) -> None:
    """The file says that it has more frames than can be decoded."""
    path = tmp_path / "film.mp4"
    write_video(path, smooth(13))
    frames = Mp4Frames(path)
    frames.shape = (14, *frames.shape[1:])
    with pytest.raises(ValueError, match="frame 13 cannot be decoded, expected 14 frames"):
        frames[:]


@pytest.mark.slow
def test_memory_is_that_of_a_block(tmp_path: Path) -> None:
    peaks = []
    for frames in (101, 401):
        (tmp_path / str(frames)).mkdir()
        folder = write_folder(tmp_path / str(frames), [smooth(frames, 64, 96)])
        tracemalloc.start()
        scored(folder)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.05 * peaks[0]
