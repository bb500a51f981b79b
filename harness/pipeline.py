"""From a declared experiment to its graph of stages: what each stage reads, and what it stands on."""

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.samples import content_hash, load_samples
from benchmarks.scorer import SUITE, SUITE_VERSION
from benchmarks.track import Track, get_track
from harness.errors import UseError
from harness.launch import launcher
from harness.model import TINY, Model, Weights, model_of
from harness.plan import Graph, Node
from harness.profiles import PROFILES, Profile
from harness.recipes import RECIPES
from harness.registry import suggestion
from harness.settings import Settings
from harness.signature import fingerprint
from harness.spec import Experiment, Resolved, Variant, resolve
from reports.sources import table_names
from svi.settings import TrainSettings

SIZE = ("data.clip_frames", "data.height", "data.width")
CONDITION = ("condition.motion_frames", "condition.padding", "condition.anchor")
# A model's codec and encoders; the embedded one is trained on the footage as well.
ENCODERS = tuple(f"backbone.{key}" for key in ("name", "weights", "dtype", "clip_image", "text_tokens", "vae_tiling"))
MODEL = ("tiny", *ENCODERS, "backbone.boundary")
FOOTAGE = (*SIZE, *(f"data.{key}" for key in ("path", "clips", "seed", "fps", "hop", "hold_back")))


@dataclass(frozen=True)
class Kind:
    """A kind of stage: the settings it reads (a section, or one field), and the version of its computation."""

    name: str
    version: int
    reads: tuple[str, ...]
    priority: int


# Raise a version when a stage computes something else from the same settings. Training comes first: it is the longest path.
BACKBONE = Kind("backbone", 2, ("tiny", *FOOTAGE), 50)
DATA = Kind("data", 2, ("tiny", *ENCODERS, "data", *CONDITION), 40)
TRAIN = Kind(
    "train",
    2,
    (*MODEL, *SIZE, "condition", "flow", "injection", "bank", "train", "speed.attention", "speed.compile"),
    30,
)
GENERATE = Kind("generate", 3, (*MODEL, *SIZE, "data.fps", *CONDITION, "generate", "speed", "eval"), 20)
SCORE = Kind("score", 2, (), 10)
REPORT = Kind("report", 2, (), 0)


@dataclass(frozen=True)
class Child:
    """One variant with one seed: its settings, and the signatures of its stages.

    Train by the backbone's expert, empty for a base model; generate and score by track.
    """

    variant: Variant
    seed: int
    resolved: Resolved[Settings]
    base: tuple[str, ...]
    train: Mapping[str, str]
    generate: Mapping[str, str]
    score: Mapping[str, str]


@dataclass(frozen=True)
class Request:
    """What a person asked for. `reference` is the experiment as typed: a name, or file.py:name."""

    experiment: Experiment
    reference: str
    profile: str
    recipes: tuple[str, ...] = ()
    overrides: Mapping[str, object] = field(default_factory=dict)
    only: str | None = None

    @property
    def command(self) -> str:
        """The command that makes the same results again."""
        words = ["harness", "run", self.reference, "--profile", self.profile]
        words += [word for name in self.recipes for word in ("--recipe", name)]
        words += ["--only", self.only] if self.only else []
        words += ["--seeds", ",".join(map(str, self.experiment.seeds)) + ","]
        words += ["tracks=" + ",".join(self.experiment.tracks)]
        return shlex.join([*words, *(f"{key}={value}" for key, value in self.overrides.items())])


@dataclass(frozen=True)
class Pipeline:
    """A request, planned: its graph, its children, the signature of its report, and what a person should know of its inputs."""

    request: Request
    graph: Graph
    children: tuple[Child, ...]
    report: str
    notes: tuple[str, ...]

    @property
    def profile(self) -> Profile:
        """The profile asked for."""
        return PROFILES.get(self.request.profile)


def variant_settings(request: Request, variant: Variant, seed: int) -> Resolved[Settings]:
    """Settings of one variant and seed: profile < recipe < command line < variant."""
    layers = layers_of(request.profile, request.recipes, request.overrides)
    layers += [
        ("seed", {"train.seed": seed, "generate.seed": seed}),
        (f"variant {variant.name}", _one_length(variant.set)),
    ]
    return resolve(Settings, layers)


def layers_of(
    profile_name: str, recipes: Sequence[str], overrides: Mapping[str, object]
) -> list[tuple[str, Mapping[str, object]]]:
    """What settings are resolved from, without seed and variant: profile < recipe < command line."""
    profile = PROFILES.get(profile_name)
    layers: list[tuple[str, Mapping[str, object]]] = [(f"profile {profile_name}", profile.values)]
    if overrides.get("data.path") is not None:
        layers.append((f"profile {profile_name}, real videos", profile.real_videos))
    layers += [(f"recipe {name}", RECIPES.get(name).values) for name in (profile.recipe, *recipes)]
    return [*layers, ("command line", _one_length(overrides))]


def _one_length(values: Mapping[str, object]) -> Mapping[str, object]:
    """Who sets a number of steps means it, also where a recipe below counts in epochs."""
    return {**values, "train.epochs": None} if "train.steps" in values and "train.epochs" not in values else values


def build(request: Request, cache: Path) -> Pipeline:
    """The whole graph; `cache` keeps the hashes of files. Raises UseError for whatever cannot work, before anything runs."""
    experiment = request.experiment
    for key in ("train.seed", "generate.seed"):
        if key in request.overrides:
            raise UseError(
                f"{key} on the command line: seeds are set by --seeds, for example --seeds {request.overrides[key]},"
            )
    if experiment.compare_to is not None and experiment.compare_to not in table_names():
        raise UseError(f"compare_to={experiment.compare_to!r}: {suggestion(experiment.compare_to, table_names())}")
    builder = Builder(cache)
    children = []
    for variant in experiment.variants:
        for seed in experiment.seeds:
            resolved = variant_settings(request, variant, seed)
            children.append(builder.child(variant, seed, resolved, experiment.tracks))
    report = builder.report(request, children)
    return Pipeline(request, builder.graph, tuple(children), report, tuple(builder.notes))


class Builder:
    """A graph in the making: stages that variants share are one node, folders and weights are hashed once."""

    def __init__(self, cache: Path) -> None:
        """`cache` keeps the hashes of files."""
        self.graph, self.cache = Graph(), cache
        self.notes: list[str] = []
        self._hashes: dict[tuple[str, str], str] = {}
        self._weights: dict[tuple[str, str | None], Weights] = {}

    def child(self, variant: Variant, seed: int, resolved: Resolved[Settings], tracks: Sequence[str]) -> Child:
        model = self.model(resolved.settings)
        settings, many = model.settings, len(model.experts) > 1
        base = self.base(model)
        name = f"{variant.name}, seed {seed}"
        trained: dict[str, str] = {}
        for expert in model.experts if settings.train.enabled else ():
            label, extra = (f"{name}, {expert}", {"expert": expert}) if many else (name, {})
            trained[expert] = self.add(TRAIN, label, model, extra, base, _work(settings.train))
        # Held-back clips are all that films need of the latent cache.
        upstream: dict[str, Any] = {role: base[role] for role in base if role == "backbone" or _held_back(settings)}
        if trained:
            upstream["train"] = tuple(trained.values())
        made, scored = {}, {}
        for track_name in tracks:
            track = _track(track_name)
            shown = {"track": track.name, "track.version": track.version, "eval.samples": self._samples(settings)}
            cost = track.seconds * settings.generate.steps * settings.generate.samples
            made[track_name] = self.add(GENERATE, f"{name}, {track_name}", model, shown, upstream, cost)
            suite = {"suite": SUITE, "suite_version": SUITE_VERSION}
            scored[track_name] = self.add(SCORE, f"{name}, {track_name}", model, suite, {"generate": made[track_name]})
        return Child(variant, seed, resolved, tuple(base.values()), trained, made, scored)

    def model(self, settings: Settings) -> Model:
        """Weights are looked for once, however many variants use them."""
        wanted, weights = settings.backbone, None
        if wanted.name != TINY:
            weights = self._weights.get((wanted.name, wanted.weights)) or Weights.find(wanted, self.cache)
            self._weights[wanted.name, wanted.weights] = weights
        return model_of(settings, weights)

    def base(self, model: Model) -> dict[str, str]:
        """What variants share: the embedded model, and the latent cache where anything reads it."""
        settings, base = model.settings, self.trained_here(model)
        if settings.train.enabled or _held_back(settings):
            base["data"] = self.add(DATA, "latent cache", model, self._footage(settings.data.path), base)
        return base

    def trained_here(self, model: Model) -> dict[str, str]:
        """The stage that trains the embedded model; none for weights in files."""
        if not model.embedded:
            return {}
        tiny, footage = model.settings.tiny, self._footage(model.settings.data.path)
        return {"backbone": self.add(BACKBONE, "base model", model, footage, {}, tiny.steps * tiny.batch)}

    def report(self, request: Request, children: Sequence[Child]) -> str:
        experiment = request.experiment
        identity = {
            "experiment": experiment.name,
            "question": experiment.question,
            "baseline": experiment.baseline,
            "compare_to": experiment.compare_to,
            "profile": request.profile,
            "variants": {v.name: dict(v.set) for v in experiment.variants},
            "tracks": list(experiment.tracks),
            "seeds": list(experiment.seeds),
            "rows": [[c.variant.name, c.seed, track] for c in children for track in c.score],
        }
        upstream = {
            "base": tuple(dict.fromkeys(s for c in children for s in c.base)),
            "train": tuple(s for c in children for s in c.train.values()),
            "generate": tuple(s for c in children for s in c.generate.values()),
            "score": tuple(s for c in children for s in c.score.values()),
        }
        return self._put(REPORT, f"report of {experiment.name}", identity, {"command": request.command}, upstream)

    def add(
        self,
        kind: Kind,
        label: str,
        model: Model,
        extra: Mapping[str, Any],
        upstream: Mapping[str, Any],
        work: float = 1.0,
        places: Mapping[str, Any] | None = None,
    ) -> str:
        """Add a stage that reads what its kind declares, `extra`, and paths from `places`; returns its signature."""
        identity, runtime = model.read(kind.reads)
        return self._put(kind, label, {**identity, **extra}, {**runtime, **(places or {})}, upstream, work)

    def _put(
        self,
        kind: Kind,
        label: str,
        identity: Mapping[str, Any],
        runtime: Mapping[str, Any],
        upstream: Mapping[str, Any],
        work: float = 1.0,
    ) -> str:
        ranks = int(identity.get("train.ranks", 1))
        node = Node(
            kind=kind.name,
            version=kind.version,
            label=label,
            identity=dict(identity),
            runtime=dict(runtime),
            upstream=dict(upstream),
            target=f"harness.stages:{kind.name}",
            ranks=ranks,
            priority=kind.priority,
            work=work,
            launcher=launcher(ranks, runtime["train.hostfile"], len(self.graph)) if ranks > 1 else None,
        )
        self.graph.add(node)
        return node.signature

    def _footage(self, path: str | None) -> dict[str, str]:
        if path is None:
            return {"data.fingerprint": "embedded world"}
        return {"data.fingerprint": self._hash("data.path", path, lambda folder: fingerprint(folder, self.cache))}

    def _samples(self, settings: Settings) -> str:
        path = settings.eval.path
        if path is None:
            return "scenes" if settings.data.path is None else "held back"
        return self._hash("eval.path", path, self._read_samples)

    def _read_samples(self, folder: Path) -> str:
        samples, skipped = load_samples(folder)
        self.notes += [f"eval.path: {name} is left out: {why}" for name, why in skipped]
        return content_hash(samples)

    def _hash(self, key: str, path: str, compute: Callable[[Path], str]) -> str:
        """Computed once for each folder. Raises UseError for one that is missing or cannot be read."""
        if (key, path) not in self._hashes:
            if not Path(path).is_dir():
                raise UseError(f"{key}={path}: no such folder (looked in {Path(path).resolve()})")
            try:
                self._hashes[key, path] = compute(Path(path))
            except (ValueError, OSError) as error:
                raise UseError(f"{key}: {error}") from error
        return self._hashes[key, path]


def _work(train: TrainSettings) -> float:
    """In clips; how many an epoch has is not known yet, but it is the same for all variants."""
    return train.steps * train.batch * (train.epochs or 1)


def _held_back(settings: Settings) -> bool:
    """Whether films start from clips that training did not see."""
    return settings.data.path is not None and settings.eval.path is None


def _track(name: str) -> Track:
    try:
        return get_track(name)
    except ValueError as error:
        raise UseError(str(error)) from error
