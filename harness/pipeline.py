"""From a declared experiment to its graph of stages: what each stage reads, and what it stands on."""

import os
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.samples import content_hash, load_samples
from benchmarks.scorer import SUITE, SUITE_VERSION
from benchmarks.track import Track, get_track
from harness.errors import UseError
from harness.plan import Graph, Node
from harness.profiles import PROFILES, Profile
from harness.recipes import RECIPES
from harness.registry import suggestion
from harness.settings import Settings
from harness.signature import fingerprint, flat
from harness.spec import Experiment, Resolved, Variant, resolve
from reports.sources import table_names

SIZE = ("data.clip_frames", "data.height", "data.width")
MAX_FRAMES = 64  # positions of the tiny transformer's rotary embedding
CONDITION = ("condition.motion_frames", "condition.padding")


@dataclass(frozen=True)
class Kind:
    """A kind of stage: the settings it reads (a section, or one field), and the version of its computation."""

    name: str
    version: int
    reads: tuple[str, ...]
    priority: int


# Raise a version when a stage computes something else from the same settings. Training comes first: it is the longest path.
BACKBONE = Kind("backbone", 1, ("backbone", "data"), 50)
DATA = Kind("data", 1, ("backbone", "data", *CONDITION), 40)
TRAIN = Kind("train", 1, ("backbone", *SIZE, "condition", "flow", "injection", "bank", "train"), 30)
GENERATE = Kind("generate", 2, ("backbone", *SIZE, "data.fps", *CONDITION, "generate", "eval"), 20)
SCORE = Kind("score", 1, (), 10)
REPORT = Kind("report", 1, (), 0)


@dataclass(frozen=True)
class Child:
    """One variant with one seed: its settings, and the signatures of its stages (by track for generate and score)."""

    variant: Variant
    seed: int
    resolved: Resolved[Settings]
    backbone: str
    train: str | None
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
    profile = PROFILES.get(request.profile)
    layers: list[tuple[str, Mapping[str, object]]] = [(f"profile {request.profile}", profile.values)]
    if request.overrides.get("data.path") is not None:
        layers.append((f"profile {request.profile}, real videos", profile.real_videos))
    layers += [(f"recipe {name}", RECIPES.get(name).values) for name in (profile.recipe, *request.recipes)]
    layers += [("command line", request.overrides), ("seed", {"train.seed": seed, "generate.seed": seed})]
    layers.append((f"variant {variant.name}", variant.set))
    return resolve(Settings, layers)


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
    builder = _Builder(cache)
    children = []
    for variant in experiment.variants:
        for seed in experiment.seeds:
            resolved = variant_settings(request, variant, seed)
            check(resolved.settings)
            children.append(builder.child(variant, seed, resolved, experiment.tracks))
    report = builder.report(request, children)
    return Pipeline(request, builder.graph, tuple(children), report, tuple(builder.notes))


def check(settings: Settings) -> None:
    """What one field alone cannot tell. Raises UseError."""
    data, condition, injection = settings.data, settings.condition, settings.injection
    if condition.motion_frames >= data.clip_frames:
        raise UseError(
            f"condition.motion_frames is {condition.motion_frames}, but a clip has data.clip_frames={data.clip_frames} frames; "
            "each clip must add at least one frame: set fewer motion frames"
        )
    if injection.img_run > data.clip_frames:
        raise UseError(
            f"injection.img_run is {injection.img_run}, but a stored error has {data.clip_frames} latent frames; "
            "set it to at most that, or to 0 for the whole error"
        )
    if data.clip_frames > MAX_FRAMES:
        raise UseError(
            f"data.clip_frames is {data.clip_frames}; the tiny backbone takes at most {MAX_FRAMES} frames a clip"
        )
    side, most = 2 * settings.backbone.codec_patch, 3 * settings.backbone.codec_patch**2
    if data.height % side or data.width % side:
        raise UseError(
            f"data.height x data.width is {data.height} x {data.width}; the tiny backbone needs multiples of {side} "
            f"(2 x backbone.codec_patch)"
        )
    if settings.backbone.latent_channels > most:
        raise UseError(
            f"backbone.latent_channels is {settings.backbone.latent_channels}, but a patch of the codec has {most} "
            "components; set at most that, or a larger backbone.codec_patch"
        )
    if data.path is None and data.seed == settings.eval.seed:
        raise UseError(
            f"data.seed and eval.seed are both {data.seed}: films would start from training scenes; change one"
        )
    if data.path is not None and settings.eval.path is None and data.hold_back == 0:
        raise UseError(
            "films have nothing to start from: data.hold_back=0 keeps no clip from training; "
            "set it above 0, or set eval.path"
        )
    if settings.train.batch % settings.train.ranks:
        raise UseError(
            f"train.batch is {settings.train.batch}, which train.ranks={settings.train.ranks} ranks cannot share equally"
        )


class _Builder:
    def __init__(self, cache: Path) -> None:
        self.graph, self.cache = Graph(), cache
        self.notes: list[str] = []
        self._hashes: dict[tuple[str, str], str] = {}

    def child(self, variant: Variant, seed: int, resolved: Resolved[Settings], tracks: Sequence[str]) -> Child:
        settings = resolved.settings
        footage = {"data.fingerprint": self._footage(settings.data.path)}
        work = settings.backbone.steps * settings.backbone.batch
        backbone = self.add(BACKBONE, "base model", *self._read(BACKBONE, settings, footage), {}, work)
        data = self.add(DATA, "latent cache", *self._read(DATA, settings, footage), {"backbone": backbone})
        name = f"{variant.name}, seed {seed}"
        train, base = None, {"backbone": backbone, "data": data}
        if settings.train.enabled:
            work = settings.train.steps * settings.train.batch
            train = self.add(TRAIN, name, *self._read(TRAIN, settings), base, work, settings.train.ranks)
        made, scored = {}, {}
        for track_name in tracks:
            track = _track(track_name)
            extra = {"track": track.name, "track.version": track.version, "eval.samples": self._samples(settings)}
            identity, runtime = self._read(GENERATE, settings, extra)
            upstream = {**base, "train": train} if train else base
            cost = track.seconds * settings.generate.steps * settings.generate.samples
            made[track_name] = self.add(GENERATE, f"{name}, {track_name}", identity, runtime, upstream, cost)
            suite = {"suite": SUITE, "suite_version": SUITE_VERSION}
            scored[track_name] = self.add(SCORE, f"{name}, {track_name}", suite, {}, {"generate": made[track_name]})
        return Child(variant, seed, resolved, backbone, train, made, scored)

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
            "backbone": tuple(dict.fromkeys(c.backbone for c in children)),
            "train": tuple(c.train for c in children if c.train),
            "generate": tuple(s for c in children for s in c.generate.values()),
            "score": tuple(s for c in children for s in c.score.values()),
        }
        return self.add(REPORT, f"report of {experiment.name}", identity, {"command": request.command}, upstream)

    def add(
        self,
        kind: Kind,
        label: str,
        identity: Mapping[str, Any],
        runtime: Mapping[str, Any],
        upstream: Mapping[str, Any],
        work: float = 1.0,
        ranks: int = 1,
    ) -> str:
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
            launcher=self._launcher(ranks) if ranks > 1 else None,
        )
        self.graph.add(node)
        return node.signature

    def _launcher(self, ranks: int) -> tuple[str, ...]:
        """DeepSpeed's own, with a port of its own for each stage of this command."""
        port = 20000 + (os.getpid() * 64 + len(self.graph)) % 20000
        runner = (
            sys.executable,
            "-m",
            "deepspeed.launcher.runner",
            "--no_local_rank",
            "--num_accelerators",
            str(ranks),
        )
        return (*runner, "--master_addr", "127.0.0.1", "--master_port", str(port), "--module")

    def _read(
        self, kind: Kind, settings: Settings, extra: Mapping[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        identity, runtime = (_within(flat(settings, role), kind.reads) for role in ("identity", "runtime"))
        return {**identity, **(extra or {})}, runtime

    def _footage(self, path: str | None) -> str:
        if path is None:
            return "embedded world"
        return self._hash("data.path", path, lambda folder: fingerprint(folder, self.cache))

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


def _within(values: Mapping[str, Any], reads: Sequence[str]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key in reads or key.split(".")[0] in reads}


def _track(name: str) -> Track:
    try:
        return get_track(name)
    except ValueError as error:
        raise UseError(str(error)) from error
