"""`harness prompts`: a sample to make films from, an image, given or found, and the prompts that a model writes for it."""

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from benchmarks.artifacts import PROMPTS
from benchmarks.track import PAPER_CLIP_SECONDS
from harness.commands.options import EXISTING_FILE, STORE, Number, Whole
from harness.core.errors import UseError
from harness.declare.numbers import LARGEST_SEED

if TYPE_CHECKING:
    from benchmarks.prompts.cache import Cache
    from benchmarks.prompts.engine import Engine
    from benchmarks.prompts.picture import Picture

_CACHE = "replies"
_TOKENS_A_PROMPT, _TOKENS_BESIDE = 250, 400  # a prompt of 80 words takes about 110


@dataclass(frozen=True)
class SampleRequest:
    """What a person asked for: an image or a keyword, and who writes the prompts; None: not given."""

    target: Path
    number: int
    image: Path | None
    keyword: str | None
    images: Path | None
    image_endpoint: str | None
    image_model: str | None
    image_size: str | None
    image_key_env: str | None
    model: str | None
    endpoint: str | None
    key_env: str | None
    device: str | None
    dtype: str | None
    temperature: float | None
    seed: int | None
    retries: int
    timeout: float


@click.command()
@click.argument("target", type=click.Path(path_type=Path), metavar="OUT_FOLDER")
@click.option("-n", "--number", type=Whole(1, 200), default=10, show_default=True, help="of prompts, 5 s each")
@click.option("--image", type=EXISTING_FILE, help="first frame of the film")
@click.option("--keyword", help="find or paint the first frame instead: what it shows")
@click.option("--images", type=click.Path(path_type=Path), help="folder to find it in, by words of names")
@click.option("--image-endpoint", metavar="URL", help="OpenAI-compatible service that paints it")
@click.option("--image-model", metavar="NAME", help="of that service  [default: its own]")
@click.option("--image-size", metavar="WIDTHxHEIGHT", help="[default: the service's own]")
@click.option("--image-key-env", metavar="VARIABLE", help="that holds its key  [default: OPENAI_API_KEY]")
@click.option("--model", help="folder or cached repository, or a name at --endpoint  [default: Qwen2.5-VL-7B-Instruct]")
@click.option("--endpoint", metavar="URL", help="OpenAI-compatible service that writes the prompts")
@click.option("--key-env", metavar="VARIABLE", help="that holds its key  [default: OPENAI_API_KEY]")
@click.option("--device", help="of a model folder: auto, cpu, cuda, cuda:N  [default: auto]")
@click.option("--dtype", help="of a model folder: auto, float32, bfloat16, float16  [default: auto]")
@click.option("--temperature", type=Number(most=100), help="[default: 0 for a model folder, an endpoint's own]")
@click.option("--seed", type=Whole(0, LARGEST_SEED), help="[default: 0 for a model folder, none sent to an endpoint]")
@click.option("--retries", type=Whole(0, 10), default=2, show_default=True, help="after an unusable reply")
@click.option("--timeout", type=Number(1, 86_400), default=300.0, show_default=True, help="of endpoints, in seconds")
@STORE
def prompts(store: Path, **request: Any) -> None:
    """A sample to make films from: an image, and the prompts that a multimodal model writes to continue it."""
    make_sample(SampleRequest(**request), store, click.echo, lambda line: click.echo(line, err=True))


def make_sample(request: SampleRequest, store: Path, say: Callable[[str], None], note: Callable[[str], None]) -> None:
    """Write the sample; `say` is told what there is and what to type next, `note` what happens meanwhile.

    Raises:
        UseError: options that do not go together, or whatever keeps the sample from being written.
    """
    _check(request)
    try:
        _make(request, store, say, note)
    except ValueError as error:
        raise UseError(str(error)) from error


def _make(request: SampleRequest, store: Path, say: Callable[[str], None], note: Callable[[str], None]) -> None:
    """As make_sample. Raises ValueError for whatever keeps the sample from being written."""
    from benchmarks.prompts.cache import Cache, storyline
    from benchmarks.prompts.sample_folder import check_free, write_sample
    from benchmarks.prompts.storyline import TEMPLATE, StorylineRequest, count

    asked = StorylineRequest(request.number, request.keyword or "")
    engine = _engine(request)  # which checks its options, before an image is paid for
    cache = Cache(store / _CACHE)
    image = _image(request, cache, note)
    check_free(request.target, image)
    written, kept = storyline(cache, engine, image, asked, request.retries, note)
    provenance = {
        "format": 1,
        "date": written.date,
        "template": TEMPLATE,
        "request": asked.text(),
        "prompts": request.number,
        "engine": engine.describe(),
        "attempts": [
            {"reply": one.reply, "fault": one.fault, "details": dict(one.details)} for one in written.attempts
        ],
    }
    fresh = write_sample(request.target, image, written.prompts, provenance)
    tried = f"reply {len(written.attempts)} of {engine.describe()['name']}"
    origin = "from the cache" if kept else "asked now"
    say(f"{request.target}: {count(request.number)} ({tried}, {origin})" + ("" if fresh else ", there already"))
    for line in _next_commands(request, image):
        say(line)


def _image(request: SampleRequest, cache: "Cache", note: Callable[[str], None]) -> "Picture":
    """The given image, or one found or painted by the keyword; a painted one is kept and not paid for twice."""
    from benchmarks.prompts.picture import Picture

    if request.image is not None:
        return Picture.read(request.image)
    keyword = request.keyword or ""
    if request.images is not None:
        from benchmarks.prompts.images import find_image

        found = find_image(request.images, keyword)
        note(f"image: {found.path} ({found.how()})")
        return Picture.read(found.path, found.source(keyword))
    from benchmarks.prompts.cache import painted
    from benchmarks.prompts.client import Client
    from benchmarks.prompts.endpoint import EndpointPainter
    from benchmarks.prompts.sample_folder import check_free

    client = Client(request.image_endpoint or "", request.image_key_env, request.timeout)
    painter = EndpointPainter(client, request.image_model, request.image_size)
    if cache.find({**painter.describe(), "keyword": keyword}) is None:  # it will cost something
        check_free(request.target, None)
    return painted(cache, painter, keyword)


def _engine(request: SampleRequest) -> "Engine":
    """Who writes the prompts: a model that an endpoint serves, or one of a folder."""
    if request.endpoint is not None:
        from benchmarks.prompts.client import Client
        from benchmarks.prompts.endpoint import EndpointEngine

        client = Client(request.endpoint, request.key_env, request.timeout)
        return EndpointEngine(client, request.model or "", request.temperature, request.seed)
    from benchmarks.prompts.local import DEFAULT_MODEL, LocalEngine

    return LocalEngine(
        request.model or DEFAULT_MODEL,
        request.device or "auto",
        request.dtype or "auto",
        request.temperature,
        request.seed or 0,
        _TOKENS_A_PROMPT * request.number + _TOKENS_BESIDE,
    )


def _check(request: SampleRequest) -> None:
    """Which options go together. Raises UseError."""
    if (request.image is None) == (request.keyword is None):
        raise UseError(f"received {_both('--image', '--keyword', request.image)}, expected one of them to start from")
    if request.keyword is None:
        _only(request, "--keyword", "images", "image_endpoint")
    elif (request.images is None) == (request.image_endpoint is None):
        raise UseError(
            f"--keyword: received {_both('--images', '--image-endpoint', request.images)}, expected one of them: a folder "
            "to choose an image from, or the address of a service that paints one"
        )
    if request.image_endpoint is None:
        _only(request, "--image-endpoint", "image_model", "image_size", "image_key_env")
    if request.endpoint is None:
        _only(request, "--endpoint", "key_env")
    else:
        _only(request, "a --model folder, not with --endpoint,", "device", "dtype")
        if not request.model:
            raise UseError("--endpoint: received no --model, expected the name of a model that it serves")


def _only(request: SampleRequest, option: str, *names: str) -> None:
    """Raises UseError for an option of `names` that is given though it goes with another."""
    for name in names:
        if getattr(request, name) is not None:
            raise UseError(f"--{name.replace('_', '-')} goes with {option}; leave it out")


def _both(one: str, other: str, first: Any) -> str:
    return f"neither {one} nor {other}" if first is None else f"both {one} and {other}"


def _next_commands(request: SampleRequest, image: "Picture") -> list[str]:
    """The commands that read the sample, to be pasted into a shell."""
    sample, seconds = request.target, f"{request.number * PAPER_CLIP_SECONDS:g}"
    film = shlex.join(
        ["harness", "generate", f"{sample.name}.mp4", "--image", str(sample / f"frame{image.suffix}"), "--prompts",
         str(sample / PROMPTS), "--seconds", seconds]
    )  # fmt: skip
    track = "creative-50s" if request.number <= 10 else "creative-250s"
    run = shlex.join(["harness", "run", "ablation_eimg", f"tracks={track}", f"eval.path={sample.parent}"])
    return [f"next: {film}", f"or:   {run}"]
