"""What `run`, `plan` and `forecast` share: an experiment as asked for on the command line, resolved to its pipeline and store."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.commands.executors import Asking, open_executor, open_submitter
from harness.commands.options import JOBS, LIMIT, PROFILE, RECIPES, STORE, Command, names_of, overrides_argument
from harness.core.errors import UseError
from harness.core.store import ERROR, Store
from harness.declare.request import FIRST_LOOK, Request
from harness.declare.settings import Settings
from harness.declare.spec import Experiment, check_no_clash, load_experiment, parse_overrides, parse_seeds, select
from harness.experiments import EXPERIMENTS
from harness.plan.pipeline import Pipeline, build
from harness.results.runs import named
from harness.run.slurm.resources import check
from svi.data.folder import check_readable, video_files
from svi.data.samples import sample_files

if TYPE_CHECKING:
    from harness.run.local import Local
    from harness.run.schedule import Outcome
    from harness.run.slurm.executor import Slurm


def experiment_options(command: Command) -> Command:
    """The arguments of `Session.open`: which experiment, at which scale, with which settings."""
    shown = (
        click.argument("name", metavar="EXPERIMENT", shell_complete=names_of("experiments")),
        overrides_argument("tracks"),
        PROFILE,
        RECIPES,
        click.option("--seeds", default=None, help="how many (3 means 0, 1, 2) or a list such as 0,5,7"),
        click.option("--only", default=None, help="variants to take, as shell patterns: 'full,no_*'"),
        LIMIT,
        click.option(
            "--name",
            "called",
            default=None,
            help="of this run  [default: the experiment's, and what is overridden, as in ablation_eimg-full]",
        ),
        STORE,
        JOBS,
    )
    for option in reversed(shown):  # a decorator stands above those before it
        command = option(command)
    return command


def _settings(pipeline: Pipeline) -> Iterator[Settings]:
    return (child.resolved.settings for child in pipeline.children)


def _check_videos(path: str | None, signal: bool) -> None:
    """Raises UseError for a folder of training videos of which none can be read: a run would find out hours later."""
    if path is None:
        return
    try:
        check_readable(sample_files(Path(path)) if signal else video_files(Path(path)))
    except ValueError as error:
        raise UseError(f"data.path={path}: {error}") from error


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
        called: str | None = None,
        at_most_seeds: int | None = None,
        first_look: int = FIRST_LOOK,
        films: tuple[int, ...] = (),
        film_look: int = 0,
        weights: bool = True,
    ) -> "Session":
        """Resolve names, settings and inputs; every fault is a UseError before anything is computed. Without `weights` those of a
        published model may be missing."""
        declared = load_experiment(name, EXPERIMENTS)
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
        experiment = Experiment.model_validate({**dict(declared), **changes})
        if only is not None:
            experiment = select(experiment, only)
        check_no_clash(values, experiment.variants)
        opened = Store(store)
        looks = (at_most_seeds, first_look, films, film_look)
        request = Request(experiment, name, profile, tuple(recipes), values, only, called, *looks)
        pipeline = build(named(request, declared, opened.root), opened.fingerprints, weights)
        for folder in {(one.data.path, one.condition.signal is not None) for one in _settings(pipeline)}:
            _check_videos(*folder)
        first = pipeline.children[0].resolved.settings
        check((node.kind for node in pipeline.graph), first.slurm, first.backbone.embedded)
        return cls(pipeline, opened, jobs)

    @property
    def embedded(self) -> bool:
        """Whether all of it is of the embedded model."""
        return all(child.resolved.settings.backbone.embedded for child in self.pipeline.children)

    def executor(self, name: str, say: Callable[[str], None]) -> "Local | Slurm":
        """What carries stages out: "local" or "slurm". Raises UseError where nothing can be submitted."""
        return open_executor(name, self.jobs, self.pipeline.graph, self.store, self._asking(say))

    def detach(self, say: Callable[[str], None]) -> int:
        """Submit all stages to Slurm and leave them to it. Raises UseError; returns the exit code."""
        from harness.run.slurm.detached import detach

        submitter = open_submitter(self.pipeline.graph, self.store, self._asking(say))
        return detach(submitter, self.pipeline.graph, self.store)

    def _asking(self, say: Callable[[str], None]) -> Asking:
        settings = self.pipeline.children[0].resolved.settings
        return Asking(settings.slurm, settings.backbone.embedded, self.pipeline.request.experiment.name, say)

    def raise_use_errors(self, outcome: "Outcome") -> None:
        """Raises UseError when that is what a stage failed of: it is said like any other error of use."""
        for event in outcome.failed.values():
            error = self.store.note(event.node.kind, event.node.signature, ERROR)
            if error and error["kind"] == UseError.__name__:
                raise UseError(error["message"])
