"""From a declared experiment to its graph of stages: what each stage reads, and what it stands on."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from benchmarks.samples import Sample, content_hash, load_samples, samples_folder
from benchmarks.suites import EMBEDDED
from benchmarks.track import Track
from harness.core.artifacts import CARDS
from harness.core.errors import UseError
from harness.core.graph import Graph, Node
from harness.core.registry import suggestion
from harness.core.signature import fingerprint
from harness.declare.profiles import PROFILES, Profile
from harness.declare.request import MADE, Request, variant_settings
from harness.declare.settings import ScoreSettings, Settings
from harness.declare.spec import Resolved, Variant
from harness.declare.tracks import identity_of
from harness.plan.child import Child
from harness.plan.following import Lengths, check_films
from harness.plan.kinds import BACKBONE, COPY, DATA, ERRORS, FORECAST, GENERATE, MADE_BY, REPORT, SCORE, TRAIN, Kind
from harness.plan.launch import dealt, launcher, scorers
from harness.plan.method import Method, check_training, method_of
from harness.plan.model import Model, Weights, check_stories, model_of
from harness.plan.scoring import Scoring, scorings
from harness.plan.shipped import taken
from harness.plan.start import Starts
from reports.tables.sources import ordering_lists, table_names
from svi.data.folder import READING, video_files
from svi.data.samples import sample_files
from svi.settings import COPY_IMAGE, TrainSettings


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
        return PROFILES.get(self.request.profile)

    @property
    def backbone(self) -> str:
        """As the profile calls it, unless another one was named."""
        named = dict.fromkeys(child.resolved.settings.backbone.name for child in self.children)
        return self.profile.backbone if set(named) <= {self.profile.named} else ", ".join(named)


def build(request: Request, cache: Path, weights: bool = True) -> Pipeline:
    """The whole graph; `cache` keeps the hashes of files. Raises UseError for whatever cannot work, before anything runs; without
    `weights` those of a published model may be missing, which is noted: its stages then have signatures that no run has.
    """
    experiment = request.experiment
    tracks = [experiment.track(name) for name in experiment.tracks]
    for key in ("train.seed", "generate.seed"):
        if key in request.overrides:
            raise UseError(
                f"{key} on the command line: seeds are set by --seeds, for example --seeds {request.overrides[key]},"
            )
    if experiment.compare_to is not None and experiment.compare_to not in table_names():
        raise UseError(f"compare_to={experiment.compare_to!r}: {suggestion(experiment.compare_to, table_names())}")
    if experiment.orderings is not None and experiment.orderings not in ordering_lists():
        raise UseError(f"orderings={experiment.orderings!r}: {suggestion(experiment.orderings, ordering_lists())}")
    builder = Builder(cache, weights)
    children = []
    for variant in experiment.variants:
        for seed in experiment.seeds:
            resolved = variant_settings(request, variant, seed)
            children.append(builder.child(variant, seed, resolved, tracks))
    report = builder.report(request, children)
    return Pipeline(request, builder.graph, tuple(children), report, tuple(builder.notes))


class Builder:
    """A graph in the making: stages that variants share are one node, folders and weights are hashed once."""

    def __init__(self, cache: Path, weights: bool = True) -> None:
        """`cache` keeps the hashes of files; `weights`: whether those of a published model must be there."""
        self.graph, self.cache, self._needs_weights = Graph(), cache, weights
        self.notes: list[str] = []
        self._hashes: dict[tuple[str, str], str] = {}
        self._starts = Starts(self._fingerprint)
        self._lengths = Lengths()
        self._weights: dict[tuple[str, str | None], Weights] = {}
        self._lists: dict[tuple[Path, int], tuple[list[Sample], str]] = {}
        self._scorings: dict[tuple[ScoreSettings, Track, str | None], tuple[Scoring, ...]] = {}

    def child(self, variant: Variant, seed: int, resolved: Resolved[Settings], tracks: Sequence[Track]) -> Child:
        model = self.model(resolved.settings)
        settings, many, method = model.settings, len(model.experts) > 1, self._method(model)
        base, start = self.base(model), self._starts.start(settings, model.experts)
        name = f"{variant.name}, seed {seed}"
        trained: dict[str, str] = {}
        if settings.train.enabled:
            check_training(method.signal, settings)
        for expert in model.experts if settings.train.enabled else ():
            label, extra = (f"{name}, {expert}", {"expert": expert}) if many else (name, {})
            kind, parts, places = method.training(TRAIN)
            begun, there = start.of(expert)
            trained[expert] = self.add(
                kind, label, model, {**extra, **parts, **begun}, base, _train_work(settings.train), {**places, **there}
            )
        # Held-back clips are all that films need of the latent cache.
        made_by = MADE_BY.get(settings.generate.method, GENERATE)
        kind, parts, places = method.films(made_by)
        needed = set() if made_by is COPY else {"backbone"}
        needed |= {"data"} if _starts_held_back(settings) else set()
        upstream: dict[str, Any] = {role: base[role] for role in base if role in needed}
        begun, there = start.of(*model.experts)
        if trained:
            upstream["train"] = tuple(trained.values())
        else:
            parts, places = {**parts, **begun}, {**places, **there}
        if made_by is GENERATE and settings.condition.anchor and settings.generate.overlap_from == "next":
            parts = {**parts, "generate.cut": 2}  # film.json had the hand-offs of such films a frame too early once
        made, scored, probes = {}, {}, {}
        for track in tracks:
            check_films(track, settings)
            films = {**identity_of(track), **self._samples(model, track, method), **parts}
            made[track.name] = self.add(
                kind, f"{name}, {track.name}", model, films, upstream, _film_work(settings, track), places
            )
            to_score = {"generate": made[track.name]}
            if settings.generate.method == MADE and method.probed:
                probe, _, _ = method.films(FORECAST)
                probes[track.name] = to_score["forecast"] = self.add(
                    probe, f"{name}, {track.name}", model, films, upstream, _forecast_work(settings), places
                )
            known = settings.data.path is None and settings.eval.path is None
            scored[track.name] = self.scores(
                settings.score,
                track,
                f"{name}, {track.name}",
                to_score,
                settings.generate.samples,
                work=track.seconds * settings.generate.samples,
                follows=settings.condition.signal if known else None,
            )
        shown: tuple[str, ...] = ()
        if trained and settings.train.show_errors:
            upstream = {**base, "train": tuple(trained.values())}
            kind, parts, places = method.following(ERRORS)
            shown = (
                self.add(
                    kind, name, model, {**method.architecture, **parts, **begun}, upstream, paths={**places, **there}
                ),
            )
        forecast = probes if method.foretold else {}
        return Child(variant, seed, resolved, tuple(base.values()), trained, made, scored, forecast, probes, shown)

    def model(self, settings: Settings) -> Model:
        """Weights are looked for once, however many variants use them."""
        wanted, weights = settings.backbone, None
        if not wanted.embedded:
            weights = self._weights.get((wanted.name, wanted.weights))
            if weights is None:
                weights = Weights.find(wanted, self.cache, self._needs_weights)
                self._weights[wanted.name, wanted.weights] = weights
                if weights.absent:
                    self.notes.append(f"Planned without weights, which a run needs: {weights.absent}.")
        return model_of(settings, weights)

    def _method(self, model: Model) -> Method:
        return method_of(model.settings, len(model.experts), self._fingerprint)

    def _fingerprint(self, path: str) -> str:
        return fingerprint(Path(path), self.cache)

    def base(self, model: Model) -> dict[str, str]:
        """What variants share: the embedded model, and the latent cache where anything reads it."""
        settings = model.settings
        if settings.generate.method == COPY_IMAGE and not _starts_held_back(settings):
            return {}
        base = self.trained_here(model)
        if settings.train.enabled or _starts_held_back(settings):
            kind, identity, runtime = self._method(model).following(DATA)
            identity |= self._footage(settings)
            if settings.data.path is None and settings.condition.signal and settings.condition.shows_reference:
                identity["data.references_move"] = True  # they stood still once
            base["data"] = self.add(kind, "latent cache", model, identity, base, paths=runtime)
        return base

    def trained_here(self, model: Model) -> dict[str, str]:
        """The stage that trains the embedded model; none for weights in files."""
        if not model.embedded:
            return {}
        tiny = model.settings.tiny
        kind, identity, runtime = self._method(model).following(BACKBONE)
        identity |= self._footage(model.settings)
        work = tiny.steps * tiny.batch
        return {"backbone": self.add(kind, "base model", model, identity, {}, work, runtime)}

    def report(self, request: Request, children: Sequence[Child]) -> str:
        experiment = request.experiment
        identity: dict[str, Any] = {
            "experiment": request.name,
            "question": experiment.question,
            "baseline": experiment.baseline,
            "compare_to": experiment.compare_to,
            "yes_if": experiment.yes_if,
            "profile": request.profile,
            "variants": {v.name: dict(v.set) for v in experiment.variants},
            "tracks": list(experiment.tracks),
            "seeds": list(experiment.seeds),
            "rows": [[c.variant.name, c.seed, track] for c in children for track in c.generate],
            "errors": [[c.variant.name, c.seed] for c in children for _ in c.errors],
            "scored": [[c.variant.name, c.seed, track] for c in children for track in c.score for _ in c.score[track]],
        }
        if experiment.orderings is not None:  # younger than reports
            identity["orderings"] = experiment.orderings
        if request.looks > 1:
            identity["looks"] = request.looks
        if request.films:  # which look comes next depends on both budgets
            identity["budget"] = {"seeds": [request.first_look, request.at_most_seeds], "films": list(request.films)}
        upstream = {
            "base": tuple(dict.fromkeys(s for c in children for s in c.base)),
            "train": tuple(s for c in children for s in c.train.values()),
            "generate": tuple(s for c in children for s in c.generate.values()),
            "errors": tuple(s for c in children for s in c.errors),
            "forecast": tuple(s for c in children for s in c.probes.values()),
            "score": tuple(s for c in children for suites in c.score.values() for s in suites.values()),
        }
        return self._put(
            REPORT,
            f"report of {request.name}",
            identity,
            {"command": request.command},
            upstream,
            len(experiment.tracks),
        )

    def scores(
        self,
        settings: ScoreSettings,
        track: Track,
        label: str,
        upstream: Mapping[str, Any],
        count: int,
        kind: Kind = SCORE,
        films: Mapping[str, Any] = MappingProxyType({}),
        paths: Mapping[str, Any] = MappingProxyType({}),
        work: float = 1.0,
        follows: str | None = None,
    ) -> dict[str, str]:
        """Add a stage a suite, of at most `count` films that are generated or that `films` identifies; their signatures by suite.

        `follows`: the signal of films whose world is known. Only the embedded suite reads the forecast.
        """
        if (settings, track, follows) not in self._scorings:
            self._scorings[settings, track, follows] = tuple(scorings(settings, track, self.cache, follows))
        return {
            suite: self._put(
                kind,
                label if suite == EMBEDDED else f"{label}, {suite}",
                {**films, **identity},
                {**paths, **more},
                {role: given for role, given in upstream.items() if role != FORECAST.name or suite == EMBEDDED},
                work,
                scorers(suite, settings.ranks, count),
            )
            for suite, identity, more in self._scorings[settings, track, follows]
        }

    def add(
        self,
        kind: Kind,
        label: str,
        model: Model,
        extra: Mapping[str, Any],
        upstream: Mapping[str, Any],
        work: float = 1.0,
        paths: Mapping[str, Any] | None = None,
    ) -> str:
        """Add a stage that reads what its kind declares, `extra`, and runtime `paths`; returns its signature."""
        identity, runtime = model.read(kind.reads)
        return self._put(kind, label, {**identity, **extra}, {**runtime, **(paths or {})}, upstream, work)

    def _put(
        self,
        kind: Kind,
        label: str,
        identity: Mapping[str, Any],
        runtime: Mapping[str, Any],
        upstream: Mapping[str, Any],
        work: float = 1.0,
        ranks: int | None = None,
    ) -> str:
        ranks = ranks or int(identity.get("train.ranks", identity.get(CARDS, dealt(kind, identity, runtime))))
        node = Node(
            kind=kind.name,
            version=kind.version,
            label=label,
            identity=dict(identity),
            runtime=dict(runtime),
            upstream=dict(upstream),
            target=kind.target,
            ranks=ranks,
            priority=kind.priority,
            work=work,
            launcher=launcher(ranks, runtime.get("train.hostfile"), len(self.graph)) if ranks > 1 else None,
        )
        self.graph.add(taken(node) if kind is BACKBONE else node)
        return node.signature

    def _footage(self, settings: Settings) -> dict[str, Any]:
        """What identifies the training clips beside their settings. Raises UseError for a folder without videos, or samples."""
        path, files = settings.data.path, sample_files if settings.condition.signal else video_files
        if path is None:
            return {"data.fingerprint": "embedded world"}

        def look(folder: Path) -> str:
            files(folder)
            return fingerprint(folder, self.cache)

        return {"data.fingerprint": self._hash("data.path", path, look), "data.reading": READING}

    def _samples(self, model: Model, track: Track, method: Method) -> dict[str, Any]:
        """What identifies the images and prompts that films of the track are made from. Raises UseError for none."""
        settings = model.settings
        if settings.eval.path is None:
            if settings.data.path is not None:
                check_stories(settings, track, {"a clip held back from data.path": 1})
            return {"eval.samples": "scenes" if settings.data.path is None else "held back"}
        try:
            known: dict[str, Any]
            samples, digest = self._list(settings.eval.path, track, settings.generate.samples)
            check_stories(settings, track, {f"sample {one.name}": len(one.prompts) for one in samples})
            known = {"eval.samples": digest}
            if method.signal is not None:
                self._lengths.check(method.signal, samples, track, settings)
                folders = {sample.image.parent: None for sample in samples}
                known["eval.signals"] = [fingerprint(folder, self.cache) for folder in folders]
            if settings.eval.size == "profile":
                return known
            for sample in samples:
                sample.size(track, model.multiple)
            return {**known, "eval.multiple": model.multiple}
        except (ValueError, OSError) as error:
            raise UseError(f"eval.path: {error}") from error

    def _list(self, path: str, track: Track, count: int) -> tuple[list[Sample], str]:
        """The track's first samples and their hash, read once a folder."""
        folder = samples_folder(path, track)
        if (folder, count) not in self._lists:
            samples, skipped = load_samples(folder)
            notes = [f"eval.path: {name} is left out: {why}" for name, why in skipped]
            self.notes += [note for note in notes if note not in self.notes]
            self._lists[folder, count] = samples[:count], content_hash(samples[:count])
        return self._lists[folder, count]

    def _hash(self, key: str, path: str, compute: Callable[[Path], str]) -> str:
        """Computed once for each folder. Raises UseError for one that is missing or cannot be read."""
        if (key, path) not in self._hashes:
            if not Path(path).is_dir():
                raise UseError(f"{key}={path}: no such folder (looked in {Path(path).absolute()})")
            try:
                self._hashes[key, path] = compute(Path(path))
            except (ValueError, OSError) as error:
                raise UseError(f"{key}: {error}") from error
        return self._hashes[key, path]


def _train_work(train: TrainSettings) -> float:
    """In clips; how many an epoch has is not known yet, but it is the same for all variants."""
    return train.steps * train.batch * (train.epochs or 1)


def _film_work(settings: Settings, track: Track) -> float:
    """Seconds of film, times denoising steps where a model makes all of it; a trivial method mostly writes frames."""
    made = settings.generate
    return track.seconds * made.samples * (made.steps if made.method == MADE else 1)


def _forecast_work(settings: Settings) -> float:
    """The same for a forecast: one clip a film, twice."""
    clip = settings.data.clip_frames / settings.generate.film_fps(settings.data)
    return 2 * clip * settings.generate.steps * settings.generate.samples


def _starts_held_back(settings: Settings) -> bool:
    """Whether films start from clips that training did not see."""
    return settings.data.path is not None and settings.eval.path is None
