"""One `harness run`: an experiment's pipeline, its store, the scheduler, the console and MLflow, brought together."""

import json
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.core.errors import UseError
from harness.core.store import ERROR, Store
from harness.declare.request import Request
from harness.declare.spec import Experiment, check_no_clash, load_experiment, parse_overrides, parse_seeds, select
from harness.experiments import EXPERIMENTS
from harness.plan.pipeline import Pipeline, build
from harness.results.reports import link_report

if TYPE_CHECKING:
    from harness.run.local import Local
    from harness.run.schedule import Outcome
    from harness.run.slurm.executor import Slurm
    from harness.run.slurm.submission import Submitter

EXIT_FAILED = 1


@dataclass(frozen=True)
class Session:
    """What the command line asked for, resolved."""

    pipeline: Pipeline
    store: Store
    jobs: int

    @classmethod
    def open(
        cls,
        name: str,
        overrides: Sequence[str],
        profile: str,
        recipes: Sequence[str],
        seeds: str | None,
        only: str | None,
        store: Path,
        jobs: int,
        limit: int | None = None,
    ) -> "Session":
        """Resolve names, settings and inputs; every fault is a UseError before anything is computed."""
        experiment = load_experiment(name, EXPERIMENTS)
        values = parse_overrides(overrides)
        if limit is not None:
            if "generate.samples" in values:
                raise UseError(
                    f"--limit {limit} and generate.samples={values['generate.samples']}: both say how many; give one"
                )
            values["generate.samples"] = limit
        changes: dict[str, object] = {}
        if "tracks" in values:
            changes["tracks"] = tuple(track.strip() for track in str(values.pop("tracks")).split(","))
        if seeds is not None:
            changes["seeds"] = parse_seeds(seeds)
        experiment = Experiment.model_validate({**dict(experiment), **changes})
        if only is not None:
            experiment = select(experiment, only)
        check_no_clash(values, experiment.variants)
        opened = Store(store)
        request = Request(experiment, name, profile, tuple(recipes), values, only)
        return cls(build(request, opened.fingerprints), opened, jobs)

    def run(self, executor_name: str = "local") -> int:
        """Carry the pipeline out; prints the Markdown table last. Returns the exit code."""
        from harness.publish.publisher import Publisher
        from harness.run.console import Console
        from harness.run.schedule import Running, interrupted, run
        from harness.tracking import Tracker, resolve_uri

        signal.signal(signal.SIGTERM, interrupted)
        console = Console(len(self.pipeline.graph))
        executor = self._executor(executor_name, console.say)
        uri = resolve_uri(self.pipeline.children[0].resolved.settings.tracking.uri, self.store.root)
        with Tracker(uri, self.store.root, self.pipeline.request.experiment.name, console.say) as tracker, console:
            publisher = Publisher(self.pipeline, self.store, tracker)

            def tick(running: list[Running]) -> None:
                console.tick(running)
                publisher.update()

            for note in self.pipeline.notes:
                console.say(note)
            with executor:
                outcome = run(self.pipeline.graph, self.store, executor, console.event, tick)
            publisher.finish()
            for note in self._skipped_videos():
                console.say(note)
        return self._conclude(outcome)

    def forecast(self) -> int:
        """Carry out all that the forecasts need, and no film; prints them. Returns the exit code."""
        from harness.results.forecast import forecasts, render
        from harness.run.console import Console
        from harness.run.schedule import interrupted, run

        signal.signal(signal.SIGTERM, interrupted)
        pipeline = self.pipeline
        graph = pipeline.graph.upto(s for child in pipeline.children for s in child.forecast.values())
        with Console(len(graph)) as console, self._executor("local", console.say) as executor:
            outcome = run(graph, self.store, executor, console.event, console.tick)
        self._raise_use_errors(outcome)
        for track in pipeline.request.experiment.tracks:
            if found := forecasts(pipeline, self.store, track):
                print(f"\n{track}, in units of the latents, with 95 % intervals\n{render(found)}")
        return EXIT_FAILED if outcome.failed else 0

    def detach(self) -> int:
        """Submit all that is not done to Slurm, and leave. Returns the exit code."""
        return self._submitter(print).detach(self.pipeline.graph, self.store)

    def _executor(self, name: str, say: Callable[[str], None]) -> "Local | Slurm":
        if name == "slurm":
            from harness.run.slurm.executor import Slurm

            return Slurm(self._submitter(say))
        from harness.core.provenance import facts
        from harness.run.local import Local

        return Local(self.jobs, facts())

    def _submitter(self, say: Callable[[str], None]) -> "Submitter":
        """Raises UseError where nothing can be submitted."""
        from harness.core.provenance import facts
        from harness.plan.model import TINY
        from harness.run.slurm.submission import Submitter

        settings = self.pipeline.children[0].resolved.settings
        experiment = self.pipeline.request.experiment.name
        submitter = Submitter(settings.slurm, settings.backbone.name == TINY, experiment, facts(), say)
        submitter.check(list(self.pipeline.graph))
        return submitter

    def _skipped_videos(self) -> Iterator[str]:
        """What the latent caches could not use of data.path."""
        for node in self.pipeline.graph:
            if node.kind == "data" and self.store.done("data", node.signature):
                about = json.loads((self.store.artifact("data", node.signature) / "footage.json").read_text())
                if about["skipped"]:
                    yield f"data.path: {len(about['skipped'])} videos skipped"
                yield from (f"  {name}: {why}" for name, why in about["skipped"])

    def _raise_use_errors(self, outcome: "Outcome") -> None:
        for event in outcome.failed.values():
            error = self.store.note(event.node.kind, event.node.signature, ERROR)
            if error and error["kind"] == UseError.__name__:
                raise UseError(error["message"])

    def _conclude(self, outcome: "Outcome") -> int:
        self._raise_use_errors(outcome)
        if not self.store.done("report", self.pipeline.report):
            print(
                f"\n{len(outcome.failed)} stages failed; the same command tries them again and keeps all that is done.",
                file=sys.stderr,
            )
            return EXIT_FAILED
        folder = self.store.artifact("report", self.pipeline.report)
        newest = link_report(self.store.root, self.pipeline.request.experiment.name, folder)
        print(
            f"page: {newest / 'report.html'}; MLflow: harness ui --store {self.store.root}\n",
            file=sys.stderr,
            flush=True,
        )
        print((folder / "table.md").read_text())
        return 0
