"""A method in a plan: the parts on its axes, whether they go together, and what of them is identity."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.core.errors import UseError
from harness.declare.parts import Chosen, chosen
from harness.declare.request import MADE
from harness.declare.settings import Settings
from harness.plan.kinds import Kind
from svi.axes import CLIPS, ERROR_RECYCLING, NO_MEMORY, MethodSettings
from svi.data.samples import SPEECH_FPS
from svi.parts import (
    BUILT_IN,
    CAUSAL,
    CLIP_BY_CLIP,
    CONDITION,
    EPS,
    EULER,
    EVERY_FORWARD,
    FOLLOWS,
    FRAMES_ON,
    GAIN,
    LATENTS,
    NO_ANCHOR,
    ONE_EXPERT,
    OWN_CONDITION,
    REFERENCE,
    RENOISING,
    REVERSIBLE,
    SHARED_SHOWN,
    SIGNALS,
    WHOLE,
    Axis,
)
from svi.settings import ConditionSettings

USUAL: dict[Axis, str] = {"objective": ERROR_RECYCLING, "generation": CLIPS, "memory": NO_MEMORY}
OFF = ("none", "off")
OF_RECYCLING = ("injection", "bank")  # what error recycling alone reads of a training's settings
# Needs that settings meet: when they do, and what to say when they do not.
BY_SETTINGS: Mapping[str, tuple[Callable[[Settings], bool], str]] = {
    CAUSAL: (
        lambda s: s.method.architecture == "causal",
        "a bidirectional model has not; set method.architecture=causal",
    ),
    EULER: (lambda s: s.generate.solver == "euler", "another generate.solver does not take; set generate.solver=euler"),
    EVERY_FORWARD: (lambda s: s.speed.cache == "none", "speed.cache thins out; set speed.cache=none"),
    NO_ANCHOR: (lambda s: not s.condition.anchor, "condition.anchor=true does not leave; set condition.anchor=false"),
    LATENTS: (
        lambda s: s.generate.handoff == "latent",
        "generate.handoff=pixel decodes; set generate.handoff=latent",
    ),
    RENOISING: (
        lambda s: s.generate.solver == "renoise",
        "another generate.solver does not make; set generate.solver=renoise, and generate.steps=4 or so",
    ),
    OWN_CONDITION: (
        lambda s: not s.condition.drop_image and not s.data.augment_motion,
        "condition.drop_image and data.augment_motion are; set condition.drop_image=0 data.augment_motion=false",
    ),
    SHARED_SHOWN: (
        lambda s: s.generate.overlap_from == "next",
        "generate.overlap_from=previous does not show; set generate.overlap_from=next",
    ),
    REVERSIBLE: (
        lambda s: s.data.path is None,
        "captions of data.path are not; leave data.path out, or set another method.objective",
    ),
    WHOLE: (
        lambda s: s.train.zero < 3 or s.train.ranks == 1,
        "train.zero=3 cuts in pieces; set train.zero=2",
    ),
}


@dataclass(frozen=True)
class Method:
    """The parts that a variant's films come from; no objective where nothing is trained."""

    settings: MethodSettings
    objective: Chosen | None
    generation: Chosen
    memory: Chosen
    signal: Chosen | None = None
    files: Mapping[str, str] = field(default_factory=dict)
    """Hashes of what a signal is read with, by setting."""
    remedied: bool = False
    """Whether clips after the first are changed too: a first clip says nothing of that."""

    @property
    def probed(self) -> bool:
        """Whether the gain can be measured on a first clip."""
        return GAIN in self.generation.part.gives and not self.remedied

    @property
    def foretold(self) -> bool:
        """Whether its eps can be too, so that one clip foretells the film."""
        return self.probed and EPS in self.generation.part.gives

    @property
    def clip_by_clip(self) -> bool:
        """Whether a clip is made from those before it alone."""
        return CLIP_BY_CLIP in self.generation.part.gives

    def training(self, kind: Kind) -> tuple[Kind, dict[str, Any], dict[str, Any]]:
        """The kind of the stage that trains, with the settings that its objective reads; identity and runtime beside them."""
        kind, identity, runtime = self.following(kind)
        identity |= self.architecture
        if self.objective is None or self._usual(self.objective):
            return kind, identity, runtime
        reads = [section for section in kind.reads if section not in OF_RECYCLING]
        kind = replace(kind, reads=tuple(dict.fromkeys((*reads, *self.objective.part.reads))))
        return kind, {**self.objective.identity, **identity}, {**self.objective.runtime, **runtime}

    def films(self, kind: Kind) -> tuple[Kind, dict[str, Any], dict[str, Any]]:
        """The same of the stage that makes films."""
        kind, identity, runtime = self.following(kind)
        identity |= self.architecture
        for one in (self.generation, self.memory):
            if one.part.target and not self._usual(one):  # settings alone are in the signature as settings
                kind = replace(kind, reads=tuple(dict.fromkeys((*kind.reads, *one.part.reads))))
                identity |= one.identity
                runtime |= one.runtime
        return kind, identity, runtime

    def following(self, kind: Kind) -> tuple[Kind, dict[str, Any], dict[str, Any]]:
        """The same of any stage that a signal reaches: nothing where films follow none."""
        if self.signal is None:
            return kind, {}, {}
        kind = replace(kind, reads=tuple(dict.fromkeys((*kind.reads, *self.signal.part.reads))))
        return kind, {**self.signal.identity, **self.files}, self.signal.runtime

    @property
    def architecture(self) -> dict[str, Any]:
        """Nothing where it is the usual one, so that what was made before keeps its name."""
        if self.settings.architecture == "bidirectional":
            return {}
        return {"method.architecture": self.settings.architecture, "method.block": self.settings.block}

    def _usual(self, one: Chosen) -> bool:
        return one.name == USUAL[one.axis] and one.found is None


def method_of(settings: Settings, experts: int = 1, hash_of: Callable[[str], str] = str) -> Method:
    """The method of these settings on a backbone of so many experts; `hash_of` the file or folder at a path.

    Raises UseError for parts that are unknown or do not go together.
    """
    wanted = settings.method
    if settings.generate.method != MADE:  # a trivial method trains nothing and runs no loop
        wanted = MethodSettings()
    objective = chosen("objective", wanted.objective) if settings.train.enabled else None
    loop, memory, made = chosen("generation", wanted.generation), chosen("memory", wanted.memory), settings.generate
    remedied = any(remedy not in OFF for remedy in (made.fix, made.detector))
    signal = None if settings.condition.signal is None else chosen("signal", settings.condition.signal)
    method = Method(wanted, objective, loop, memory, signal, remedied=remedied)
    _check(method, settings, experts)
    if signal:
        _check_signal(method, settings)
        paths = {key: getattr(settings.condition, key) for key in ("encoder", "weights")}
        files = {f"condition.{key}.fingerprint": hash_of(path) for key, path in paths.items() if path is not None}
        method = replace(method, files=files)
    elif settings.train.enabled and settings.train.with_signal:
        raise UseError("train.with_signal=true trains what condition.signal adds, and films follow none; leave it out")
    _check_memory(method.memory, settings.condition)
    _check_remedies(settings, method)
    if settings.train.show_errors and objective and objective.name != ERROR_RECYCLING:
        raise UseError(
            f"train.show_errors shows errors of the bank, and method.objective={objective.name} has none; leave one of them out"
        )
    return method


def _check(method: Method, settings: Settings, experts: int) -> None:
    """Everything that a part needs must be given by another one."""
    parts: Sequence[Chosen] = [one for one in (method.objective, method.generation, method.memory) if one]
    given = {gift for one in parts for gift in one.part.gives}
    given |= {need for need, (met, _) in BY_SETTINGS.items() if met(settings)}
    given |= {ONE_EXPERT} if experts == 1 else set()
    given |= set() if method.objective else {CONDITION}  # the base model as it is
    for one in parts:
        for need in one.part.needs:
            if need not in given:
                raise UseError(f"method.{one.axis}={one.name} needs {need}, which {_where_from(method, need)}")


def _check_signal(method: Method, settings: Settings) -> None:
    """Every part that makes or learns from clips must give them what they follow."""
    assert method.signal is not None
    _check_files(method.signal, settings)
    if settings.data.path is None and settings.backbone.embedded and method.signal.found:
        raise UseError(
            f"condition.signal={method.signal.name}: the embedded world follows {' or '.join(SIGNALS)} alone; set data.path=FOLDER "
            "and eval.path=FOLDER, of samples that have it"
        )
    for one in (method.objective, method.generation):
        if one and FOLLOWS not in one.part.gives:
            names = [name for name, part in BUILT_IN[one.axis].items() if FOLLOWS in part.gives]
            raise UseError(
                f"condition.signal={method.signal.name}: method.{one.axis}={one.name} does not make {FOLLOWS}; set "
                f"method.{one.axis} to {' or '.join(names)}, or leave condition.signal out"
            )


def _check_files(signal: Chosen, settings: Settings) -> None:
    """Whether what reads a signal is there, and only for the model that takes it."""
    condition = settings.condition
    named = [key for key in ("encoder", "weights") if getattr(condition, key) is not None]
    if settings.backbone.embedded and named:
        raise UseError(
            f"condition.{named[0]} is for a Wan, and the embedded model learns to follow its world by itself; leave it out"
        )
    if not settings.backbone.embedded and signal.name == "audio" and condition.encoder is None:
        raise UseError(
            "condition.signal=audio: nothing hears it; set condition.encoder=FOLDER, a wav2vec2 in transformers' layout (MultiTalk "
            "and SVI-Talk: chinese-wav2vec2-base)"
        )
    for key in named:
        if not Path(getattr(condition, key)).exists():
            raise UseError(f"condition.{key}={getattr(condition, key)}: no such file or folder")
    key = "data.fps" if settings.generate.fps is None else "generate.fps"
    _check_heard(signal, settings, "films have", key, settings.generate.film_fps(settings.data))


def _check_heard(signal: Chosen, settings: Settings, whose: str, key: str, fps: int) -> None:
    """Raises UseError where speech would be heard at another rate than wav2vec2's features have."""
    if signal.name == "audio" and settings.condition.encoder is not None and fps != SPEECH_FPS:
        raise UseError(
            f"condition.signal=audio: {whose} {fps} frames a second, and MultiTalk and SVI-Talk hear wav2vec2's features at "
            f"{SPEECH_FPS}, one a frame; set {key}={SPEECH_FPS}"
        )


def check_training(signal: Chosen | None, settings: Settings) -> None:
    """Whether what a signal adds is trained, where a training is planned. Raises UseError where it would not be, or badly."""
    train = settings.train
    if signal is not None:
        _check_heard(signal, settings, "training clips have", "data.fps", settings.data.fps)
    frozen = train.adapter == "lora" and not train.with_signal and not settings.backbone.embedded
    given = settings.condition.weights is not None or train.starts
    if frozen and signal is not None and signal.found is None and not given:
        raise UseError(
            f"condition.signal={signal.name}: nothing would follow it, since what it adds to the model is untrained and a LoRA "
            "leaves it so; set train.with_signal=true, or condition.weights=FILE, or train.from=FILE of a LoRA with it"
        )
    if train.with_signal and settings.backbone.dtype == "bfloat16" and train.dtype == "float32":
        raise UseError(
            "train.with_signal=true would train weights in bfloat16, which loses small steps; set train.dtype=bfloat16, whose "
            "optimiser keeps them in float32"
        )


def _check_memory(memory: Chosen, condition: ConditionSettings) -> None:
    """What a memory chooses must have a place."""
    if (
        memory.part.target
        and REFERENCE in memory.part.needs
        and not condition.anchor
        and condition.padding in ("zeros", "repeat")
    ):
        raise UseError(
            f"method.memory={memory.name} chooses a reference image, and the condition has no place for one; set "
            "condition.anchor=true, or condition.padding to reference or a number of copies"
        )


def _check_remedies(settings: Settings, method: Method) -> None:
    """Whether what is done to handed-on frames would do anything."""
    made = settings.generate
    wanted = [
        f"generate.{key}={value}" for key, value in (("fix", made.fix), ("detector", made.detector)) if value not in OFF
    ]
    if wanted and FRAMES_ON not in method.generation.part.gives:
        raise UseError(
            f"{' and '.join(wanted)}: acts on frames that one clip hands on to the next, and "
            f"method.generation={method.generation.name} hands on none; leave it out, or set method.generation={CLIPS}"
        )
    if made.fix not in OFF and made.handoff == "latent" and made.method == MADE:
        raise UseError(
            f"generate.fix={made.fix} changes decoded frames, and with generate.handoff=latent none are handed on; "
            "set generate.handoff=pixel, or leave generate.fix out"
        )


def _where_from(method: Method, need: str) -> str:
    """Who could give it, in words."""
    if need in BY_SETTINGS:
        return BY_SETTINGS[need][1]
    if need == ONE_EXPERT:
        return (
            "this backbone.name has not: each of its experts is trained alone; choose another model or method.objective"
        )
    given = {axis: [name for name, part in parts.items() if need in part.gives] for axis, parts in BUILT_IN.items()}
    ways = [f"method.{axis} to {' or '.join(names)}" for axis, names in given.items() if names]
    trained = f"method.objective={method.objective.name}" if method.objective else "a base model without training"
    return f"{trained} does not give here; set {', or '.join(ways) or 'a part of your own that gives it'}"
