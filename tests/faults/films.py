"""Clips and films in the making, and the scores of films, interfered with."""

import io
from pathlib import Path

import numpy as np

from benchmarks.atomic import write_whole as write_score
from svi.generation.reel import Handoff, Script, reels
from svi.generation.takes import Link, Takes, names
from tests.faults.part import Part, Result, digest, digests


def _pictures(seed: int, count: int, size: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (count, size, size, 3)).astype(np.uint8)


_LINKS = [Link("root", f"prompt {i}", i) for i in range(3)]
_SHOWN = slice(0, 3)


def _keep_takes(folder: Path) -> None:
    takes = Takes(folder / "takes")
    takes.tidy()
    for i, (name, link) in enumerate(zip(names(_LINKS), _LINKS, strict=True)):
        if name not in takes:
            takes.keep(name, link, _pictures(i, 4, 32), {"past": np.arange(i + 5)})
        takes.segment(name, _SHOWN, 8)


def _taken(folder: Path) -> Result:
    takes, found = Takes(folder / "takes"), {}
    for name in names(_LINKS):
        found[name[:8]] = digest(takes.frames(name).tobytes() + takes.past(name)["past"].tobytes())
        found[f"{name[:8]} shown"] = digest(takes.segment(name, _SHOWN, 8).read_bytes())
    return found


def _takes_whole(folder: Path) -> None:
    takes = Takes(folder / "takes")
    for name in names(_LINKS):
        if name in takes:
            takes.frames(name), takes.past(name)


_CLIPS, _LENGTH = 3, 4


def _films(size: int) -> list[tuple[Script, np.ndarray]]:
    frames = [_pictures(i, _CLIPS * _LENGTH, size) for i in range(3)]
    return [(Script(f"film-{i}", film[0], ("",) * _CLIPS), film) for i, film in enumerate(frames)]


def _make_films(folder: Path, size: int, lossless: bool) -> None:
    """As a generator does: groups of films, each from its hand-off on; what a clip shows depends on what the hand-off kept."""
    films = _films(size)
    for rows, reel in reels(folder, [script for script, _ in films], _CLIPS * _LENGTH, 8, 2, lossless):
        if not reel.done:
            handoff = reel.resume() or Handoff(0, {"seen": np.zeros(1, np.uint8)})
            for clip in range(handoff.clip, _CLIPS):
                shown = np.stack([films[row][1][clip * _LENGTH : (clip + 1) * _LENGTH] for row in rows])
                shown = shown ^ handoff.past["seen"]
                handoff = Handoff(clip + 1, {"seen": shown.max(axis=(0, 1, 2, 3, 4), keepdims=False)[None]})
                reel.write(shown, clip * _LENGTH, handoff)
        reel.finish(_CLIPS)


def _made_films(folder: Path) -> Result:
    assert not (folder / "films").exists()
    return digests(folder, "frames.npy", "videos/*")


def _score(folder: Path) -> None:
    """As a suite does: what is known of a film is kept, and not found out again."""
    for film in range(6):
        file = folder / f"{film}.npy"
        if not file.is_file():
            content = io.BytesIO()
            np.save(content, np.arange(film + 1000))
            write_score(file, content.getvalue())
        np.load(file)


PARTS = (
    Part("scores", _score, lambda folder: digests(folder, "*.npy"), lines=("benchmarks/atomic.py",)),
    Part("takes", _keep_takes, _taken, sound=_takes_whole, lines=("generation/takes.py", "svi/disk.py")),
    Part(
        "reel, frames kept",
        lambda folder: _make_films(folder, 16, True),
        _made_films,
        lines=("generation/reel.py", "svi/disk.py"),
    ),
    Part(
        "reel", lambda folder: _make_films(folder, 64, False), _made_films, lines=("generation/reel.py", "svi/disk.py")
    ),
)
