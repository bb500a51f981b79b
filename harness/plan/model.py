"""What a plan must know of a backbone before anything is loaded: what identifies it, its experts, and the sizes it can take."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.util import find_spec
from math import lcm
from pathlib import Path
from typing import Any

from benchmarks.samples import BUNDLED, MULTIPLE
from benchmarks.track import Track, clips_per_prompt, film_length
from harness.core.errors import UseError
from harness.core.gpus import visible_gpus
from harness.core.signature import fingerprint, flat, leaves, unhashed
from harness.declare.doors import DOORS, Found, version_of
from harness.declare.files import of_file
from harness.declare.request import MADE
from harness.declare.settings import Settings
from svi.axes import RESAMPLING, STREAM
from svi.backbones.catalogue import (
    EXPERT,
    FOLDER,
    MODELS,
    TINY_FRAMES,
    Geometry,
    tiny_frames_a_latent,
    tiny_latent_shape,
)
from svi.backbones.weights import find_weights, read_geometry, weights_digest
from svi.parts import CAUSAL, FOLLOWS
from svi.settings import TINY, BackboneSettings, DataSettings, SpeedSettings, TrainSettings

DOOR, BUILT_IN = DOORS["backbone"], (TINY, *MODELS, FOLDER)


@dataclass(frozen=True)
class Model:
    """A backbone in a plan: the settings with its weights found, what identifies these, and its experts."""

    settings: Settings
    identity: Mapping[str, Any] = field(default_factory=dict)
    runtime: Mapping[str, Any] = field(default_factory=dict)
    experts: tuple[str, ...] = (EXPERT,)
    multiple: int = MULTIPLE
    """Both sides of a film, where each has its own size, pixels."""

    @property
    def embedded(self) -> bool:
        """Whether a stage of the plan trains it."""
        return self.settings.backbone.embedded

    @cached_property
    def _flat(self) -> tuple[dict[str, Any], dict[str, Any]]:
        young = unhashed(self.settings)
        identity = {key: value for key, value in flat(self.settings, "identity").items() if key not in young}
        return identity, {**flat(self.settings, "runtime"), **young}

    def read(self, reads: Sequence[str]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Identity and runtime settings among `reads` (a section, or one field), without those of another kind of model."""
        mine = _names_read(tuple(reads), self.embedded)
        identity, runtime = ({key: part[key] for key in mine if key in part} for part in self._flat)
        if "backbone.name" not in mine:
            return identity, runtime
        return {**identity, **self.identity}, {**runtime, **self.runtime}


@cache
def _names_read(reads: tuple[str, ...], embedded: bool) -> tuple[str, ...]:
    """Dotted names of the settings among `reads`; the same for every variant of a plan."""
    foreign = "backbone" if embedded else "tiny"

    def wanted(key: str) -> bool:
        section = key.partition(".")[0]
        return (key in reads or section in reads) and (section != foreign or key == "backbone.name")

    return tuple(filter(wanted, leaves(Settings)))


@dataclass(frozen=True)
class Weights:
    """Weights in files: the folder, what its contents hash to, and the shapes they are made for. `found`: a backbone that is not
    built in, which may do without files; `absent`: why a published model's files are not there, whose name stands for them."""

    folder: Path | None
    digest: str | None
    shape: Geometry
    found: Found | None = None
    absent: str = ""

    @classmethod
    def find(cls, settings: BackboneSettings, cache: Path, needed: bool = True) -> "Weights":
        """`cache` keeps the hashes of files. Raises UseError when they are missing or incomplete; those of a published model that
        is to lie in the hub's cache only where they are `needed`."""
        if of_file(settings.name) or settings.name in DOOR.points(BUILT_IN):
            return cls._of(DOOR.find(settings.name, BUILT_IN, "backbone.name"), settings, cache)
        with _use_errors():
            try:
                folder = find_weights(settings)
            except ValueError as error:
                model = MODELS.get(settings.name)
                if needed or model is None or settings.weights is not None:
                    raise
                return cls(None, f"{model.repository}, not here", model.geometry, absent=str(error))
            return cls(folder, weights_digest(folder, lambda file: fingerprint(file, cache)), read_geometry(folder))

    @classmethod
    def _of(cls, found: Found, settings: BackboneSettings, cache: Path) -> "Weights":
        shape = found.value.geometry
        if not isinstance(shape, Geometry):
            raise UseError(f"{found.target} has geometry = {shape!r:.80}; expected geometry = Geometry(...)")
        if settings.weights is None:
            return cls(None, None, shape, found)
        folder = Path(settings.weights).expanduser()
        return cls(folder, fingerprint(folder, cache), shape, found)

    @property
    def identity(self) -> dict[str, Any]:
        """Beside the settings."""
        known: dict[str, Any] = {} if self.digest is None else {"backbone.fingerprint": self.digest}
        if self.found is not None:
            known |= {"backbone.version": version_of(self.found), **self.found.identity("backbone")}
        return known

    @property
    def named(self) -> dict[str, Any]:
        """What the settings of a backbone are to say: where its files are, and its name without the file that has it."""
        place = {"weights": None if self.folder is None else str(self.folder)}
        return place | ({"name": self.found.name} if self.found else {})


@contextmanager
def _use_errors(whom: str = "") -> Iterator[None]:
    """What svi refuses is a UseError here."""
    try:
        yield
    except ValueError as error:
        raise UseError(f"{whom}{error}") from error


def model_of(settings: Settings, weights: Weights | None) -> Model:
    """The model of these settings, None: the embedded one. Raises UseError for settings that it cannot take."""
    settings = settled(settings)
    _check(settings)
    if weights is None:
        _check_tiny(settings)
        return Model(_remembering(settings, _tiny_shape(settings)[1], TINY_FRAMES))
    if weights.found is None:
        _check_wan(settings, weights.shape)
    else:
        _check_own(settings, weights.shape, weights.found)
    settings = _remembering(settings, weights.shape.latent_frames(settings.data.clip_frames))
    settings = settings.model_copy(update={"backbone": settings.backbone.model_copy(update=weights.named)})
    places = {"backbone.target": weights.found.target} if weights.found else {}
    multiple = lcm(MULTIPLE, weights.shape.side)
    return Model(settings, weights.identity, places, weights.shape.experts, multiple)


def settled(settings: Settings) -> Settings:
    """What depends on other settings or on this machine, decided before it is hashed."""
    data, speed, start = settings.data, settings.speed, settings.eval
    if start.path is None and data.path is None and settings.backbone.name in (*MODELS, FOLDER):
        # The world's scenes are for the model that was trained on it.
        start = start.model_copy(update={"path": BUNDLED})
    if data.path is None:  # the world has no end that could be kept from training: whatever is said, it is one world
        data = data.model_copy(update={"hold_back": DataSettings().hold_back})
    else:
        data = data.model_copy(update={"world": DataSettings().world})
        if start.path is not None:  # films start from there: nothing need be kept from training
            data = data.model_copy(update={"hold_back": 0.0})
    if speed.attention == "auto":
        flash = find_spec("flash_attn") is not None and visible_gpus() and settings.backbone.dtype == "bfloat16"
        speed = speed.model_copy(update={"attention": "flash" if flash else "sdpa"})
    return settings.model_copy(update={"data": data, "speed": speed, "eval": start})


def _remembering(settings: Settings, latent_frames: int, positions: int | None = None) -> Settings:
    """How many latent frames a cache remembers, decided for clips of so many. Raises UseError for more than there is room for."""
    cache, block = settings.cache, min(settings.method.block, latent_frames - 1)
    frames = cache.frames or latent_frames - block
    if cache.first > frames:
        raise UseError(
            f"cache.first is {cache.first}, of cache.frames={frames} latent frames that are remembered in all; set at most that"
        )
    if positions is not None and frames + block > positions:
        raise UseError(
            f"cache.frames is {frames}: with a block of {block} these are more latent frames than the {positions} that the model "
            f"tells apart; set at most {positions - block}"
        )
    return settings.model_copy(update={"cache": cache.model_copy(update={"frames": frames})})


def _check(settings: Settings) -> None:
    """What one field alone cannot tell, whatever the model. Raises UseError."""
    data, condition = settings.data, settings.condition
    if condition.overlap >= data.clip_frames:
        raise UseError(
            f"condition.motion_frames is {condition.motion_frames}, but a clip has data.clip_frames={data.clip_frames} frames; "
            "each clip must add at least one frame: set fewer motion frames"
        )
    if data.path is None and data.seed == settings.eval.seed:
        raise UseError(
            f"data.seed and eval.seed are both {data.seed}: films would start from training scenes; change one"
        )
    if data.augment_motion and condition.anchor:
        raise UseError(
            "data.augment_motion=true changes motion frames, but behind an anchor (condition.anchor=true) the motion is handed on "
            "as latents; set one of the two to false"
        )
    if data.path is not None and settings.eval.path is None and data.hold_back == 0:
        raise UseError(
            "films have nothing to start from: data.hold_back=0 keeps no clip from training; "
            "set it above 0, or set eval.path"
        )
    if settings.eval.size == "sample":
        _check_own_sizes(settings)
    if settings.train.enabled:
        _check_shares(settings.train)
    _check_places(settings)


def _check_own_sizes(settings: Settings) -> None:
    """Whether films may have sizes of their own."""
    if settings.backbone.embedded:
        raise UseError(
            "eval.size=sample: the tiny backbone is trained on data.height x data.width pixels and makes nothing else; "
            "leave eval.size out"
        )
    if settings.eval.path is None:
        raise UseError(
            "eval.size=sample goes with eval.path=FOLDER: clips held back from data.path are cropped to data.height x "
            "data.width when they are read"
        )
    if settings.generate.lossless:
        raise UseError(
            "eval.size=sample and generate.lossless=true: one array keeps the frames of all films, which then have several "
            "sizes; set generate.lossless=false (scores read the mp4s)"
        )


def _check_places(settings: Settings) -> None:
    """Files that only some stages read, far into a run."""
    condition = settings.condition
    for key, path in (("encoder", condition.encoder), ("weights", condition.weights)):
        if path is not None and not Path(path).exists():
            raise UseError(f"condition.{key}={path}: no such file or folder (looked in {Path(path).absolute()})")
    hosts = settings.train.hostfile
    if hosts is not None and settings.train.ranks > 1 and not (Path(hosts).is_file() and Path(hosts).stat().st_size):
        raise UseError(f"train.hostfile={hosts}: expected a file with a line a host, such as: node1 slots=8")


def _check_shares(train: TrainSettings) -> None:
    with _use_errors():
        at_once = train.clips_at_once()
    if train.micro_batch not in (None, at_once):
        raise UseError(
            f"train.micro_batch is {train.micro_batch}, but a rank has {at_once} clips a step (train.batch / train.ranks); "
            "set at most that"
        )


def check_stories(settings: Settings, track: Track, prompts: Mapping[str, int]) -> None:
    """Where films end with their prompts (how many each has, by its name), these must last as long as the track.

    Raises UseError.
    """
    made = settings.generate
    if made.after_prompts == "repeat" or made.prompts == "first" or track.kind != "creative":
        return
    timing = (made.film_fps(settings.data), settings.data.clip_frames, settings.condition.overlap)
    wanted = -(-film_length(track, *timing, made.length).n_clips // clips_per_prompt(*timing))
    for name, count in prompts.items():
        if count < wanted:
            raise UseError(
                f"generate.after_prompts=stop ends a film with its last prompt, but films of {track.name} last for {wanted} "
                f"prompts and {name} has {count}; add prompts, or set generate.after_prompts=repeat"
            )


def _check_run(settings: Settings, latent_frames: int) -> None:
    """What depends on how many latent frames a clip has."""
    if settings.generate.method == MADE and STREAM in (settings.method.objective, settings.method.generation):
        with _use_errors():
            settings.stream.check_chunk(settings.data.clip_frames, latent_frames)
    if settings.train.enabled:
        with _use_errors():
            settings.injection.check_run(latent_frames)
            settings.injection.img_slots(settings.flow.inference_steps)
            settings.injection.check_scope(settings.bank.scope)


def _tiny_shape(settings: Settings) -> tuple[int, int, int, int]:
    with _use_errors():
        return tiny_latent_shape(settings.tiny, settings.data)


def _check_tiny(settings: Settings) -> None:
    _check_run(settings, _tiny_shape(settings)[1])
    frames, motion = tiny_frames_a_latent(settings.tiny), settings.condition.motion_frames
    if (motion - 1) % frames:
        raise UseError(
            f"condition.motion_frames is {motion}; with tiny.codec={settings.tiny.codec} whole latents are handed on, of "
            f"{frames} k + 1 frames: set 1, or {frames + 1}"
        )
    if settings.data.world != DataSettings().world and settings.condition.signal is not None:
        raise UseError(
            f"data.world={settings.data.world}: nothing there follows condition.signal={settings.condition.signal}; leave one of "
            "the two out"
        )


def _check_shape(settings: Settings, shape: Geometry) -> None:
    """Whether a model of this shape can make the clips, from their condition."""
    data, condition = settings.data, settings.condition
    with _use_errors(f"{settings.backbone.name}: "):
        shape.check_size(data.height, data.width, data.clip_frames)
        shape.check_condition(condition)
        if settings.train.enabled and settings.method.objective == RESAMPLING:
            settings.resampling.check(whole=len(shape.experts) == 1, given=shape.expand_timesteps)
    _check_run(settings, shape.latent_frames(data.clip_frames))
    if condition.anchor and condition.motion_frames % shape.frames_a_latent:
        raise UseError(
            f"condition.motion_frames is {condition.motion_frames}; behind an anchor latent it must be a multiple of "
            f"{shape.frames_a_latent}, the frames of a latent"
        )


def _check_wan(settings: Settings, shape: Geometry) -> None:
    name = settings.backbone.name
    _check_shape(settings, shape)
    if settings.data.path is None and settings.train.enabled:
        raise UseError(
            f"{name} trains on real videos: set data.path=FOLDER (videos, and a csv of captions beside them) and, "
            "unless films shall start from clips held back from it, eval.path=FOLDER (or bundled); --only base,copy_image "
            "trains nothing"
        )
    if settings.train.adapter == "full":
        raise UseError(f"train.adapter=full would train every parameter of {name}; set train.adapter=lora")


def _check_own(settings: Settings, shape: Geometry, found: Found) -> None:
    """A backbone that is not built in takes what has nothing to do with Wan's blocks."""
    from svi.backbones.wrapped import LORA_TARGETS  # it loads torch, as such a backbone does

    _check_shape(settings, shape)
    usual = SpeedSettings()
    for key in ("compile", "weights", "cache"):
        if getattr(settings.speed, key) != getattr(usual, key):
            raise UseError(
                f"speed.{key}={getattr(settings.speed, key)} is for Wan's transformer, and backbone.name={found.name} is not "
                "built in; leave it out"
            )
    if settings.method.architecture == "causal" and CAUSAL not in getattr(found.value, "gives", ()):
        raise UseError(
            f"method.architecture=causal is written for Wan's transformer; where backbone.name={found.name} has one, its class "
            "says gives = (CAUSAL,), of svi.parts"
        )
    if settings.condition.signal is not None and FOLLOWS not in getattr(found.value, "gives", ()):
        raise UseError(
            f"condition.signal={settings.condition.signal} is attached to Wan's transformer, and backbone.name={found.name} is not "
            "built in; where it reads clips' condition by the signal's key, its class says gives = (FOLLOWS,), of svi.parts"
        )
    targets = set(found.value.lora_targets)
    if settings.train.enabled and settings.train.adapter == "lora" and not (targets and targets <= set(LORA_TARGETS)):
        raise UseError(
            f"train.adapter=lora: LoRA files name the modules of Wan's transformer ({', '.join(LORA_TARGETS)}), and "
            f"backbone.name={found.name} has lora_targets = {tuple(targets)}; set train.adapter=full"
        )
