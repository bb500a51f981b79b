"""What of an experiment goes into MLflow: a parent run, a child for each variant and seed, and their artifacts."""

from collections.abc import Iterable
from datetime import datetime

from harness.pipeline import Child, Pipeline
from harness.provenance import git_state, versions
from harness.signature import flat
from harness.store import Store
from harness.tracking import RunInfo, Tracker, score_curves


class Publisher:
    """Mirrors the finished stages of a pipeline; every call may be repeated, nothing is sent twice."""

    def __init__(self, pipeline: Pipeline, store: Store, tracker: Tracker) -> None:
        """Declares the parent run and its children."""
        self.pipeline, self.store, self.tracker = pipeline, store, tracker
        self._handed: set[tuple[str, str]] = set()  # finished artifacts handed over by this command
        declared = pipeline.experiment
        self.tags = {**git_state(), "backbone": pipeline.profile.backbone, "profile": pipeline.profile_name}
        summary = f"**{declared.question}**\n\n`{pipeline.command}`\n\nBaseline of all deltas: `{declared.baseline}`."
        config = {
            "experiment": declared.model_dump(),
            "recipes": pipeline.recipes,
            "overrides": dict(pipeline.overrides),
        }
        params = {
            "profile": pipeline.profile_name,
            "baseline": declared.baseline,
            "tracks": ",".join(declared.tracks),
            "seeds": ",".join(map(str, declared.seeds)),
            **pipeline.overrides,
        }
        name = (
            f"{declared.name} · {pipeline.profile_name} · {len(declared.seeds)} seed{'s' * (len(declared.seeds) > 1)}"
        )
        tags = {**self.tags, "harness.signature": pipeline.report}
        self.parent = tracker.parent(
            pipeline.report, RunInfo(name, params, {**config, "versions": versions()}, tags, summary)
        )
        self.runs = {(c.variant.name, c.seed): self._declare(c) for c in pipeline.children}

    def _declare(self, child: Child) -> str:
        settings = child.resolved.settings
        sets = (
            "\n".join(f"- `{key}` = `{value}`" for key, value in child.variant.set.items())
            or "- nothing: the recipe as it is"
        )
        info = RunInfo(
            name=f"{child.variant.name} · seed {child.seed}",
            params=flat(settings, "identity"),
            config=settings.model_dump(),
            tags={
                **self.tags,
                "harness.signature": child.train or child.backbone,
                "variant": child.variant.name,
                "seed": str(child.seed),
            },
            description=f"Variant **{child.variant.name}** of `{self.pipeline.experiment.name}` sets\n\n{sets}",
        )
        return self.tracker.child(self.parent, f"{child.variant.name}/{child.seed}", info)

    def update(self) -> None:
        """Send what the store holds by now: metrics of running trainings, and all that is finished."""
        for child in self.pipeline.children:
            run = self.runs[child.variant.name, child.seed]
            self._training(child, run)
            for track in child.generate:
                self._track(child, track, run)

    def _training(self, child: Child, run: str) -> None:
        if child.train is None:
            return
        folder = self.store.partial("train", child.train)
        if self._new("train", child.train, run):
            folder = self.store.artifact("train", child.train)
            weights = "lora" if (folder / "lora").is_dir() else "transformer"
            self.tracker.artifact(run, weights, folder / weights, weights, identity=child.train)
        if (folder / "metrics.jsonl").is_file():
            self.tracker.metrics_file(run, folder / "metrics.jsonl")

    def _track(self, child: Child, track: str, run: str) -> None:
        made, scored = child.generate[track], child.score[track]
        if self._new("generate", made, run):
            videos = self.store.artifact("generate", made) / "videos"
            self.tracker.artifact(run, f"videos {track}", videos, f"videos/{track}", identity=made)
        if self._new("score", scored, run):
            created = datetime.fromisoformat(self.store.manifest("score", scored)["created"]).timestamp()
            curves = score_curves(self.store.artifact("score", scored), track)
            self.tracker.curve(run, f"scores {track}", curves, identity=scored, measured=created)

    def _new(self, kind: str, signature: str, run: str) -> bool:
        """True once for each run, as soon as the artifact is finished."""
        if (signature, run) in self._handed or not self.store.done(kind, signature):
            return False
        self._handed.add((signature, run))
        return True

    def finish(self, failed: Iterable[str]) -> None:
        """Send the report and end the runs; a child that needed a failed stage ends FAILED."""
        broken = set(failed)
        self.update()
        for child in self.pipeline.children:
            mine = {child.backbone, child.train, *child.generate.values(), *child.score.values()}
            self.tracker.finish(self.runs[child.variant.name, child.seed], "FAILED" if mine & broken else "FINISHED")
        report = self.pipeline.report
        if self.store.done("report", report):
            self.tracker.artifact(
                self.parent, "report", self.store.artifact("report", report), "report", identity=report
            )
        self.tracker.finish(self.parent, "FAILED" if broken else "FINISHED")
