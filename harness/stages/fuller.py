"""A finished stage that differs in nothing but more films: a smaller number of them is there already."""

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.films.info import FilmInfo
from benchmarks.samples import content_hash, load_samples
from harness.core.artifacts import COST
from harness.core.job import Job
from harness.core.signature import signature
from harness.core.store import Store, is_store, stage_name
from harness.declare.tracks import track_in
from harness.stages.reading import Reading
from svi.artifacts import FRAMES, SIGNALS, VIDEOS
from svi.generation.reel import WORK

NUMBER, STARTS, FOLLOWED = "generate.samples", "eval.samples", "eval.signals"


def fuller(job: Job, read: Reading) -> Path | None:
    """The folder of such a stage, whose first films are all that this one shall make; None where there is none.

    Raises UseError where it is damaged: the films taken from it would get sound checksums.
    """
    root = job.folder.parents[1]
    if not is_store(root):
        return None
    store = Store(root)
    for manifest in store.manifests(job.kind):
        identity = manifest["identity"]
        if identity[NUMBER] <= job.settings[NUMBER]:  # most: a hash for each of a sweep's thousands would take seconds
            continue
        as_here = {**identity, **{key: job.settings[key] for key in (NUMBER, STARTS, FOLLOWED) if key in job.settings}}
        here = signature(job.kind, manifest["version"], as_here, manifest["upstream"])
        if stage_name(job.kind, here) == job.folder.name and _begins_alike(identity, job, read):
            return store.find(manifest["signature"])
    return None


def _begins_alike(identity: Mapping[str, Any], job: Job, read: Reading) -> bool:
    """Whether its films start from the samples that are there now, so that its first ones are ours."""
    if read.eval.path is None:  # scenes and held-back clips are drawn in one order, however many are taken
        return True
    followed = job.settings.get(FOLLOWED, [])
    if identity.get(FOLLOWED, [])[: len(followed)] != followed:
        return False
    samples, starts = load_samples(read.eval.path, track_in(job.settings))[0], str(identity[STARTS])
    return content_hash(samples[: identity[NUMBER]]) == starts


def take_films(source: Path, count: int, folder: Path) -> None:
    """The first `count` films of a finished stage: their mp4s and what they follow as links to the same bytes, and their lossless
    frames."""
    shutil.rmtree(folder / WORK, ignore_errors=True)  # of an attempt that made films and was cut short
    if (source / FRAMES).is_file():
        frames = np.load(source / FRAMES, mmap_mode="r")
        taken = np.lib.format.open_memmap(
            folder / FRAMES, mode="w+", dtype=frames.dtype, shape=(count, *frames.shape[1:])
        )
        for row in range(count):  # one film in memory
            taken[row] = frames[row]
    if (source / COST).is_file():
        shutil.copyfile(source / COST, folder / COST)  # of more films, and of as many more seconds
    films = FilmInfo.read(source).samples
    _take_signals(source, [film.name for film in films], count, folder)
    (folder / VIDEOS).mkdir(exist_ok=True)  # last: a film whose mp4 is there counts as made
    for film in films[:count]:
        _link(source / film.video, folder / film.video)


def _take_signals(source: Path, names: Sequence[str], count: int, folder: Path) -> None:
    """What the first `count` films follow, where it lies beside them: files of their names, with endings of their own."""
    if not (source / SIGNALS).is_dir():
        return
    (folder / SIGNALS).mkdir(exist_ok=True)
    for file in (source / SIGNALS).iterdir():
        whose = max((name for name in names if file.name.startswith(name)), key=len, default=None)  # "a" or "a.b"
        if whose in names[:count]:
            _link(file, folder / SIGNALS / file.name)


def _link(source: Path, target: Path) -> None:
    target.unlink(missing_ok=True)  # of an attempt that was cut short
    try:
        os.link(source, target)
    except OSError:  # a disk without hard links
        shutil.copyfile(source, target)
