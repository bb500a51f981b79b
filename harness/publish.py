"""What of an experiment goes into MLflow: a parent run, a child for each variant and seed, and their artifacts."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType

from harness.pipeline import Child, Pipeline
from harness.provenance import facts, git_state
from harness.signature import flat
from harness.store import Store
from harness.tracking import RunInfo, Tracker, score_curves


class Publisher:
    """Mirrors the finished stages of a pipeline; every call may be repeated, nothing is sent twice."""

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
        request, seeds = pipeline.request, pipeline.request.experiment.seeds
        declared = request.experiment
        self.tags = {"backbone": pipeline.profile.backbone, "profile": request.profile, **tags}
        info = RunInfo(
            name=f"{declared.name} · {request.profile} · {len(seeds)} seed{'s' if len(seeds) > 1 else ''}",
            params={
                "profile": request.profile,
                "recipes": ",".join((pipeline.profile.recipe, *request.recipes)),
                "baseline": declared.baseline,
                "tracks": ",".join(declared.tracks),
                "seeds": ",".join(map(str, seeds)),
                **request.overrides,
            },
            config={"experiment": declared.model_dump(), "overrides": dict(request.overrides), "made_with": facts()},
            tags={**self.tags, **git_state(), "harness.signature": pipeline.report},
            description=f"**{declared.question}**\n\n`{request.command}`\n\nBaseline of all deltas: `{declared.baseline}`.",
        )
        self.parent = parent or tracker.parent(pipeline.report, info)
        self.runs = {(c.variant.name, c.seed): self._declare(c) for c in pipeline.children}

    def _declare(self, child: Child) -> str:
        sets = "\n".join(f"- `{key}` = `{value}`" for key, value in child.variant.set.items())
        info = RunInfo(
            name=f"{child.variant.name} · seed {child.seed}",
            params=flat(child.resolved.settings, "identity"),
            config={"settings": child.resolved.settings.model_dump(), "set_by": dict(child.resolved.origin)},
            tags={
                **self.tags,
                **self._made_at(child),
                "harness.signature": next(iter(child.train.values()), "untrained"),
                "variant": child.variant.name,
                "seed": str(child.seed),
            },
            description=f"Variant **{child.variant.name}** sets\n\n{sets or '- nothing: the recipe as it is'}",
        )
        return self.tracker.child(self.parent, f"{child.variant.name}/{child.seed}", info)

    def _made_at(self, child: Child) -> dict[str, str]:
        """The commit that made the child's films: this one's, unless an earlier command made them."""
        made = next(iter(child.generate.values()))
        if not self.store.done("generate", made):
            return git_state()
        kept = self.store.manifest("generate", made)["facts"]
        return {key: kept.get(key, "unknown") for key in git_state()}

    def update(self) -> None:
        """Send what the store holds by now: metrics of running trainings, and all that is finished."""
        for child in self.pipeline.children:
            run = self.runs[child.variant.name, child.seed]
            self._training(child, run)
            for track in child.generate:
                self._track(child, track, run)

    def _training(self, child: Child, run: str) -> None:
        for expert, signature in child.train.items():
            folder = self.store.partial("train", signature)
            if self._new("train", signature, run):
                folder = self.store.artifact("train", signature)
                weights = "lora" if (folder / "lora").is_dir() else "transformer"
                place = weights if len(child.train) == 1 else f"{weights}/{expert}"
                self.tracker.artifact(run, place, folder / weights, place, identity=signature)
            if (folder / "metrics.jsonl").is_file():
                self.tracker.metrics_file(run, folder / "metrics.jsonl", f"{expert}/" if len(child.train) > 1 else "")

    def _track(self, child: Child, track: str, run: str) -> None:
        made = child.generate[track]
        if self._new("generate", made, run):
            videos = self.store.artifact("generate", made) / "videos"
            self.tracker.artifact(run, f"videos {track}", videos, f"videos/{track}", identity=made)
        for suite, scored in child.score[track].items():
            if self._new("score", scored, run):
                created = datetime.fromisoformat(self.store.manifest("score", scored)["created"]).timestamp()
                curves = score_curves(self.store.artifact("score", scored), track)
                self.tracker.curve(run, f"scores {track} {suite}", curves, identity=scored, measured=created)

    def _new(self, kind: str, signature: str, run: str) -> bool:
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
            complete = all(self.store.done("score", signature) for signature in scored)
            self.tracker.finish(self.runs[child.variant.name, child.seed], "FINISHED" if complete else "FAILED")
        report = self.pipeline.report
        complete = self.store.done("report", report)
        if complete:
            folder = self.store.artifact("report", report)
            self.tracker.artifact(self.parent, "report", folder, "report", identity=report)
        self.tracker.finish(self.parent, "FINISHED" if complete else "FAILED")
