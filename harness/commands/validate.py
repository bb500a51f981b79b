"""`harness validate`: are the metrics worth quoting? Drifts of known size on true films, and what every metric says of them."""

import shlex
import signal
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from itertools import repeat
from multiprocessing import active_children, get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from benchmarks.track import Track
from harness.commands.options import JOBS, Whole, overrides_argument
from harness.commands.printing import print_markdown
from harness.core.atomic import write_text
from harness.core.errors import Interrupted, UseError
from harness.core.registry import suggestion
from harness.core.store import Store
from harness.core.text import duration
from harness.declare.numbers import LARGEST_SEED
from harness.declare.profiles import DEFAULT
from harness.declare.request import Request
from harness.declare.spec import Experiment, Variant, parse_overrides
from harness.plan.kinds import TRUE_FILMS

if TYPE_CHECKING:
    from benchmarks.films.film import FilmFolder
    from benchmarks.suites.suite import Suite
    from benchmarks.validation.study import Measured, Study
    from harness.results.validation import Validation

TRACK = Track("validate-25s", "consistent", 25.0, 1, "One scene, one prompt, 25 s.")
SCENES = 50_000  # eval.seed of seed 0: no experiment has these
_ALLOWED = ("score.metrics", "score.vbench")


@dataclass(frozen=True)
class Asked:
    """What a person asked for."""

    overrides: Sequence[str]
    films: int
    drifts: Sequence[str]
    seed: int

    @property
    def command(self) -> str:
        """The command that finds the same again."""
        words = ["harness", "validate", *self.overrides, "--films", str(self.films), "--seed", str(self.seed)]
        return shlex.join([*words, *(word for name in self.drifts for word in ("--drift", name))])


@click.command()
@overrides_argument()
@click.option("--films", type=Whole(most=10_000), default=8, show_default=True, help="true films shown in every dose")
@click.option("--drift", "drifts", multiple=True, help="only this one; may be given again  [default: all twelve]")
@click.option(
    "--seed", type=Whole(0, LARGEST_SEED), default=0, show_default=True, help="of scenes, and of what is ordinary"
)
@click.option("--write", type=click.Path(dir_okay=False, path_type=Path), help="the file to write, such as metrics.md")
@JOBS
def validate(write: Path | None, jobs: int, **asked: Any) -> None:
    """Test the metrics themselves: damage true films by known doses of drift, and ask every metric.

    score.metrics=FILE.py:NAME adds a metric of yours, score.vbench=all those of VBench (their weights are needed, and long hours).
    """
    if write is not None and not write.absolute().parent.is_dir():
        raise UseError(f"--write {write}: no folder {write.parent}; make it, or choose another")
    page = validation(Asked(**asked), jobs).page()
    if write is None:
        print_markdown(page)
        return
    write_text(write, page + "\n")
    click.echo(f"written to {write}")


def validation(asked: Asked, jobs: int) -> "Validation":
    """Make the films and ask all metrics. Raises UseError."""
    from benchmarks.validation.drifts import DRIFTS
    from benchmarks.validation.study import PARTS, Study
    from benchmarks.validation.verdicts import verdicts
    from benchmarks.validation.visible import just_visible
    from harness.results.validation import Validation

    if unknown := [name for name in asked.drifts if name not in DRIFTS]:
        raise UseError(f"--drift {unknown[0]!r}: {suggestion(unknown[0], DRIFTS)}")
    began, names = time.monotonic(), [name for name in DRIFTS if name in asked.drifts or not asked.drifts]
    with tempfile.TemporaryDirectory() as scratch:
        task = _Task.make(asked, asked.films * sum(PARTS.values()), Path(scratch))
        films, suites, study = task.films, task.suites, Study(asked.films, tuple(names))
        measured = list(_measured(task, study, jobs))
        first = [films.film(scene) for scene in study.part("doses")]
        sizes = {name: [just_visible(DRIFTS[name], film) for film in first] for name in names}
        missing = {name: why for suite in suites for name, why in suite.missing(films).items()}
    (height, width), frames = films.resolutions[0], len(first[0].frames)
    visible = {name: _mean([dose for dose in found if dose is not None]) for name, found in sizes.items()}
    shown = sum(len(next(iter(one.readings.values()), ())) for one in measured)
    about = (
        f"{study.scenes} scenes of {frames / films.fps:g} s at {width} x {height} pixels and {films.fps:g} frames a second, in "
        f"{shown} versions, scored by {', '.join(f'`{suite.name}` version {suite.version}' for suite in suites)}; "
        f"{duration(time.monotonic() - began)} in {jobs} process{'es' if jobs > 1 else ''}."
    )
    found = verdicts(study.gather(measured))
    missing = _unscored({one.reading.metric for one in found}, missing)
    left_out = study.left_out(measured)
    return Validation(study, visible, found, missing, left_out, asked.command, about)


def _mean(doses: Sequence[float]) -> float:
    """NaN of none."""
    return sum(doses) / len(doses) if doses else float("nan")


@dataclass(frozen=True)
class _Task:
    """Where true films are, how they are to be scored (a mapping a suite), and the seed and the folder of what is made of them."""

    folder: Path
    scorings: tuple[Mapping[str, Any], ...]
    seed: int
    work: Path

    @classmethod
    def make(cls, asked: Asked, scenes: int, scratch: Path) -> "_Task":
        """The true films of so many scenes. Raises UseError for settings that they cannot be scored by."""
        from harness.plan.pipeline import build
        from harness.run.worker import run_job

        settings = parse_overrides(asked.overrides)
        if wrong := [key for key in settings if key not in _ALLOWED]:
            raise UseError(f"{wrong[0]}: true films are scored as they are; expected {' or '.join(_ALLOWED)} alone")
        # No frame of theirs is made: the truth needs no model.
        true = Variant("true", {"generate.method": "copy_image"})
        experiment = Experiment(
            name="validate", question="Do metrics see it?", variants=(true,), baseline="true", tracks=(TRACK,)
        )
        own = {"generate.samples": scenes, "eval.seed": SCENES + asked.seed}
        store = Store(scratch / "store")
        pipeline = build(Request(experiment, "validate", DEFAULT, overrides={**settings, **own}), store.fingerprints)
        row, graph = pipeline.children[0], pipeline.graph
        films = replace(graph[row.generate[TRACK.name]], kind=TRUE_FILMS.name, target=TRUE_FILMS.target)
        run_job(str(store.root), films.fields(), {})
        scores = [graph[signature] for signature in row.score[TRACK.name].values()]
        scorings = tuple({**node.identity, **node.runtime} for node in scores)
        return cls(store.artifact(films.kind, films.signature), scorings, asked.seed, scratch / "work")

    @property
    def films(self) -> "FilmFolder":
        return _opened(self.folder)

    @property
    def suites(self) -> "list[Suite]":
        from harness.plan.scoring import suite_of

        return [suite_of(scoring) for scoring in self.scorings]

    def measure(self, study: "Study", scene: int) -> "Measured":
        """Every reading of a scene's versions."""
        return study.measure(self.films, scene, self.suites, self.seed, self.work / str(scene))


def _unscored(measured: Iterable[str], missing: Mapping[str, str]) -> dict[str, str]:
    """Why a metric was not measured, VBench's among them; without the folders of this machine."""
    from benchmarks.vbench.files import FILES

    there = {name: all(file.path.is_file() for file in files) for name, files in FILES.items()}
    asked = {True: "score.vbench=all asks for them", False: "their weights are missing (`harness doctor weights`)"}
    vbench = {name: asked[found] for name, found in there.items() if name not in measured}
    return {**{name: why for name, why in missing.items() if name not in FILES}, **vbench}


@cache
def _opened(folder: Path) -> "FilmFolder":
    """Read once in each process."""
    from benchmarks.films.film import FilmFolder

    return FilmFolder(folder)


def _measured(task: _Task, study: "Study", jobs: int) -> "Iterator[Measured]":
    """Of every scene, in order; says how far it is where somebody watches. Raises Interrupted at once: a part is worth nothing."""
    ignored = (signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the command
    pool = ProcessPoolExecutor(jobs, get_context("spawn"), signal.signal, ignored)
    try:
        measured = pool.map(task.measure, repeat(study), range(study.scenes))
        with click.progressbar(measured, study.scenes, "scenes", file=sys.stderr) as bar:
            yield from bar
    except KeyboardInterrupt as end:
        for worker in active_children():  # a scene in every dose takes minutes
            worker.terminate()
        number = end.signal if isinstance(end, Interrupted) else signal.SIGINT
        raise Interrupted(number, "nothing is kept of a part of the scenes; the same command starts anew.") from end
    finally:
        pool.shutdown(cancel_futures=True)
