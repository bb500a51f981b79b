"""Films to score: what the frames are, what is known about their world, and how they are read from a folder.

Shapes: F frames, S samples, H x W pixels, C x h x w latents.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

import numpy as np

from benchmarks.arrays import Array, Floats, Frames
from benchmarks.artifacts import CONTINUATION, FILM_INFO, FRAMES, TRUTH
from benchmarks.films.info import FilmInfo
from benchmarks.films.mp4 import Mp4Frames
from benchmarks.films.reference import ReferenceFolder
from benchmarks.films.truth import FOLLOWED, NEEDED, OBJECTS, STAMPS, Truth, truth_of
from benchmarks.track import clip_slices

Need = Literal["handoffs", "prompts", "truth", "course", "switches", "continuation", "probe", "loudness", "pose"]
BLOCK_BYTES = 4 * 2**20
_PROBE_KEYS = ("condition", "perturbation", "output_clean", "output_perturbed")


@dataclass(frozen=True, eq=False)
class Probe:
    """Latents [C, h, w]: the first condition frame, a Gaussian perturbation of it, and the first output frames from
    the clean and from the perturbed condition with the same noise."""

    condition: Array
    perturbation: Array
    output_clean: Array
    output_perturbed: Array


class Probes:
    """The probes of a file, one a film; those of several sizes are padded in it to the largest.

    Raises:
        ValueError: no such file, or arrays of it that are missing or not of `films` films.
    """

    def __init__(self, file: Path, films: int) -> None:
        if not file.is_file():
            raise ValueError(f"{file}: received no such file, expected the probes of {films} films")
        self._arrays = _read_arrays(file, _PROBE_KEYS, films)
        with np.load(file, allow_pickle=False) as content:
            self._sizes = content.get("sizes")

    def __getitem__(self, film: int) -> Probe:
        height, width = self._arrays["condition"].shape[2:] if self._sizes is None else self._sizes[film]
        return Probe(*(self._arrays[key][film][:, :height, :width] for key in _PROBE_KEYS))


@dataclass(frozen=True, eq=False)
class Film:
    """One film: frames uint8 [F, H, W, 3] (a view of a memory map, or a video) and the frames that each clip gave.

    Raises:
        ValueError: frames of another shape or type, or clips that do not part the frames without a gap.
    """

    frames: Frames
    fps: float
    clips: tuple[slice, ...]
    truth: Truth | None = None
    continuation: Frames | None = None
    probe: Probe | None = None

    def __post_init__(self) -> None:
        shape = self.frames.shape
        if self.frames.dtype != np.uint8 or len(shape) != 4 or shape[3] != 3 or 0 in shape:
            raise ValueError(f"frames: received {self.frames.dtype} {shape}, expected uint8 [F, H, W, 3]")
        edges = [0, *(clip.stop for clip in self.clips)]
        contiguous = all(clip.start == edge < clip.stop for clip, edge in zip(self.clips, edges, strict=False))
        if not contiguous or edges[-1] != shape[0]:
            raise ValueError(f"clips: received {self.clips}, expected slices that part {shape[0]} frames in order")
        if self.continuation is not None and self.continuation.shape != shape:
            raise ValueError(f"continuation: received {self.continuation.shape}, expected the film's {shape}")

    def blocks(self) -> Iterator[slice]:
        """Slices over the film whose frames take a bounded amount of memory as float64."""
        total, *pixel_shape = self.frames.shape
        size = max(1, BLOCK_BYTES // (8 * int(np.prod(pixel_shape))))
        for start in range(0, total, size):
            yield slice(start, min(start + size, total))

    def clip_means(self, per_frame: Floats) -> Floats:
        """[F] -> [n_clips]: the mean of each clip's defined frames; NaN for a clip without one."""
        starts = [clip.start for clip in self.clips]
        defined = ~np.isnan(per_frame)
        sums = np.add.reduceat(np.where(defined, per_frame, 0.0), starts)
        counts = np.add.reduceat(defined.astype(np.int64), starts)
        means = np.full(len(starts), np.nan)
        np.divide(sums, counts, out=means, where=counts > 0)
        return means


class FilmFolder:
    """The films of one folder: frames.npy (memory-mapped) or the mp4s that film.json names, and truth.npz and continuation.npy
    (memory-mapped too) where they exist; the `probe`, a file, was measured before the films were made.

    With a `reference` the true films are its videos. Small frames are enlarged in an mp4; what is known of their world then has
    another size and serves no metric. Films that were made each at its own size have a `size` in film.json, and probes padded
    to the largest.

    Raises:
        ValueError: a missing or malformed file, or arrays whose shapes contradict each other.
    """

    def __init__(self, folder: Path, reference: ReferenceFolder | None = None, probe: Path | None = None) -> None:
        info = FilmInfo.read(folder)
        self.names = [sample.name for sample in info.samples]
        self.fps = info.fps
        self.track, self.track_version = info.track, info.track_version
        self.samples_hash = info.samples_hash
        self._lossless = _read_frames(folder / FRAMES, len(self.names))
        self._prompts = [sample.prompts for sample in info.samples]
        self._videos = [folder / sample.video for sample in info.samples]
        if self._lossless is None and not self._videos[0].is_file():
            what = f"no {FRAMES} and no {self._videos[0].name}"
            raise ValueError(f"{folder}: received {what}, expected a folder of generated films; generate them again")
        own_sizes = len({sample.size for sample in info.samples}) > 1
        self._shape = self._frames(0).shape
        self._shapes = [self._frames(row).shape if own_sizes else self._shape for row in range(len(self.names))]
        cut = (info.n_clips, info.clip_frames, info.overlap, info.overlap_from, info.anchor)
        self.clips = clip_slices(self._shape[0], *cut)
        self._truth = _read_truth(folder / TRUTH, len(self.names))
        true_films = folder / CONTINUATION
        self._continuation: Array | None = np.load(true_films, mmap_mode="r") if true_films.is_file() else None
        self._enlarged = self._lossless is None and any(
            known.shape[-3:-1] != self._shape[1:3]
            for known in (self._continuation, self._truth.get("background"))
            if known is not None
        )
        if self._enlarged:
            self._truth, self._continuation = {}, None
        shape = (len(self.names), *self._shape)
        if self._continuation is not None and self._continuation.shape != shape:
            raise ValueError(f"{CONTINUATION}: received {self._continuation.shape}, expected {shape}")
        self._probes = None if probe is None else Probes(probe, len(self.names))
        self._reference = reference
        if reference is not None:
            reference.check(dict(zip(self.names, self._shapes, strict=True)), self.fps)

    def _true_film(self, index: int) -> Frames | None:
        if self._reference is not None:
            return self._reference.frames(self.names[index], self.fps, self._shapes[index])
        return None if self._continuation is None else self._continuation[index]

    def _frames(self, index: int) -> Frames:
        return Mp4Frames(self._videos[index]) if self._lossless is None else self._lossless[index]

    @property
    def _switches(self) -> bool:
        asked = self._truth.get("velocities")
        return asked is not None and bool((asked[:, 1:] != asked[:, :-1]).any())

    @property
    def resolutions(self) -> list[tuple[int, int]]:
        """Heights and widths in pixels, of each film."""
        return [(shape[1], shape[2]) for shape in self._shapes]

    def video(self, index: int) -> Path:
        """The mp4 of sample `index`."""
        return self._videos[index]

    def clip_prompts(self, index: int) -> tuple[str, ...]:
        """Those of sample `index`, one a clip."""
        return self._prompts[index]

    def missing(self, need: Need) -> str | None:
        """Why the films cannot serve a metric with that need; None if they can."""
        if need == "handoffs":
            return None
        if need == "prompts":
            told = all(len(prompts) == len(self.clips) for prompts in self._prompts)
            return None if told else f"needs the prompt of each clip, which {FILM_INFO} does not say of these films"
        if need == "probe":
            return None if self._probes else "needs the probe's latents, which these films do not have"
        if need == "continuation" and self._reference is not None:
            return None
        if self._enlarged:
            return "needs the frames as they were made (generate.lossless=true): in the mp4s they are enlarged"
        if need == "continuation" and self._continuation is None:
            return f"needs the true film ({CONTINUATION}), which is not known of these films"
        if need == "truth" and not self._truth:
            return f"needs the true scene ({TRUTH}), which these films do not have: their world is not known"
        if need == "switches" and not self._switches:
            return "needs prompts that change what they ask for within a film, which these do not"
        if any(key not in self._truth for key in NEEDED.get(need, ())):
            what = "course of its objects" if need == "course" else f"{need} that the films follow"
            older = need == "course" and not self._truth.keys() & FOLLOWED
            again = ": they were made before it was kept; make them again" if older else ""
            return f"needs the {what} ({TRUTH}), which these films do not have{again}"
        return None

    def film(self, index: int) -> Film:
        """The film of sample `index`; its frames stay on disk until they are read."""
        truth = {key: array[index] for key, array in self._truth.items()}
        return Film(
            frames=self._frames(index),
            fps=self.fps,
            clips=self.clips,
            truth=truth_of(truth) if truth else None,
            continuation=self._true_film(index),
            probe=self._probes[index] if self._probes else None,
        )


def _read_frames(path: Path, samples: int) -> Array | None:
    """The frames of all films, one row a sample; None when they were not kept."""
    if not path.is_file():
        return None
    frames: Array = np.load(path, mmap_mode="r", allow_pickle=False)
    if frames.ndim != 5 or len(frames) != samples:
        expected = f"[{samples}, F, H, W, 3] for the samples of {FILM_INFO}"
        raise ValueError(f"{path.name}: received {frames.shape}, expected {expected}; generate the films again")
    return frames


def _read_truth(path: Path, samples: int) -> dict[str, Array]:
    """What is known of all films, one row a sample; empty when there is no such file."""
    arrays = _read_arrays(path, ("background",), samples, tuple(one.name for one in fields(Truth)))
    absent = [name for name in OBJECTS if name not in arrays]
    if arrays and absent and STAMPS not in arrays:
        raise ValueError(f"{path.name}: received no {', '.join(absent)}, expected them or {STAMPS}")
    return arrays


def _read_arrays(path: Path, keys: tuple[str, ...], samples: int, more: tuple[str, ...] = ()) -> dict[str, Array]:
    """The arrays of an .npz file, and those of `more` that it has, one row a sample; empty when there is no such file."""
    if not path.is_file():
        return {}
    with np.load(path, allow_pickle=False) as file:
        absent = [key for key in keys if key not in file]
        if absent:
            raise ValueError(f"{path.name}: received no {', '.join(absent)}, expected {', '.join(keys)}")
        arrays = {key: file[key] for key in dict.fromkeys((*keys, *more)) if key in file}
    for key, array in arrays.items():
        if len(array) != samples:
            raise ValueError(f"{path.name}: received {key} {array.shape}, expected {samples} samples on its first axis")
    return arrays
