"""What films are scored with: the suites that a track and the settings ask for, a Score stage each."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.suites import EMBEDDED, FVD, LOUDNESS, OFFICIAL, POSE, SYNC, VBENCH, VERSIONS
from benchmarks.track import Track
from benchmarks.vbench.files import CLIP_BPE, FILES
from benchmarks.weights import WeightFile
from harness.core.errors import UseError
from harness.core.registry import suggestion
from harness.core.signature import canonical, fingerprint
from harness.declare.doors import DIGITS, DOORS, Found, loaded, version_of
from harness.declare.settings import ScoreSettings, Settings
from harness.plan.model import settled

if TYPE_CHECKING:
    from benchmarks.films.videos import VideoFolder
    from benchmarks.suites.suite import Suite

FOLLOWED = {"audio": LOUDNESS, "pose": POSE}  # the suite of a signal
Scoring = tuple[str, dict[str, Any], dict[str, Any]]


def scorings(settings: ScoreSettings, track: Track, cache: Path, follows: str | None = None) -> Iterator[Scoring]:
    """Of every suite: its name, what its scores depend on beside the films, and paths that they do not depend on.

    `cache` keeps the hashes of files; `follows`: the signal of films whose world is known. Raises UseError for a judge without its
    environment, or a folder that is not there.
    """
    reference, audio = (_compared(settings, key, cache) for key in ("reference", "audio"))
    dimensions = {"dimensions": list(settings.dimensions)}
    weights = [file for name in settings.dimensions for file in FILES[name]]
    yield _scoring(EMBEDDED, [], cache, reference)
    if follows in FOLLOWED:
        yield _scoring(FOLLOWED[follows], [], cache, ({}, {}))
    if settings.dimensions:
        files, found = _derived(settings.dimensions)
        yield _scoring(VBENCH, [*weights, *files], cache, (dimensions | found, {}))
    if settings.judge:
        _check_judge(settings)
        yield _scoring(OFFICIAL, weights, cache, (dimensions, {}))
    if track.condition == "audio":
        from benchmarks.sync.files import SYNC_FILES

        yield _scoring(SYNC, SYNC_FILES, cache, audio)
    if settings.reference is not None:
        from benchmarks.fvd.files import FVD_FILES

        yield _scoring(FVD, FVD_FILES, cache, reference)
    yield from _own(settings)


def _derived(dimensions: Iterable[str]) -> tuple[list[WeightFile], dict[str, Any]]:
    """What VBench's dimensions find on the way has versions of its own, so that only films which lack some of it are scored again;
    prompt match counts from when its vocabulary is there."""
    from benchmarks.suites.derived import METRICS, PROMPT_MATCH, SOURCES

    found = {name: METRICS[name].version for name, source in SOURCES.items() if source in dimensions}
    files = [CLIP_BPE] if PROMPT_MATCH in found and CLIP_BPE.path.is_file() else []
    if not files:
        found.pop(PROMPT_MATCH, None)
    return files, {"derived": found} if found else {}


def check_metric(name: str, settings: Settings) -> str:
    """Which way a metric is better: higher, lower or none. Raises UseError unless films made with these settings will have a
    score of that name."""
    from benchmarks.suites.derived import METRICS as DERIVED
    from benchmarks.suites.derived import SOURCES
    from benchmarks.suites.driven import SCORERS
    from benchmarks.suites.embedded import METRICS

    followed = FOLLOWED.get(settings.condition.signal or "")
    built_in = METRICS | ({one.name: one for one in SCORERS[followed].metrics} if followed else {})
    own = {metric.name: metric for reference in settings.score.own for metric in metric_of(reference).value.metrics}
    derived = {name: DERIVED[name] for name, source in SOURCES.items() if source in settings.score.dimensions}
    metrics = {**built_in, **derived, **own}
    known = [*metrics, *settings.score.dimensions]
    if name not in known:
        raise UseError(f"no metric {name!r}: {suggestion(name, known)}")
    real = settings.data.path or settled(settings).eval.path
    needs = [need for need in (metrics[name].needs if name in metrics else ()) if need not in ("handoffs", "prompts")]
    if real and needs:
        raise UseError(
            f"{name} needs {', '.join(needs)}, which only the embedded world has; leave data.path, eval.path and "
            "other profiles out, or choose a metric that any film has, such as one of VBench"
        )
    return own[name].direction if name in own else direction_of(name)


def direction_of(metric: str) -> str:
    """The same of what is built in. All others, such as those of VBench, are held to be better the higher."""
    from benchmarks.suites.derived import METRICS
    from benchmarks.suites.driven import WORLD_METRICS

    known = WORLD_METRICS | METRICS
    return known[metric].direction if metric in known else "higher"


def metric_of(reference: str) -> Found:
    """The scorer of a file or an installed package. Raises UseError for one that is none, or whose metrics are amiss."""
    from benchmarks.suites.own import TAKEN, checked_metrics

    found = DOORS["metric"].find(reference, TAKEN, "metric")
    try:
        checked_metrics(found.name, found.value.metrics)
    except ValueError as error:
        raise UseError(f"{reference}: {error}") from error
    return found


def _own(settings: ScoreSettings) -> Iterator[Scoring]:
    """A suite a scorer, so that one that is added or mended costs nothing else."""
    taken: dict[str, str] = {}
    for reference in settings.own:
        found = metric_of(reference)
        names = [found.name, *(metric.name for metric in found.value.metrics)]
        for name in names:
            if name in VERSIONS or name in taken:
                by = f"{taken[name]} has" if name in taken else "a built-in suite has"
                raise UseError(
                    f"score.metrics={settings.metrics}: {reference} has the name {name!r}, which {by} too; rename it"
                )
        taken |= dict.fromkeys(names, reference)
        identity = {"suite": found.name, "suite_version": str(version_of(found)), **found.identity("suite")}
        yield found.name, identity, {"suite.target": found.target}


def suite_of(settings: Mapping[str, Any]) -> "Suite":
    """The suite of a Score stage, on a GPU where there is one."""
    from benchmarks.suites.suite import default_device

    name, device = settings["suite"], default_device()
    if "suite.target" in settings:
        from benchmarks.suites.own import OwnSuite

        scorer, source = loaded(settings["suite.target"], settings["suite.source"]), settings["suite.source"]
        return OwnSuite(name, f"{settings['suite_version']} {source[:DIGITS]}", scorer())
    if name == VBENCH:
        from benchmarks.suites.vbench import VbenchSuite

        return VbenchSuite(settings["dimensions"], device)
    if name == OFFICIAL:
        from benchmarks.suites.official import OfficialSuite
        from benchmarks.vbench.official import default_folder

        return OfficialSuite(settings["dimensions"], default_folder(), device)
    if name == SYNC:
        from benchmarks.suites.sync import SyncSuite

        return SyncSuite(settings.get("audio"), device)
    if name == FVD:
        from benchmarks.suites.fvd import FvdSuite

        return FvdSuite(settings["reference"], device)
    if name in (LOUDNESS, POSE):
        from benchmarks.suites.driven import DrivenSuite

        return DrivenSuite(name)
    from benchmarks.suites.embedded import EmbeddedSuite

    return EmbeddedSuite()


def contents(videos: "VideoFolder", cache: Path) -> str:
    """A digest of the names and contents of the files that are scored, and of nothing that lies beside them."""
    pairs = [[name, fingerprint(videos.video(index), cache)] for index, name in enumerate(videos.names)]
    return hashlib.sha256(canonical(pairs).encode()).hexdigest()


def _scoring(
    name: str, files: Iterable[WeightFile], cache: Path, more: tuple[dict[str, Any], dict[str, Any]]
) -> Scoring:
    identity: dict[str, Any] = {"suite": name, "suite_version": VERSIONS[name]}
    if files:
        identity["weights"] = {
            file.name: _digest(file.path, cache) if file.path.is_file() else None for file in dict.fromkeys(files)
        }
    return name, {**identity, **more[0]}, more[1]


def _digest(path: Path, cache: Path) -> str:
    status = path.stat()
    return _known_digest(path, status.st_size, status.st_mtime_ns, cache)


@lru_cache(maxsize=64)  # a plan asks for the same few files of every track
def _known_digest(path: Path, size: int, modified_ns: int, cache: Path) -> str:
    return fingerprint(path, cache)


def _compared(settings: ScoreSettings, key: str, cache: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Identity and path of a folder that films are compared with; empty where none is given."""
    path = getattr(settings, key)
    if path is None:
        return {}, {}
    if not Path(path).is_dir():
        raise UseError(f"score.{key}={path}: no such folder (looked in {Path(path).absolute()})")
    if not any(Path(path).iterdir()):
        raise UseError(f"score.{key}={path}: the folder is empty; expected a file for each sample, by its name")
    return {f"{key}.fingerprint": fingerprint(Path(path), cache)}, {key: str(Path(path).absolute())}


def _check_judge(settings: ScoreSettings) -> None:
    from benchmarks.vbench import official

    if not settings.dimensions:
        raise UseError("score.judge=true with score.vbench=none: there is no dimension to judge; leave one of them out")
    try:
        official.python_of(official.default_folder())
    except ValueError as error:
        raise UseError(
            f"score.judge=true: VBench's own package has no environment in {official.default_folder()} (HARNESS_VBENCH_ENV "
            "names another one); build it with: harness doctor --install vbench"
        ) from error
