"""What of an experiment goes into MLflow: a parent run, a child for each variant and seed, their data, models and artifacts."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from benchmarks.films.info import FilmInfo
from benchmarks.suites.record import ScoreRecord
from harness.core.artifacts import FOOTAGE
from harness.core.provenance import facts, git_state
from harness.core.signature import canonical, flat
from harness.core.store import Store
from harness.declare.request import FILMS
from harness.declare.run_name import counted_overrides
from harness.plan.child import Child
from harness.plan.kinds import DATA, GENERATE, REPORT, SCORE, TRAIN
from harness.plan.pipeline import Pipeline
from harness.publish.curves import score_curves
from harness.publish.model_card import Adapter, about, card, scores
from harness.publish.text import MetricRow, child_text, parent_text, rows_of
from harness.tracking import Dataset, ExperimentPage, RunInfo, Tracker, TrainedModel
from svi.artifacts import LORA, METRICS, TRANSFORMER, VIDEOS

COLUMNS = 6
"""Late scores a track in the saved view of an experiment's runs: about what a screen is wide."""


class Publisher:
    """Mirrors the finished stages of a pipeline; every call may be repeated, nothing is sent twice.

    What a run says is a function of what the store holds, so that a command without news has nothing to send.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        store: Store,
        tracker: Tracker,
        parent: str | None = None,
        tags: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Declares the parent run and its children, with `tags`; with a `parent` from elsewhere, the children alone."""
        self.pipeline, self.store, self.tracker = pipeline, store, tracker
        self._handed: set[tuple[str, str]] = set()  # (artifact, run) handed over by this command
        self._scored = cache(self._read_scores)
        self.tags = {"backbone": pipeline.backbone, "profile": pipeline.request.profile, **tags}
        self._baselines = {
            c.seed: c for c in pipeline.children if c.variant.name == pipeline.request.experiment.baseline
        }
        self.parent = parent or self._declare_parent()
        self.runs = {(c.variant.name, c.seed): self._declare(c) for c in pipeline.children}

    def _declare_parent(self) -> str:
        pipeline, request, declared = self.pipeline, self.pipeline.request, self.pipeline.request.experiment
        seeds, done = declared.seeds, self.store.done(REPORT.name, pipeline.report)
        info = RunInfo(
            name=f"{request.name} · {request.profile} · {len(seeds)} seed{'s' if len(seeds) > 1 else ''}",
            params={
                "profile": request.profile,
                "recipes": ",".join((pipeline.profile.recipe, *request.recipes)),
                "baseline": declared.baseline,
                **request.overrides,
            },
            config={"experiment": declared.model_dump(), "overrides": dict(request.overrides), "made_with": facts()},
            tags={
                **self.tags,
                **git_state(),
                "harness.signature": pipeline.report,
                # No parameters, which MLflow never changes: a run may be extended.
                "tracks": ",".join(declared.tracks),
                "seeds": ",".join(map(str, seeds)),
            },
            description=parent_text(request, self.store.artifact(REPORT.name, pipeline.report) if done else None),
        )
        parent = self.tracker.parent(f"{request.name}/{self._made_alike()}", info)
        self.tracker.page(parent, self._experiment_page())
        return parent

    def _made_alike(self) -> str:
        """A hash of all that the run has in common with what extends it by seeds or tracks."""
        request, graph = self.pipeline.request, self.pipeline.graph
        variants = {variant.name: dict(variant.set) for variant in request.experiment.variants}
        asked = [
            request.profile,
            request.recipes,
            counted_overrides(request),
            dict(request.experiment.settings),
            variants,
        ]
        versions = sorted({(node.kind, node.version) for node in graph})
        return _hash([asked, versions, sorted({s for child in self.pipeline.children for s in child.base})])

    def _experiment_page(self) -> ExperimentPage:
        """A table of the variants: late scores, of each track the first ones, and the settings that variants set."""
        request, children = self.pipeline.request, self.pipeline.children
        rows = [row for child in children for row in self._metric_rows(child)]
        metrics: list[str] = []
        for track in request.experiment.tracks:
            late = dict.fromkeys(f"late/{track}/{r.metric}" for r in rows if r.track == track and r.per_clip)
            metrics += list(late)[:COLUMNS]
        settings = dict.fromkeys(key for child in children for key in child.variant.set)
        lead = next((row for row in rows if row.per_clip), None)  # the first column's
        return ExperimentPage(
            description=request.experiment.question,
            view=request.name,
            metrics=metrics,
            params=list(settings),
            rising=lead is not None and lead.direction == "lower",
            sections=[f"score/{track}" for track in request.experiment.tracks],
        )

    def _declare(self, child: Child) -> str:
        settings = child.resolved.settings
        foreign = "backbone." if settings.backbone.embedded else "tiny."
        params = flat(settings, "identity").items()
        changing = (FILMS,) if self.pipeline.request.films else ()  # no parameter: MLflow never changes one
        info = RunInfo(
            name=_name(child),
            params={
                key: value
                for key, value in params
                if key not in changing and (not key.startswith(foreign) or key == "backbone.name")
            },
            config={"settings": settings.model_dump(by_alias=True), "set_by": dict(child.resolved.origin)},
            tags={
                **self.tags,
                **self._commit_tags(child),
                "harness.signature": next(iter(child.train.values()), "untrained"),
                "variant": child.variant.name,
                "seed": str(child.seed),
                **{key: str(settings.generate.samples) for key in changing},
            },
            description=child_text(child, self._baselines.get(child.seed), self._metric_rows(child)),
        )
        return self.tracker.child(self.parent, f"{child.variant.name}/{child.seed}", info)

    def _commit_tags(self, child: Child) -> dict[str, str]:
        """The commit that made the child's films: this one's, unless an earlier command made them."""
        made = next(iter(child.generate.values()))
        if not self.store.done(GENERATE.name, made):
            return git_state()
        kept = self.store.manifest(GENERATE.name, made)["facts"]
        return {key: kept.get(key, "unknown") for key in git_state()}

    def update(self) -> None:
        """Send what the store holds by now: metrics of running trainings, and all that is finished."""
        for child in self.pipeline.children:
            run, handed = self.runs[child.variant.name, child.seed], len(self._handed)
            for track in child.generate:
                self._send_track(child, track, run)
            news = len(self._handed) > handed
            self._send_training(child, run, news)
            if news:
                self._declare(child)

    def _send_training(self, child: Child, run: str, news: bool) -> None:
        """Curves, data, and the model, whose card tells the scores: sent again with news."""
        for expert, signature in child.train.items():
            folder = self.store.partial(TRAIN.name, signature)
            trained = self._is_new(TRAIN.name, signature, run)
            if self.store.done(TRAIN.name, signature):
                folder = self.store.artifact(TRAIN.name, signature)
            if trained:
                self._send_training_data(child, run)
            if trained or (news and folder == self.store.artifact(TRAIN.name, signature)):
                self.tracker.model(run, self._trained_model(child, expert, signature, folder))
            if (folder / METRICS).is_file():
                self.tracker.metrics_file(run, folder / METRICS, f"{expert}/" if len(child.train) > 1 else "")

    def _trained_model(self, child: Child, expert: str, signature: str, folder: Path) -> TrainedModel:
        settings, manifest = child.resolved.settings, self.store.manifest(TRAIN.name, signature)
        scored = [s for suites in child.score.values() for s in suites.values() if self.store.done(SCORE.name, s)]
        lora = (folder / LORA).is_dir()
        weights, title = folder / (LORA if lora else TRANSFORMER), _name(child)
        light = lora or settings.backbone.embedded

        def write() -> str:
            known = about(
                manifest, self.store, tuple(scores(self.store, (self.store.manifest(SCORE.name, s) for s in scored)))
            )
            return (
                card(Adapter.of(weights) if lora else None, known, title)
                + f"\nWeights in the store: `{weights.relative_to(self.store.root)}`\n"
            )

        return TrainedModel(
            name=f"model {expert}",
            title=title if len(child.train) == 1 else f"{title} · {expert}",
            flavor="peft" if lora else "diffusers",
            folder=weights
            if settings.tracking.models == "all" or (settings.tracking.models == "light" and light)
            else None,
            params={
                k: v for k, v in manifest["identity"].items() if k.partition(".")[0] in ("train", "injection", "bank")
            },
            card=write,
            identity=signature,
            told=_hash(scored),
        )

    def _send_training_data(self, child: Child, run: str) -> None:
        for signature in child.base:
            node = self.pipeline.graph[signature]
            if node.kind == DATA.name and self.store.done(node.kind, signature):
                footage = {key: value for key, value in node.identity.items() if key.startswith("data.")}
                path = child.resolved.settings.data.path
                clips = json.loads((self.store.artifact(node.kind, signature) / FOOTAGE).read_text())["clips"]
                data = Dataset(
                    title=Path(path).name if path else "embedded world",
                    context="training",
                    identity=_hash(footage),
                    source=str(Path(path).absolute()) if path else "svi.data.world",
                    profile={"clips": clips, **footage},
                )
                self.tracker.dataset(run, data)

    def _send_track(self, child: Child, track: str, run: str) -> None:
        made = child.generate[track]
        if self._is_new(GENERATE.name, made, run):
            folder = self.store.artifact(GENERATE.name, made)
            self.tracker.artifact(run, f"videos {track}", folder / VIDEOS, f"videos/{track}", identity=made)
            self._send_samples(child, track, FilmInfo.read(folder), run)
        for suite, scored in child.score[track].items():
            if self._is_new(SCORE.name, scored, run):
                created = datetime.fromisoformat(self.store.manifest(SCORE.name, scored)["created"]).timestamp()
                curves, _ = self._scored(scored, track)
                self.tracker.curve(run, f"scores {track} {suite}", curves, identity=scored, measured=created)

    def _send_samples(self, child: Child, track: str, film: FilmInfo, run: str) -> None:
        """What the films start from, as a data set."""
        settings = child.resolved.settings
        source = settings.eval.path or settings.data.path
        data = Dataset(
            title=f"{track} samples",
            context="evaluation",
            identity=film.samples_hash,
            source=str(Path(source).absolute()) if source and Path(source).exists() else source or "svi.data.world",
            profile={"samples": len(film.samples), "track": film.track, "n_clips": film.n_clips, "fps": film.fps},
        )
        self.tracker.dataset(run, data)

    def _metric_rows(self, child: Child) -> list[MetricRow]:
        """Every metric that the child's films have by now."""
        done = [(s, t) for t, suites in child.score.items() for s in suites.values() if self.store.done(SCORE.name, s)]
        return [row for signature, track in done for row in self._scored(signature, track)[1]]

    def _read_scores(self, signature: str, track: str) -> tuple[dict[str, list[tuple[int, float]]], list[MetricRow]]:
        folder = self.store.artifact(SCORE.name, signature)
        record = ScoreRecord.read(folder)
        curves = score_curves(record.values, track)
        return curves, rows_of(track, curves, record.metrics)

    def _is_new(self, kind: str, signature: str, run: str) -> bool:
        """True once for each run, as soon as the artifact is finished."""
        if (signature, run) in self._handed or not self.store.done(kind, signature):
            return False
        self._handed.add((signature, run))
        return True

    def finish(self) -> None:
        """Send the report and end the runs: FINISHED where everything is done, else FAILED."""
        self.update()
        for child in self.pipeline.children:
            scored = [signature for suites in child.score.values() for signature in suites.values()]
            complete = all(self.store.done(SCORE.name, signature) for signature in scored)
            self.tracker.finish(
                self.runs[child.variant.name, child.seed],
                "FINISHED" if complete else "FAILED",
                self.seconds(child.stages),
            )
        report = self.pipeline.report
        complete = self.store.done(REPORT.name, report)
        self._declare_parent()
        if complete:
            folder = self.store.artifact(REPORT.name, report)
            self.tracker.artifact(self.parent, "report", folder, "report", identity=report)
        everything = [node.signature for node in self.pipeline.graph]
        self.tracker.finish(self.parent, "FINISHED" if complete else "FAILED", self.seconds(everything))

    def seconds(self, signatures: Iterable[str]) -> float:
        """How long these stages took, of those that are done."""
        nodes = (self.pipeline.graph[signature] for signature in dict.fromkeys(signatures))
        done = [node for node in nodes if self.store.done(node.kind, node.signature)]
        return float(sum(self.store.manifest(node.kind, node.signature)["seconds"] for node in done))


def _name(child: Child) -> str:
    return f"{child.variant.name} · seed {child.seed}"


def _hash(value: Any) -> str:
    return hashlib.sha256(canonical(value).encode()).hexdigest()
