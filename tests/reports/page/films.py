"""A page with films, as the project writes both."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from reports.page.films import relative_links
from reports.page.page import page
from reports.statistics.view import ReportView
from svi.generation.sound import Sound
from svi.generation.video import join_mp4, write_mp4
from tests.reports.report_frames import info, study
from tests.svi.sounds import bursts, write_wav

TRACK = "consistent-50s"
Films = dict[str, object]
LINK = relative_links(Path("/store/artifacts/report/any"))
NAMES = ("full", "<script>alert(1)</script> \"'ü", "no_e_img")


def film(path: Path, seconds: float, fps: int, seed: int, clip_frames: int = 4, sound: int | None = None) -> Path:
    """As the project writes them: segments of a clip each, joined; every frame is another noise.

    `sound`: the seed of one, a burst a second; None: it is silent.
    """
    generator, segments = np.random.default_rng(seed), []
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = generator.integers(0, 255, (16, 16, 3))
    for begin in range(0, round(seconds * fps), clip_frames):
        segments.append(path.with_name(f"segment-{begin:06d}.mp4"))
        frames = [np.roll(picture, begin + i, axis=1).astype(np.uint8) for i in range(clip_frames)]
        write_mp4(segments[-1], frames, fps, 16, 16)
    wav = path.with_suffix(".wav")
    heard = None if sound is None else Sound(write_wav(wav, bursts(seconds, 16_000, seed=sound), 16_000))
    join_mp4(path, segments, heard)
    wav.unlink(missing_ok=True)
    for segment in segments:
        segment.unlink()
    return path


def write_page(
    folder: Path,
    seconds: float,
    fps: int,
    samples: int = 1,
    budget: int = 24_000_000,
    names: Sequence[str] = NAMES,
    sounds: Mapping[str, int] | None = None,
) -> Path:
    """A page with films of some variants; clips are half a second long, and each sample half as long as the one before.

    `sounds`: seeds by variant, of those whose films have a sound. Films lie in FOLDER/films-I/videos.
    """
    videos = {
        name: [
            str(
                film(
                    folder / f"films-{i}" / "videos" / f"scene-{n:02d}.mp4",
                    *(seconds / 2**n, fps, i, fps // 2),
                    None if sounds is None else sounds.get(name),
                )
            )
            for n in range(samples)
        ]
        for i, name in enumerate(names)
    }
    about = info(
        variants={name: {} for name in names}, tracks=[TRACK], videos={TRACK: videos}, fps=float(fps), compare_to=(),
        question="</script><script>alert(2)</script>",
    )  # fmt: skip
    frame = study(dict.fromkeys(names, 20.0), tracks=[TRACK], clips=6)
    frame = frame[frame["metric"] == "background_psnr"]
    target = folder / "page.html"
    target.write_text(page(ReportView.of(frame, about), relative_links(folder), budget), encoding="utf-8")
    return target
