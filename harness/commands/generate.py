"""`harness generate`: one film from an image or a video, as stages of the store."""

import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any, get_args

import click
from click.core import ParameterSource

from benchmarks.samples import NAME_BYTES
from harness.commands.executors import EXECUTOR, LOCAL, SLURM, Asking, open_executor
from harness.commands.film_plan import FilmRequest, Planned, planned, told
from harness.commands.options import (
    EXISTING_FILE,
    PROFILE,
    RECIPES,
    STORE,
    Number,
    Whole,
    overrides_argument,
    verbosity_options,
)
from harness.commands.progress import console_of
from harness.commands.replay import replayed
from harness.core.artifacts import SINGLE_FILM
from harness.core.atomic import replacing
from harness.core.errors import Interrupted, UseError
from harness.core.store import ELAPSED, ERROR, Store
from harness.declare.numbers import LARGEST_SEED
from harness.plan.image_fit import Fit
from harness.plan.kinds import FILM, TOLD, Kind
from svi.artifacts import VIDEOS


@click.command()
@click.argument("target", type=click.Path(path_type=Path), metavar="OUT.mp4")
@overrides_argument()
@click.option("--image", type=EXISTING_FILE, help="first frame; what the film cuts of it is said")
@click.option(
    "--video",
    type=EXISTING_FILE,
    help="a video to go on from, which begins the film; --image is then the reference image, without it the video's last frame",
)
@click.option("--prompts", type=EXISTING_FILE, help='file: one prompt a line, or ["...", ...]')
@click.option("--replay", type=EXISTING_FILE, help="settings.json of a film of `harness desk`, which is made once more")
@click.option(
    "--lora",
    "loras",
    multiple=True,
    metavar="[EXPERT=]FILE[:STRENGTH]",
    help="LoRA file or folder of any known format; several act together; two experts take one each, or are named",
)
@click.option(
    "--signal",
    type=EXISTING_FILE,
    help="what it follows, as condition.signal says: sound (wav, mp4, ...), skeletons (mp4 or key points), or your own",
)
@click.option(
    "--seconds",
    type=Number(most=86_400, min_open=True),
    help="how long, behind --video; without it as long as --signal, else 50",
)
@click.option(
    "--negative", metavar="TEXT", help="what guidance leads away from; without it the recipe's negative prompt"
)
@click.option("--seed", type=Whole(0, LARGEST_SEED), default=0, show_default=True)
@click.option(
    "--fit",
    type=click.Choice(get_args(Fit)),
    default="crop",
    show_default=True,
    help="an image of another shape: its middle, all of it between black bars, or a film of its shape (whole)",
)
@click.option(
    "--stream",
    is_flag=True,
    help="OUT.mp4 can be watched while it is made, clip by clip (an older one is lost at once)",
)
@click.option(
    "--follow",
    type=Number(most=86_400, min_open=True),
    metavar="SECONDS",
    help="prompts may be added to their file meanwhile; the film ends with a line '# end', Ctrl-C, or when it has waited so long",
)
@click.option(
    "--cards",
    type=Whole(most=1024),
    default=1,
    show_default=True,
    help="GPUs that compute each clip together; without a GPU processes",
)
@EXECUTOR
@PROFILE
@RECIPES
@STORE
@verbosity_options
def generate(executor: str, store: Path, verbosity: int, **request: Any) -> None:
    """One film of any length from an image, or behind a video, and prompts; cut short, the same command goes on with it."""
    replay, target = request.pop("replay"), request["target"]
    if target.suffix != ".mp4" or not target.absolute().parent.is_dir() or target.is_dir():
        raise UseError(f"{target}: expected the name of an .mp4 in a folder that exists")
    if len(os.fsencode(target.name)) > NAME_BYTES:
        raise UseError(f"{target.name}: expected a name of at most {NAME_BYTES} bytes; choose a shorter one")
    if replay is not None:
        _check_alone()
    elif request["prompts"] is None:
        raise UseError("a film needs --prompts FILE; --replay FILE makes one of the desk again, and needs nothing else")
    if executor == SLURM and request["follow"] is not None:
        raise UseError(
            "--follow and --executor slurm: Ctrl-C, which may end such a film, ends no job; leave one of them out"
        )
    opened = Store(store)
    sys.exit(make_film(_plan(replay, request, opened, verbosity), opened, target, verbosity, executor))


def _plan(replay: Path | None, request: dict[str, Any], opened: Store, verbosity: int) -> Planned:
    if replay is not None:
        return replayed(replay, opened)
    film = FilmRequest(**request)
    return planned(film, opened) if film.follow is None else follow(film, opened, verbosity)


def _check_alone() -> None:
    """Raises UseError for anything given beside --replay that the film's own file says."""
    context, free = click.get_current_context(), ("target", "replay", "store", "verbosity")
    for one in context.command.params:
        name = one.name or ""
        if name not in free and context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise UseError(f"{one.opts[0]} beside --replay: the file says all of its film; leave one of them out")


def follow(film: FilmRequest, opened: Store, verbosity: int) -> Planned:
    """Make clips as their prompts appear; the plan of the film of them. Ctrl-C ends it with the clips that are there."""
    plan, interrupted = told(film, opened), False
    try:
        carry_out(plan, TOLD, opened, verbosity)
    except Interrupted as end:
        if end.signal != signal.SIGINT:
            raise
        interrupted = True
    for folder in (opened.artifact(TOLD.name, plan.last), opened.partial(TOLD.name, plan.last)):
        shutil.rmtree(folder, ignore_errors=True)  # takes are all that it was for
    ready = planned(film, opened, only_made=interrupted)
    return ready._replace(lines=ready.lines[len(plan.lines) :])


def make_film(plan: Planned, opened: Store, target: Path, verbosity: int, executor: str = LOCAL) -> int:
    """Generate the film, or go on with it, and copy it to its target. Raises UseError; returns the exit code."""
    carry_out(plan, FILM, opened, verbosity, executor)
    _copy(opened.artifact(FILM.name, plan.last) / VIDEOS / f"{SINGLE_FILM}.mp4", target)
    print(target)
    return 0


def carry_out(plan: Planned, last: Kind, opened: Store, verbosity: int, name: str = LOCAL) -> None:
    """All stages of the plan. Raises UseError where the last one, of that kind, was not finished."""
    from harness.run.schedule import run

    # Clips of an earlier attempt are no work now, so its time does not count either.
    (opened.partial(last.name, plan.last) / ELAPSED).unlink(missing_ok=True)
    console = console_of(plan.graph, opened, 1, plan.embedded, verbosity)
    for line in plan.lines:
        console.say(line)
    asking = Asking(plan.slurm, plan.embedded, SINGLE_FILM, console.say)
    with console, open_executor(name, 1, plan.graph, opened, asking) as executor:
        run(plan.graph, opened, executor, console.event, console.tick)
    if not opened.done(last.name, plan.last):
        error = opened.note(last.name, plan.last, ERROR)
        raise UseError(error["message"] if error else "the film was not finished; the same command goes on with it")


def _copy(source: Path, target: Path) -> None:
    """The film, whole or not at all. Raises UseError for a target that cannot be written."""
    try:
        with replacing(target) as fresh:
            shutil.copyfile(source, fresh)
    except OSError as error:
        raise UseError(f"{target} cannot be written: {error.strerror}; the film is {source}") from error
