"""`harness score`: videos that any method made, checked, scored, logged and compared."""

import os
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from benchmarks.artifacts import SCORE_INFO
from benchmarks.samples import content_hash, load_samples
from benchmarks.track import Track
from harness.commands.executors import EXECUTOR, LOCAL, Asking, open_executor
from harness.commands.options import JOBS, LIMIT, STORE, verbosity_options
from harness.commands.printing import print_markdown
from harness.commands.progress import console_of
from harness.core.credentials import repeated
from harness.core.errors import UseError
from harness.core.gpus import visible_gpus
from harness.core.graph import Graph
from harness.core.names import LONGEST
from harness.core.store import Store
from harness.declare.settings import ScoreSettings, Settings
from harness.declare.spec import SECRET, parse_overrides, resolve, typed
from harness.declare.tracks import identity_of, track_of
from harness.plan.kinds import VIDEO_SCORES
from harness.plan.pipeline import Builder
from harness.plan.scoring import contents
from harness.results.scored_videos import ScoredVideos, check_scored, scored_videos

if TYPE_CHECKING:
    from benchmarks.films.videos import VideoFolder

SCORED = "scored videos"  # their experiment in MLflow
_SHOWN = 5
_ALLOWED = ("score.", "slurm.", "tracking.uri")


@dataclass(frozen=True)
class ScoreRequest:
    """What a person asked for: the videos of `folder`, as films of a track, under a name; None: as the videos tell."""

    folder: Path
    track: str | None
    name: str | None
    samples: Path | None
    limit: int | None
    judge: bool
    overrides: Sequence[str]


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.argument("overrides", nargs=-1, metavar="[score.KEY=VALUE]... [slurm.KEY=VALUE]...")
@click.option("--track", default=None, help="what they show: see `harness list`  [default: by how long they last]")
@click.option(
    "--name", default=None, help="what their row is called  [default: the project whose folder it is, or the folder]"
)
@click.option("--samples", type=click.Path(path_type=Path), default=None, help="the samples they were made from")
@LIMIT
@click.option("--judge", is_flag=True, help="score by the official VBench package as well, and print the differences")
@EXECUTOR
@STORE
@JOBS
@verbosity_options
def score(executor: str, store: Path, jobs: int, verbosity: int, **request: Any) -> None:
    """Score the mp4s of a folder, whatever made them; says first what is off about them.

    The output folders of SVI, Helios, LongLive, Rolling Forcing, Self-Forcing, FramePack, FastVideo, LightX2V, Wan2GP and ComfyUI
    are taken as they are.
    """
    sys.exit(score_videos(ScoreRequest(**request), store, jobs, verbosity, executor))


def score_videos(request: ScoreRequest, root: Path, jobs: int, verbosity: int, executor_name: str = LOCAL) -> int:
    """Check, score, log and compare; prints the track's table. Raises UseError; returns the exit code."""
    from harness.run.schedule import run

    if request.name is not None:
        check_scored("the row of --name", request.name)
    asked = None if request.track is None else _checked_track(request.track)
    settings, samples = _score_settings(request), _sample_list(request, asked)
    videos = _checked_videos(request.folder, asked, samples, settings.score)
    track = videos.scored_as
    notes = [*videos.notes, *_notes_of_sound(videos.names, track, settings.score)]
    store = Store(root)
    known = scored_videos(store)  # a damaged one is said now
    taken = _taken(request.folder, track.name, known)
    name = request.name or _name(request.folder, videos.project, track.name, taken)
    if name in taken:
        notes.append(
            f"{name!r} was the row of {taken[name]}, and is now that of these videos; to have both, score those again with "
            "another --name (their scores are kept)"
        )
    builder = Builder(store.fingerprints)
    identity = {
        "videos.fingerprint": contents(videos, store.fingerprints),
        **identity_of(track),
        "samples": samples,
    }
    paths = {"videos": str(request.folder.absolute())}
    label = f"{name}, {track.name}"
    signatures = builder.scores(settings.score, track, label, {}, len(videos.names), VIDEO_SCORES, identity, paths)
    console = console_of(builder.graph, store, jobs, False, verbosity)
    for note in notes:
        console.say(f"note: {note}")
    if executor_name == LOCAL:
        _share_cores(builder.graph, store, jobs)
    asking = Asking(settings.slurm, False, name, console.say)
    with console, open_executor(executor_name, jobs, builder.graph, store, asking) as executor:
        outcome = run(builder.graph, store, executor, console.event, console.tick)
    for event in [*outcome.failed.values(), *outcome.blocked.values()]:
        raise UseError(event.message)
    record = ScoredVideos(name, track.name, paths["videos"], signatures, _command_again(request), videos.by_name)
    record.write(store)
    _log(record, videos, settings, store, console.say)
    _show(record, store)
    return 0


def _checked_track(name: str) -> Track:
    """The track of that name. Raises UseError."""
    try:
        return track_of(name)
    except UseError as error:
        raise UseError(f"--track: {error}") from error


def _score_settings(request: ScoreRequest) -> Settings:
    """What the command line sets. Raises UseError for settings that videos cannot be scored by."""
    values = {**parse_overrides(request.overrides), **({"score.judge": True} if request.judge else {})}
    for key in values:
        if not key.startswith(_ALLOWED):
            raise UseError(
                f"{key}: videos are scored as they are; expected settings of score.*, slurm.* or tracking.uri alone"
            )
    return resolve(Settings, [("command line", values)]).settings


def _taken(folder: Path, track: str, known: Sequence[ScoredVideos]) -> dict[str, str]:
    """The rows of a track that are other folders' -> these folders."""
    folder = folder.resolve()
    return {one.name: one.videos for one in known if one.track == track and Path(one.videos).resolve() != folder}


def _name(folder: Path, project: str, track: str, taken: Mapping[str, str]) -> str:
    """What videos are called of which nothing is said: as the project, and as the folder too where it has another row there.

    Raises UseError where another folder's videos are called so.
    """
    place = re.sub(r"[^A-Za-z0-9_.+() -]", "-", folder.resolve().name).lstrip("_.+() -")[: LONGEST // 2] or "videos"
    named = [project, f"{project} ({place})"] if project else [place]
    if name := next((name for name in named if name not in taken), None):
        return name
    raise UseError(
        f"{named[-1]!r} is taken on {track} by {taken[named[-1]]}; give these videos another name with --name"
    )


def _sample_list(request: ScoreRequest, track: Track | None) -> list[Any] | None:
    """Names and content hash of the sample list; None where none was given. Raises UseError."""
    if request.samples is None:
        if request.limit is not None:
            raise UseError(f"--limit {request.limit} goes with --samples, the list whose first ones it takes")
        return None
    if track is None:
        raise UseError("--samples goes with --track, whose samples they are: see `harness list`")
    try:
        samples = load_samples(request.samples, track)[0][: request.limit]
    except ValueError as error:
        raise UseError(f"--samples: {error}") from error
    return [[sample.name for sample in samples], content_hash(samples)]


def _checked_videos(
    folder: Path, track: Track | None, samples: list[Any] | None, settings: ScoreSettings
) -> "VideoFolder":
    """The videos, which fit the track and the samples. Raises UseError for those that do not, and for a missing reference."""
    from benchmarks.films.reference import ReferenceFolder
    from benchmarks.films.videos import VideoFolder

    try:
        reference = None if settings.reference is None else ReferenceFolder(Path(settings.reference))
    except ValueError as error:
        raise UseError(f"score.reference={settings.reference}: {error}") from error
    try:
        return VideoFolder(folder, track, None if samples is None else (samples[0], samples[1]), reference)
    except ValueError as error:
        raise UseError(str(error)) from error


def _notes_of_sound(names: Sequence[str], track: Track, settings: ScoreSettings) -> list[str]:
    """A note of the videos that have no wav in score.audio, on a track that is scored by sound. Raises UseError: none has."""
    if track.condition != "audio" or settings.audio is None:
        return []
    missing = [name for name in names if not Path(settings.audio, f"{name}.wav").is_file()]
    listed = ", ".join(f"{name}.wav" for name in missing[:_SHOWN]) + (", ..." if len(missing) > _SHOWN else "")
    if len(missing) == len(names):
        raise UseError(
            f"score.audio={settings.audio}: received no {listed}, expected one wav for each video, by its name"
        )
    return (
        [f"{len(missing)} videos have no sound in {settings.audio} and get no score of it: {listed}"] if missing else []
    )


def _share_cores(graph: Graph, store: Store, jobs: int) -> None:
    """Without a GPU, divide the cores among the processes that will run, which are few and long; a person's OMP_NUM_THREADS
    holds."""
    from harness.run.local import THREADS

    stages = sum(node.ranks for node in graph if not store.done(node.kind, node.signature))
    if stages and not visible_gpus() and "OMP_NUM_THREADS" not in os.environ:
        share = max(1, len(os.sched_getaffinity(0)) // min(stages, jobs))
        os.environ.update({name: os.environ.get(name, str(share)) for name in THREADS})


def _command_again(request: ScoreRequest) -> str:
    """The command that scores them again, to be pasted into a shell, and what it leaves out."""
    words = ["harness", "score", str(request.folder)]
    words += ["--track", request.track] if request.track else []
    words += ["--name", request.name] if request.name else []
    words += ["--samples", str(request.samples)] if request.samples else []
    words += ["--limit", str(request.limit)] if request.limit else []
    words += ["--judge"] if request.judge else []
    given = {key: value for key, value in parse_overrides(request.overrides).items() if not key.startswith("slurm.")}
    return repeated(shlex.join([*words, *typed(given)]), given.get(SECRET))


def _log(record: ScoredVideos, videos: "VideoFolder", settings: Settings, store: Store, say: Any) -> None:
    """To MLflow: one run a name and track, its scores as curves over windows, the records as artifacts."""
    from benchmarks.suites.record import ScoreRecord
    from benchmarks.suites.suite import size_label
    from harness.core.provenance import git_state
    from harness.publish.curves import score_curves
    from harness.tracking import RunInfo, Tracker, resolve_uri

    about = {
        "track": record.track,
        "fps": videos.fps,
        "resolution": size_label(videos.resolutions),
        "videos": len(videos.names),
        "samples_hash": videos.samples_hash,
    }
    info = RunInfo(
        name=f"{record.name} · {record.track}",
        params=about,
        config={
            **about,
            "samples": videos.names,
            "project": videos.project,
            "prompts": videos.prompts,
            "folder": record.videos,
            "scores": record.scores,
        },
        tags={**git_state(), "variant": record.name, "track": record.track},
        description=f"Videos of **{record.name}**, scored on {record.track}.\n\n`{record.command}`",
    )
    tracker: Tracker
    with Tracker(resolve_uri(settings.tracking.uri, store.root), store.root, SCORED, say) as tracker:
        run = tracker.parent(f"{record.track}/{record.name}", info)
        for suite, signature in record.scores.items():
            folder = store.artifact(VIDEO_SCORES.name, signature)
            curves = score_curves(ScoreRecord.read(folder).values, record.track)
            created = datetime.fromisoformat(store.manifest(VIDEO_SCORES.name, signature)["created"]).timestamp()
            tracker.curve(run, f"scores {suite}", curves, identity=signature, measured=created)
            tracker.artifact(run, f"record {suite}", folder / SCORE_INFO, f"scores/{suite}", identity=signature)
        tracker.finish(run, "FINISHED")


def _show(record: ScoredVideos, store: Store) -> None:
    """The table of everything scored on the track, this row first; alone where the others were made differently."""
    from harness.results.scored_table import scored_table

    others = [one for one in scored_videos(store) if one.track == record.track and one.name != record.name]
    print_markdown(scored_table(store, record, others))
