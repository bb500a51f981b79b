"""VBench's own package as the judge: the same dimensions, videos and weights, in an environment of its own."""

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from benchmarks.artifacts import OFFICIAL_RESULTS
from benchmarks.scorers.metric import Metric
from benchmarks.suites import OFFICIAL, VERSIONS
from benchmarks.suites.suite import Films, Progress, Reasons, Scores
from benchmarks.vbench import official
from benchmarks.vbench.files import FILES
from benchmarks.weights import torch_home, vbench_cache

LABEL = ".official"


class OfficialSuite:
    """The dimensions of `names` by the package in the environment `folder`; its metrics are called `<name>.official`."""

    name = OFFICIAL

    def __init__(self, names: Sequence[str], folder: Path, device: str) -> None:
        self._names, self._folder, self._device = tuple(names), folder, device
        # The package runs CLIP in half precision on a GPU: other scores.
        self.version = VERSIONS[OFFICIAL] + (" cuda" if device.startswith("cuda") else "")
        about = "By the official package vbench {}, whose whole-video score it is."
        self.metrics = tuple(
            Metric(name + LABEL, "higher", self.version, "0..1", "film", (), about.format(self.version))
            for name in self._names
        )

    @cached_property
    def weights(self) -> Mapping[str, Mapping[str, str]]:
        return {
            name + LABEL: {file.name: file.sha256() for file in FILES[name]}
            for name in self._names
            if name + LABEL not in self._missing
        }

    @cached_property
    def _missing(self) -> Reasons:
        reasons = {}
        for name in self._names:
            try:
                official.weights_of(name, vbench_cache(), torch_home())
            except ValueError as error:
                reasons[name + LABEL] = str(error)
        return reasons

    def missing(self, films: Films) -> Reasons:
        return self._missing

    def film_scorer(self, films: Films) -> None:
        return None

    def score(self, films: Films, work: Path, progress: Progress) -> Scores:
        """A dimension at a time: each is a process that loads one model and scores all videos.

        Raises:
            ValueError: the package failed; names its log.
        """
        videos = [films.video(index) for index in range(len(films.names))]
        found = Scores()
        names = [name for name in self._names if name + LABEL not in self._missing]
        for done, name in enumerate(names, start=1):
            out = work / name
            kept = out / OFFICIAL_RESULTS
            if not kept.is_file():
                official.run(self._folder, videos, [name], vbench_cache(), torch_home(), out, self._device)
            result = json.loads(kept.read_text(encoding="utf-8"))[name]
            # By their order: what is kept names their paths, and their folder may have moved since.
            found.values[name + LABEL] = np.array([one["value"] for one in result["videos"].values()])
            found.details[name] = {key: result[key] for key in ("overall", "seconds", "peak_bytes", "versions")}
            progress(done * len(videos) // len(names), len(videos))
        return found
