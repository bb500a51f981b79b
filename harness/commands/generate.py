"""`harness generate`: one film from one image, as stages of the store."""

import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from benchmarks.samples import read_prompts
from benchmarks.track import clips_per_prompt, film_frames, n_clips, n_frames
from harness.commands.options import EXISTING_FILE, PROFILE, RECIPES, STORE, overrides_argument, verbosity_options
from harness.commands.progress import console_of
from harness.core.artifacts import SINGLE_FILM
from harness.core.atomic import replacing
from harness.core.errors import UseError
from harness.core.signature import fingerprint
from harness.core.store import ERROR, Store
from harness.declare.request import layers_of, resolved
from harness.declare.settings import Settings
from harness.declare.spec import parse_overrides
from harness.plan.following import lasting
from harness.plan.kinds import FILM
from harness.plan.method import Method, method_of
from harness.plan.model import Model
from harness.plan.pipeline import Builder
from harness.plan.start import whole
from svi.artifacts import VIDEOS
from svi.data.picture import kept, open_upright, same_shape
from svi.parts import SIGNALS

SECONDS = 50.0  # of a film that follows nothing, as the shorter tracks have


@dataclass(frozen=True)
class FilmRequest:
    """What a person asked for. `loras`: one a transformer of the backbone, in the order of falling noise; none: the base."""

    image: Path
    prompts: Path
    loras: tuple[Path, ...]
    signal: Path | None
    seconds: float | None
    target: Path
    profile: str
    recipes: tuple[str, ...]
    overrides: Sequence[str]
    seed: int
    negative: str | None


@click.command()
@click.argument("target", type=click.Path(path_type=Path), metavar="OUT.mp4")
@overrides_argument()
@click.option("--image", type=EXISTING_FILE, required=True, help="first frame; what the film cuts of it is said")
@click.option("--prompts", type=EXISTING_FILE, required=True, help='file: one prompt a line, or ["...", ...]')
@click.option(
    "--lora",
    "loras",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="LoRA file or folder of any known format; two experts take two",
)
@click.option(
    "--signal",
    type=EXISTING_FILE,
    help="what it follows, as condition.signal says: sound (wav, mp4, ...), skeletons (mp4 or key points), or your own",
)
@click.option(
    "--seconds", type=click.FloatRange(0, min_open=True), help="how long; without it as long as --signal, else 50"
)
@click.option(
    "--negative", metavar="TEXT", help="what guidance leads away from; without it the recipe's negative prompt"
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@PROFILE
@RECIPES
@STORE
@verbosity_options
def generate(store: Path, verbosity: int, **request: Any) -> None:
    """One film of any length from an image and prompts; cut short, the same command goes on with it."""
    sys.exit(make_film(FilmRequest(**request), store, verbosity))


def make_film(request: FilmRequest, store: Path, verbosity: int) -> int:
    """Generate the film, or go on with it, and copy it to its target. Raises UseError; returns the exit code."""
    from harness.core.provenance import facts
    from harness.run.local import Local
    from harness.run.schedule import run

    if request.target.suffix != ".mp4" or not request.target.absolute().parent.is_dir():
        raise UseError(f"{request.target}: expected the name of an .mp4 in a folder that exists")
    settings = _settings(request)
    opened = Store(store)
    builder = Builder(opened.fingerprints)
    model = builder.model(settings)
    method = _method(settings, bool(request.loras), opened.fingerprints)
    seconds = _seconds(request, method, model)
    identity, runtime = _inputs(request, model, opened.fingerprints, seconds)
    work = identity["clips"] * settings.generate.steps
    base = builder.trained_here(model)
    kind, parts, places = method.films(FILM)
    signature = builder.add(kind, request.target.stem, model, {**identity, **parts}, base, work, {**runtime, **places})
    console = console_of(builder.graph, opened, 1, settings.backbone.embedded, verbosity)
    for line in (*_cut(request.image, model), *_ended(request, seconds, identity["frames"], settings)):
        console.say(line)
    with console, Local(1, facts()) as executor:
        run(builder.graph, opened, executor, console.event, console.tick)
    if not opened.done(FILM.name, signature):
        error = opened.note(FILM.name, signature, ERROR)
        raise UseError(error["message"] if error else "the film was not finished; the same command goes on with it")
    _copy(opened.artifact(FILM.name, signature) / VIDEOS / f"{SINGLE_FILM}.mp4", request.target)
    print(request.target)
    return 0


def _settings(request: FilmRequest) -> Settings:
    """Those of the film. Raises UseError for what does not go together."""
    given = parse_overrides(request.overrides)
    if "generate.seed" in given:
        raise UseError(f"generate.seed={given['generate.seed']}: --seed sets the seed of a film; give it there")
    for key in ("generate.method", "eval.size"):
        if key in given:
            raise UseError(
                f"{key}={given[key]}: a single film is made by the model, at data.height x data.width; leave it out"
            )
    values = {**given, "generate.seed": request.seed, "train.enabled": False}
    if request.negative is not None:
        if "generate.negative_prompt" in given:
            raise UseError("--negative and generate.negative_prompt= are the same setting; give one of them")
        values["generate.negative_prompt"] = request.negative
    settings = resolved(layers_of(request.profile, request.recipes, values)).settings
    _check_signal(request.signal, settings)
    if request.negative and not settings.generate.guided:
        raise UseError(
            f"--negative {request.negative!r:.60} would do nothing, since generate.guidance={settings.generate.guidance:g} turns "
            "guidance off; set generate.guidance above 1 (the released LoRAs use 5), or leave --negative out"
        )
    return settings


def _check_signal(file: Path | None, settings: Settings) -> None:
    """A film follows a file where condition.signal says what it is."""
    kind = settings.condition.signal
    if kind is not None and file is None:
        raise UseError(f"condition.signal={kind}: the film has nothing to follow; give it a file by --signal FILE")
    if kind is None and file is not None:
        raise UseError(
            f"--signal {file}: nothing says what it is; set condition.signal to {' or '.join(SIGNALS)}, or take a recipe that does "
            "(svi-talk, svi-dance)"
        )
    if settings.generate.signal == "another":
        raise UseError("generate.signal=another: there is one film alone; give it that signal by --signal FILE")


def _method(settings: Settings, trained: bool, cache: Path) -> Method:
    """How the film comes about, with LoRAs that were trained by method.objective. Raises UseError for what does not fit."""
    train = settings.train.model_copy(update={"enabled": trained})
    return method_of(settings.model_copy(update={"train": train}), hash_of=lambda path: fingerprint(Path(path), cache))


def _seconds(request: FilmRequest, method: Method, model: Model) -> float:
    """How long the film is to be. Raises UseError for a signal that cannot be read or ends before the film."""
    if request.signal is None or method.signal is None:
        return SECONDS if request.seconds is None else request.seconds
    fps = model.settings.generate.film_fps(model.settings.data)
    possible = lasting(method.signal, request.signal, model.settings)
    wanted = max(possible, 1) if request.seconds is None else n_frames(request.seconds, fps)
    if wanted > possible:
        raise UseError(
            f"--signal {request.signal} lasts for {possible} frames at {fps:g} a second, and the film would have {wanted}; ask for "
            f"at most --seconds {possible * 100 // fps / 100:g}, or give a longer one"
        )
    return wanted / fps if request.seconds is None else request.seconds


def _cut(file: Path, model: Model) -> Iterator[str]:
    """What of the image the film will not show, where that is more than a hundredth. Raises UseError for no image."""
    try:
        width, height = open_upright(file).size
    except ValueError as error:
        raise UseError(f"--image {error}") from error
    data = model.settings.data
    for name, side, part in zip(
        ("rows", "columns"), (height, width), kept(height, width, data.height, data.width), strict=True
    ):
        lost = 1 - (part.stop - part.start) / side
        if lost > 0.01:
            yield (
                f"--image is {width} x {height} pixels, the film {data.width} x {data.height}: {name} {part.start} to "
                f"{part.stop - 1} of {side} are kept, the other {100 * lost:.0f} % are cut"
            )
            if model.embedded:  # it makes films of one size alone
                continue
            size = same_shape(height, width, data.height * data.width, model.multiple)
            if size != (data.height, data.width):
                yield f"for the whole image, make a film of its shape: data.height={size[0]} data.width={size[1]}"


def _ended(request: FilmRequest, seconds: float, frames: int, settings: Settings) -> Iterator[str]:
    """That the film ends with its prompts, or with its signal, where it does."""
    fps = settings.generate.film_fps(settings.data)
    if frames < n_frames(seconds, fps):
        yield f"the film ends with its prompts, after {frames / fps:.1f} s of {seconds:g} s"
    elif request.signal is not None and request.seconds is None:
        yield f"the film ends with {request.signal}, after {frames / fps:.1f} s"


def _inputs(request: FilmRequest, model: Model, cache: Path, seconds: float) -> tuple[dict[str, Any], dict[str, Any]]:
    """Identity and runtime of the film beyond its settings."""
    settings = model.settings
    try:
        prompts = read_prompts(request.prompts)
    except ValueError as error:
        raise UseError(f"--prompts: {error}; expected a file with one prompt a line, or a list of them") from error
    if request.loras and len(request.loras) != len(model.experts):
        raise UseError(
            f"--lora was given {len(request.loras)} times; {settings.backbone.name} has {len(model.experts)} "
            f"transformers ({', '.join(model.experts)}): give one for each, in this order"
        )
    fps = settings.generate.film_fps(settings.data)
    timing = (fps, settings.data.clip_frames, settings.condition.overlap)
    clips, frames = n_clips(seconds, *timing), n_frames(seconds, fps)
    each = clips_per_prompt(*timing)
    told = len(prompts) * each
    if settings.generate.after_prompts == "stop" and settings.generate.prompts == "stream" and told < clips:
        clips, frames = told, film_frames(told, settings.data.clip_frames, settings.condition.overlap)
    identity = {
        "image.fingerprint": fingerprint(request.image, cache),
        "loras.fingerprint": [fingerprint(Path(whole(str(path))), cache) for path in request.loras],
        "prompts": [prompts[min(clip // each, len(prompts) - 1)] for clip in range(clips)],
        "frames": frames,
        "clips": clips,
    }
    paths: dict[str, Any] = {
        "image": str(request.image.absolute()),
        "loras": [str(path.absolute()) for path in request.loras],
    }
    if request.signal is not None:
        identity["signal.fingerprint"] = fingerprint(request.signal, cache)
        paths["signal"] = str(request.signal.absolute())
    return identity, paths


def _copy(source: Path, target: Path) -> None:
    """The film, whole or not at all. Raises UseError for a target that cannot be written."""
    try:
        with replacing(target) as fresh:
            shutil.copyfile(source, fresh)
    except OSError as error:
        raise UseError(f"{target} cannot be written: {error.strerror}; the film is {source}") from error
