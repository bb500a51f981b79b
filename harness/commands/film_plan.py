"""What a single film is made from, as stages of the store: a request, its plan, and what a person should know of it."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.samples import is_list, read_prompts
from benchmarks.told import prompts_so_far
from benchmarks.track import clips_per_prompt, film_frames, n_clips, n_frames
from harness.commands.opening import check as check_opening
from harness.commands.opening import opening_of
from harness.commands.opening import said as said_of
from harness.core.artifacts import CARDS, EACH, LINES, MOST, PATIENCE, ROOT, STREAM, TAKES
from harness.core.errors import UseError
from harness.core.gpus import visible_gpus
from harness.core.graph import Graph
from harness.core.signature import fingerprint, signature
from harness.core.store import Store
from harness.core.text import counted
from harness.declare.request import layers_of, resolved
from harness.declare.settings import Settings, SlurmSettings
from harness.declare.spec import parse_overrides
from harness.plan.following import lasting
from harness.plan.image_fit import Fit, fitted, lost, size_of
from harness.plan.kinds import FILM, TOLD, Kind
from harness.plan.method import Method, method_of
from harness.plan.model import Model
from harness.plan.pipeline import Builder
from harness.plan.stacks import Stacks, check, identity_of, stacks_of
from svi.axes import CLIPS
from svi.generation.opening import Opening
from svi.generation.takes import Takes, links_of, names
from svi.parts import SIGNALS
from svi.settings import SpeedSettings

SECONDS = 50.0  # of a film that follows nothing, as the shorter tracks have
LONGEST = 30 * 24 * 3600.0  # of one whose prompts are told until they end


@dataclass(frozen=True)
class FilmRequest:
    """What a person asked for. `loras`: [EXPERT=]FILE[:STRENGTH], as `harness.plan.stacks` reads them; none: the base.

    `follow`: for how many seconds another prompt is waited for; None: the file has all. `cards`: how many make the film together.
    """

    image: Path | None
    video: Path | None
    prompts: Path
    loras: tuple[str, ...]
    signal: Path | None
    seconds: float | None
    target: Path
    profile: str
    recipes: tuple[str, ...]
    overrides: Sequence[str]
    seed: int
    negative: str | None
    stream: bool
    fit: Fit
    follow: float | None = None
    cards: int = 1


class Planned(NamedTuple):
    """The stages of a film, the signature of the last one, whether the embedded model makes it, and what a person should know."""

    graph: Graph
    last: str
    embedded: bool
    lines: tuple[str, ...]
    slurm: SlurmSettings = SlurmSettings()


def planned(request: FilmRequest, store: Store, *, only_made: bool = False) -> Planned:
    """Of a film whose prompts are all there; `only_made`: of those of its clips that are, too. Raises UseError for whatever cannot
    work, before anything runs."""
    parts, prompts = _parts(request, store), _prompts(request)
    settings, model = parts.model.settings, parts.model
    length = _length(request, settings, parts.seconds, prompts)
    there = _there(parts, length)
    if only_made:
        length = _length(
            request, settings, parts.seconds, prompts, most=there.index(False) if False in there else len(there)
        )
    if not length["clips"]:
        raise UseError(
            f"--prompts {request.prompts}: no clip was made, so there is no film; write a prompt a line into it"
        )
    left = there.count(False) if not only_made else 0
    runtime = {**parts.runtime, ROOT: parts.root(length)}
    identity, label = {**parts.identity, **length}, request.target.stem
    film = parts.builder.add(parts.kind, label, model, identity, parts.base, left * settings.generate.steps, runtime)
    if not store.done(FILM.name, film):
        check(parts.stacks)
    ended = _ended(request, parts.seconds, length["frames"] - _shared(request, settings), settings)
    kept = known(length["clips"] - left, length["clips"])
    return Planned(parts.builder.graph, film, model.embedded, (*parts.said, *ended, *kept), settings.slurm)


def told(request: FilmRequest, store: Store) -> Planned:
    """Of the clips of a film whose prompts appear meanwhile. Raises UseError as `planned` does, and where a clip depends on what
    comes after it."""
    parts = _parts(request, store)
    settings = parts.model.settings
    if request.cards > 1:
        raise UseError(
            f"--cards {request.cards}: a film whose prompts are told meanwhile is made by one card; leave --follow or it out"
        )
    if not parts.alone:
        raise UseError(
            "--follow: a clip of this film depends on those after it (by its loop, generate.detector or condition.signal), so that "
            "all prompts must be known; leave --follow out"
        )
    if settings.generate.prompts == "first":
        raise UseError("--follow: with generate.prompts=first one prompt is for all clips; leave one of the two out")
    try:
        listed = is_list(request.prompts)
    except ValueError as error:
        raise UseError(f"--prompts: {error}; expected a file with one prompt a line") from error
    if listed:
        raise UseError(
            f"--follow: {request.prompts} holds a list, which cannot grow line by line; write one prompt a line"
        )
    check(parts.stacks)
    timing = _timing(settings)
    runtime = {
        **parts.runtime,
        ROOT: parts.root({}),
        LINES: str(request.prompts.absolute()),
        PATIENCE: request.follow,
        EACH: clips_per_prompt(*timing),
        MOST: n_clips((n_frames(parts.seconds, timing[0]) + _shared(request, settings)) / timing[0], *timing),
    }
    identity = {
        **parts.identity,
        "begun": time.time_ns(),
    }  # what it makes is kept in takes: nothing of it is for another time
    kind = replace(TOLD, reads=parts.kind.reads)
    label = f"{request.target.stem}, {request.prompts.name}"
    clips = parts.builder.add(kind, label, parts.model, identity, parts.base, settings.generate.steps, runtime)
    return Planned(parts.builder.graph, clips, parts.model.embedded, parts.said)


@dataclass(frozen=True)
class _Parts:
    """A film without its prompts. `alone`: whether a clip is made from those before it alone; `said`: what a person should know."""

    builder: Builder
    model: Model
    kind: Kind
    seconds: float
    identity: dict[str, Any]
    runtime: dict[str, Any]
    base: dict[str, str]
    stacks: Stacks
    alone: bool
    said: tuple[str, ...]

    def root(self, length: Mapping[str, Any]) -> str:
        """What all clips of the film are made from; prompts and seeds are a clip's own where it is made from those before alone."""
        read = {**self.model.read(self.kind.reads)[0], **self.identity}
        if self.alone:
            own = ("generate.seed", "generate.seed_stride")
            read = {key: value for key, value in read.items() if key not in own}
        else:
            read |= length
        return signature("take", FILM.version, read, self.base)


def _parts(request: FilmRequest, store: Store) -> _Parts:
    settings, builder = _settings(request), Builder(store.fingerprints)
    opening, sizes = _beginning(request)
    model = fitted(builder.model(settings), next(iter(sizes.values())), request.fit, builder)
    settings = model.settings
    method = _method(settings, bool(request.loras), store.fingerprints)
    if opening:
        check_opening(opening, method, settings)
    if request.cards > 1:
        _check_cards(request.cards, settings, method)
    seconds, stacks = _seconds(request, method, model), stacks_of(request.loras, model.experts)
    identity, runtime = _files(request, store.fingerprints, stacks)
    base = builder.trained_here(model)
    kind, more, places = method.films(FILM)
    runtime |= {**places, TAKES: str(Takes(store.root / TAKES).folder)}
    if request.stream:
        runtime[STREAM] = str(request.target.absolute())
    # The detector's noise and what a signal shows behind its end depend on the film's length.
    alone = method.clip_by_clip and settings.generate.detector == "off" and method.signal is None
    cut = [line for given, size in sizes.items() for line in lost(given, size, request.fit, model)]
    said = (*cut, *said_of(opening, settings))
    return _Parts(builder, model, kind, seconds, {**identity, **more}, runtime, base, stacks, alone, said)


def _check_cards(cards: int, settings: Settings, method: Method) -> None:
    """Raises UseError for what several cards cannot compute together, and for more of them than there are."""
    speed, alone = settings.speed, SpeedSettings()
    others = [
        f"speed.{key}={getattr(speed, key)}"
        for key in ("compile", "offload", "weights", "cache")
        if getattr(speed, key) != getattr(alone, key)
    ]
    if method.generation.name != CLIPS or method.settings.architecture == "causal":
        others.append(f"method.generation={method.generation.name}")
    if method.signal is not None:
        others.append(f"condition.signal={method.signal.name}")
    if others:
        raise UseError(
            f"--cards {cards}: several cards compute whole clips of the plain loop together, not with {', '.join(others)}"
        )
    seen = len(visible_gpus())
    if seen and seen < cards:
        raise UseError(f"--cards {cards}: {seen} are visible here; ask for at most that many")


def _there(parts: _Parts, length: Mapping[str, Any]) -> list[bool]:
    """Which of the film's clips earlier films had."""
    takes = Takes(Path(parts.runtime[TAKES]))
    return [
        name in takes for name in names(links_of(length["prompts"], parts.model.settings.generate, parts.root(length)))
    ]


def _timing(settings: Settings) -> tuple[int, int, int]:
    """Frames a second, of a clip, and of its overlap with the next."""
    return settings.generate.film_fps(settings.data), settings.data.clip_frames, settings.condition.overlap


def _prompts(request: FilmRequest) -> Sequence[str]:
    try:
        return read_prompts(request.prompts) if request.follow is None else prompts_so_far(request.prompts)[0]
    except ValueError as error:
        raise UseError(f"--prompts: {error}; expected a file with one prompt a line, or a list of them") from error


def _length(
    request: FilmRequest, settings: Settings, seconds: float, prompts: Sequence[str], most: int | None = None
) -> dict[str, Any]:
    """Identity of a film of these prompts: one a clip, how many clips there are, and how many frames these show."""
    timing = _timing(settings)
    each, frames = clips_per_prompt(*timing), n_frames(seconds, timing[0]) + _shared(request, settings)
    clips, possible = n_clips(frames / timing[0], *timing), [] if most is None else [most]
    stops = settings.generate.after_prompts == "stop" and settings.generate.prompts == "stream"
    if stops or request.follow is not None:
        possible.append(len(prompts) * each)
    if min(possible, default=clips) < clips:
        clips = min(possible)
        frames = film_frames(clips, *timing[1:])
    told = [prompts[min(clip // each, len(prompts) - 1)] for clip in range(clips)]
    return {"prompts": told, "frames": frames, "clips": clips}


def _beginning(request: FilmRequest) -> tuple[Opening | None, dict[str, tuple[int, int]]]:
    """The video that it goes on from, and the height and width of what is given, by option; the film's shape is the first one's.
    Raises UseError for what cannot be read."""
    if request.image is None and request.video is None:
        raise UseError(
            "the film has nothing to begin with; give it its first frame by --image FILE, or a video by --video FILE"
        )
    opening = None if request.video is None else opening_of(request.video, request.target)
    sizes = {} if opening is None else {"--video": (opening.height, opening.width)}
    return opening, sizes | ({} if request.image is None else {"--image": size_of(request.image)})


def _shared(request: FilmRequest, settings: Settings) -> int:
    """Frames of the first clip that show what was there before it."""
    return 0 if request.video is None else settings.condition.overlap


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
        usual = SECONDS if request.follow is None else LONGEST
        return usual if request.seconds is None else request.seconds
    fps = model.settings.generate.film_fps(model.settings.data)
    possible = lasting(method.signal, request.signal, model.settings)
    if possible < 1:
        raise UseError(f"--signal {request.signal} lasts for no frame at {fps:g} a second; give a longer one")
    wanted = possible if request.seconds is None else n_frames(request.seconds, fps)
    if wanted > possible:
        raise UseError(
            f"--signal {request.signal} lasts for {possible} frames at {fps:g} a second, and the film would have {wanted}; ask for "
            f"at most --seconds {possible * 100 // fps / 100:g}, or give a longer one"
        )
    return wanted / fps if request.seconds is None else request.seconds


def _ended(request: FilmRequest, seconds: float, frames: int, settings: Settings) -> Iterator[str]:
    """That the film ends with its prompts, or with its signal, where it does."""
    fps = settings.generate.film_fps(settings.data)
    if frames < n_frames(seconds, fps) and request.follow is None:
        yield f"the film ends with its prompts, after {frames / fps:.1f} s of {seconds:g} s"
    elif request.signal is not None and request.seconds is None:
        yield f"the film ends with {request.signal}, after {frames / fps:.1f} s"


def _files(request: FilmRequest, cache: Path, stacks: Stacks) -> tuple[dict[str, Any], dict[str, Any]]:
    """Identity and runtime of the film beyond its settings and prompts."""
    given = {"image": request.image, "video": request.video, "signal": request.signal}
    files = {name: file for name, file in given.items() if file is not None}
    identity = {
        **{f"{name}.fingerprint": fingerprint(file, cache) for name, file in files.items()},
        **({"image.fit": request.fit} if request.fit == "pad" else {}),
        "loras.fingerprint": identity_of(stacks, cache),
        **({CARDS: request.cards} if request.cards > 1 else {}),
    }
    paths: dict[str, Any] = {
        **{name: str(file.absolute()) for name, file in files.items()},
        "loras": [[[str(path.absolute()), strength] for path, strength in stack] for stack in stacks],
    }
    return identity, paths


def known(there: int, clips: int) -> Iterator[str]:
    """How many clips are made, where some need not be."""
    if there:
        yield f"{there} of {clips} clips are there already; {counted(clips - there, 'other is', 'others are')} made"
