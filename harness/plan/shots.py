"""Films whose clips each have settings of their own: what makes one clip, and what may follow what."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, get_args

from harness.core.artifacts import CLIPS_MADE, TAKES
from harness.core.errors import UseError
from harness.core.graph import Graph
from harness.core.signature import fingerprint, flat, signature
from harness.core.store import Store
from harness.declare.request import layers_of, resolved
from harness.declare.spec import Scalar
from harness.plan.image_fit import Fit, fitted, lost, size_of
from harness.plan.kinds import FILM
from harness.plan.method import Method, method_of
from harness.plan.model import Model
from harness.plan.pipeline import Builder
from harness.plan.stacks import check, identity_of, stacks_of
from svi.axes import CLIPS

OWN = ("generate.guidance", "generate.steps", "condition.padding", "condition.motion_frames")
"""The settings that a clip may have of its own."""
MOTION = OWN[-1]
# A clip that knows of others than those before it cannot be made alone, and all of it must have a prompt.
_FIXED = {"generate.method": "model", "generate.prompts": "stream", "train.enabled": False}
_NOT_HERE = ("generate.method", "generate.prompts", "generate.seed", "eval.size")
SHOT = replace(FILM, file="shots", reads=())  # a film of such clips, known by its takes alone
IMAGE, LORAS, FIT = "image", "loras", "image.fit"  # settings of a single film's stage


@dataclass(frozen=True)
class Setup:
    """What all clips of a film share, as a person gave it: LoRAs as `harness.plan.stacks` reads them, dotted settings."""

    profile: str
    recipes: tuple[str, ...]
    overrides: Mapping[str, Scalar]
    loras: tuple[str, ...]


@dataclass(frozen=True)
class Start:
    """The image that a film begins with, and how one of another shape is fitted."""

    image: Path
    fit: Fit = "crop"


class Shot(NamedTuple):
    """What makes a clip beside prompt and seed: the root of its link, and what the stage is told."""

    root: str
    settings: dict[str, Any]


class Clip(NamedTuple):
    """A clip of a film: what makes it, its prompt, and the seed of its noise."""

    shot: Shot
    prompt: str
    seed: int


class Shots:
    """Plans clips of one setup; the graph holds the stage that trains the embedded model."""

    def __init__(self, setup: Setup, store: Store) -> None:
        """Raises UseError for whatever cannot work, before anything runs."""
        self.setup, self._cache = setup, store.fingerprints
        for key in _NOT_HERE:
            if key in setup.overrides:
                raise UseError(f"{key}={setup.overrides[key]}: every clip has its own prompt and seed; leave it out")
        self._builder = Builder(store.fingerprints)
        self.model = self._model({})
        self.base = self._builder.trained_here(self.model)
        self._stacks = stacks_of(setup.loras, self.model.experts)
        self._hashes = identity_of(self._stacks, store.fingerprints)
        check(self._stacks)

    @property
    def graph(self) -> Graph:
        return self._builder.graph

    def own(self) -> dict[str, Any]:
        """The usual values of the settings that a clip may have of its own."""
        values = flat(self.model.settings)
        return {key: values[key] for key in OWN}

    def shot(self, start: Start, own: Mapping[str, Any]) -> Shot:
        """Of a film from this image. Raises UseError for settings that cannot work, and for no such file."""
        model = self._model(own)
        if start.fit == "whole":
            model = fitted(model, size_of(start.image, "the image"), start.fit, self._builder)
        kind, parts, places = self._method(model).films(FILM)
        identity, runtime = model.read(kind.reads)
        identity |= {
            **parts,
            "image.fingerprint": fingerprint(start.image, self._cache),
            "loras.fingerprint": self._hashes,
        }
        identity |= {FIT: start.fit} if start.fit == "pad" else {}
        paths = [[[str(path.absolute()), strength] for path, strength in stack] for stack in self._stacks]
        return Shot(
            root_of(identity, self.base),
            {**identity, **runtime, **places, IMAGE: str(start.image.absolute()), LORAS: paths},
        )

    @property
    def fits(self) -> tuple[Fit, ...]:
        """How an image of another shape may be fitted: the embedded model makes films of one size alone."""
        return tuple(fit for fit in get_args(Fit) if fit != "whole" or not self.model.embedded)

    def lost(self, start: Start) -> str:
        """What of the image the film will not show, or of the film is bars; empty where next to nothing. Raises UseError for no
        image."""
        size = size_of(start.image, "the image")
        model = fitted(self.model, size, start.fit, self._builder)
        return "; ".join(lost("the image", size, start.fit, model, "Fit"))

    def film(self, clips: Sequence[Clip], takes: Sequence[str], folder: Path, missing: int) -> str:
        """Add the stage of a film of these clips, which are takes of these names in a folder, some of them missing. Returns its
        signature."""
        made = [[[clip.shot.root, clip.prompt, clip.seed], clip.shot.settings] for clip in clips]
        work = missing * self.model.settings.generate.steps
        runtime = {TAKES: str(folder), CLIPS_MADE: made}
        return self._builder.add(SHOT, "film", self.model, {"film": list(takes)}, self.base, work, runtime)

    def check_follows(self, own: Mapping[str, Any], before: Mapping[str, Any]) -> None:
        """Raises UseError where a clip cannot take over from one with these settings."""
        if own[MOTION] == before[MOTION]:
            return
        settings = self.model.settings
        if settings.generate.handoff == "latent" or settings.method.generation != CLIPS:
            raise UseError(
                f"{MOTION}: received {own[MOTION]} after a clip with {before[MOTION]}; with generate.handoff=latent, or another "
                "loop than the usual one, a clip hands on what it was made to hand on: keep the number"
            )

    def _model(self, own: Mapping[str, Any]) -> Model:
        values = {**self.setup.overrides, **own, **_FIXED}
        model = self._builder.model(resolved(layers_of(self.setup.profile, self.setup.recipes, values)).settings)
        settings = model.settings
        if settings.condition.signal is not None:
            raise UseError(
                f"condition.signal={settings.condition.signal}: a film that follows a signal is made in one go: harness generate"
            )
        if not self._method(model).clip_by_clip or settings.generate.detector != "off":
            raise UseError(
                f"method.generation={settings.method.generation}, generate.detector={settings.generate.detector}: clips that "
                "know of others than those before them are made in one go: harness generate"
            )
        return model

    def _method(self, model: Model) -> Method:
        train = model.settings.train.model_copy(update={"enabled": bool(self.setup.loras)})
        settings = model.settings.model_copy(update={"train": train})
        return method_of(settings, hash_of=lambda path: fingerprint(Path(path), self._cache))


def root_of(identity: Mapping[str, Any], base: Mapping[str, Any]) -> str:
    """What a clip that knows of none after it is made from, but for prompt and seed."""
    own = ("frames", "clips", "prompts", "generate.seed", "generate.seed_stride")
    return signature("take", FILM.version, {key: value for key, value in identity.items() if key not in own}, base)
