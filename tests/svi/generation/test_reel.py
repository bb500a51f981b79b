"""The mp4 of a film whose frames are kept: encoded quickly where it is only to be seen, and else as if they were not kept."""

from pathlib import Path

import numpy as np
import pytest

from svi.generation.reel import Handoff, Script, reels
from svi.generation.video import TO_BE_SEEN, write_mp4
from tests.svi.films import decoded
from tests.svi.sounds import bursts, write_wav

CLIPS, LENGTH, FPS = 3, 4, 8


def made(folder: Path, frames: np.ndarray, lossless: bool, sounds: list[Path | None]) -> list[np.ndarray]:
    """Films [S, F, H, W, 3] shown clip by clip: what their mp4s decode to."""
    folder.mkdir()
    scripts = [Script(f"film-{i}", film[0], ("",) * CLIPS, sound=sounds[i]) for i, film in enumerate(frames)]
    [(_, reel)] = reels(folder, scripts, frames.shape[1], FPS, len(frames), lossless)
    for clip in range(CLIPS):
        begin = clip * LENGTH
        reel.write(frames[:, begin : begin + LENGTH], begin, Handoff(clip + 1, {}))
    reel.finish(CLIPS)
    assert not (folder / "films").exists()
    return [decoded(folder / "videos" / f"{script.name}.mp4") for script in scripts]


def footage(size: int) -> np.ndarray:
    """Two films that a codec does not keep as they are; [2, F, H, W, 3]."""
    return np.random.default_rng(size).integers(0, 255, (2, CLIPS * LENGTH, size, size, 3)).astype(np.uint8)


@pytest.mark.parametrize(("size", "heard"), [(16, [False, True]), (128, [False, False])])
def test_only_what_no_score_reads_is_encoded_in_another_way(size: int, heard: list[bool], tmp_path: Path) -> None:
    frames, wav = footage(size), write_wav(tmp_path / "a.wav", bursts(2, 16000), 16000)
    sounds = [wav if sound else None for sound in heard]
    kept = made(tmp_path / "kept", frames, True, sounds)
    assert np.array_equal(np.load(tmp_path / "kept" / "frames.npy"), frames)
    usual = made(tmp_path / "usual", frames, False, sounds)
    for film, sound, mine, theirs in zip(frames, heard, kept, usual, strict=True):
        if size == 16 and not sound:
            write_mp4(tmp_path / "quick.mp4", film, FPS, size, size, preset=TO_BE_SEEN)
            assert np.array_equal(mine, decoded(tmp_path / "quick.mp4"))
            assert not np.array_equal(mine, theirs)  # other values: what reads them would score another film
        else:
            assert np.array_equal(mine, theirs)
