"""Versions of one true film as films to score: each is made when a scorer asks for it."""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from benchmarks.films.film import Film, Need
from benchmarks.suites.suite import Films
from benchmarks.validation.drifts import DRIFTS
from benchmarks.validation.ordinary import coded, ordinary, write_mp4


class Version(NamedTuple):
    """A drift by its name and how much of it; no drift at all where the dose is 0."""

    drift: str
    dose: float


class Versions:
    """One true film in several versions (protocol: benchmarks.suites.suite.Films).

    All of them differ from it in the same ordinary way, which `seed` decides, and have been encoded.
    """

    def __init__(self, films: Films, index: int, versions: Sequence[Version], seed: int, work: Path) -> None:
        """Of film `index`, whose frames must be true; `work` is a folder for its videos."""
        self.names = [f"{version.drift} {version.dose:g}" for version in versions]
        self.fps, self.track, self.track_version = films.fps, films.track, films.track_version
        self.samples_hash, self.resolutions = films.samples_hash, films.resolutions
        self._films, self._true, self._versions = films, films.film(index), versions
        self._seed, self._work = (seed, index), work
        self._made = lru_cache(maxsize=1)(self._make)  # suites ask for one film after the other

    def missing(self, need: Need) -> str | None:
        return self._films.missing(need)

    def film(self, index: int) -> Film:
        return self._made(index)

    def clip_prompts(self, index: int) -> tuple[str, ...]:
        return self._films.clip_prompts(self._seed[1])

    def video(self, index: int) -> Path:
        path = self._work / f"{index}.mp4"
        if not path.is_file():
            self._work.mkdir(parents=True, exist_ok=True)
            write_mp4(path, self._made(index).frames[:], self.fps)
        return path

    def _make(self, index: int) -> Film:
        drift, dose = self._versions[index]
        frames = DRIFTS[drift].act(self._true, dose) if dose else self._true.frames[:]
        return replace(self._true, frames=coded(ordinary(frames, self.fps, self._seed), self.fps))
