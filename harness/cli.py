"""The `harness` command. Imports lazily: `harness list` loads no torch."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from harness.core.errors import UseError

F = TypeVar("F", bound=Callable[..., Any])

STORE = click.option(
    "--store", type=click.Path(path_type=Path), default=Path("runs"), show_default=True, help="folder of all results"
)
JOBS = click.option(
    "--jobs",
    type=click.IntRange(1),
    default=os.cpu_count() or 1,
    show_default="cores",
    help="stages side by side, one thread each",
)
PROFILE = click.option(
    "--profile", default="tiny", show_default=True, help="scale: backbone, sizes and the recipe to start from"
)
RECIPES_OPTION = click.option(
    "--recipe", "recipes", multiple=True, help="recipe laid over the profile's own; may be given again"
)
LIMIT = click.option("--limit", type=click.IntRange(1), default=None, help="take only so many samples, the first ones")
EXISTING = click.Path(exists=True, dir_okay=False, path_type=Path)
JSON = click.option("--json", "as_json", is_flag=True, help="print JSON")


def experiment_options(command: F) -> F:
    """Arguments that say which experiment, at which scale, with which settings."""
    for option in (
        click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]..."),
        click.argument("name", metavar="EXPERIMENT"),
        PROFILE,
        RECIPES_OPTION,
        click.option("--seeds", default=None, help="how many (3 means 0, 1, 2) or a list such as 0,5,7"),
        click.option("--only", default=None, help="variants to take, as shell patterns: 'full,no_*'"),
        LIMIT,
        STORE,
        JOBS,
    ):
        command = option(command)
    return command


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="svi-harness")
def cli() -> None:
    """Which part of error recycling stops the drift of long videos, and by how much?

    Start with: harness run ablation_eimg
    """


@cli.command("list")
def list_() -> None:
    """Experiments, profiles, recipes, tracks, sweeps and the paper's tables."""
    from benchmarks.track import TRACKS
    from harness.declare.profiles import PROFILES
    from harness.declare.recipes import RECIPES
    from harness.experiments import EXPERIMENTS
    from reports.tables.sources import table_names
    from sweeps.sweep import SWEEPS

    sections = {
        "experiments": {name: EXPERIMENTS.get(name).question for name in EXPERIMENTS.names()},
        "profiles": {name: PROFILES.get(name).about for name in PROFILES.names()},
        "recipes": {name: RECIPES.get(name).about for name in RECIPES.names() if "/" not in name},
        "tracks": {name: track.about for name, track in TRACKS.items()},
        "sweeps": {name: SWEEPS.get(name).question for name in SWEEPS.names()},
        "tables": {name: f"Table {name.partition('-')[2]} of arXiv 2510.09212" for name in table_names()},
    }
    width = max(len(name) for rows in sections.values() for name in rows)
    for title, rows in sections.items():
        click.echo(title)
        for name, about in rows.items():
            click.echo(f"  {name:<{width}} {about}")
    click.echo("A recipe svi-NAME is as released; svi-NAME/paper and svi-NAME/code take one side where these disagree.")


@cli.command()
@click.argument("name")
def show(name: str) -> None:
    """An experiment, a sweep, a profile, a recipe, or `settings`: what it sets, and what each setting means."""
    from harness.commands.show import describe

    click.echo(describe(name))


@cli.command()
@experiment_options
@JSON
def plan(as_json: bool, **options: Any) -> None:
    """What a run would do: each stage cached, partial or missing, why, how long it may take, and what forecasts advise."""
    from harness.commands.run import Session
    from harness.plan.plan import Plan, render
    from harness.results.forecast import advice

    session = Session.open(**options)
    planned = Plan.of(session.pipeline.graph, session.store, session.jobs)
    if as_json:
        click.echo(json.dumps(planned.to_json(), indent=1))
        return
    click.echo("\n\n".join((render(planned), *advice(session.pipeline, session.store, planned))))


@cli.command()
@experiment_options
def forecast(**options: Any) -> None:
    """Train, and say from one clip where each variant's long films will drift to; `run` goes on from there."""
    from harness.commands.run import Session

    sys.exit(Session.open(**options).forecast())


@cli.command()
@experiment_options
@click.option(
    "--executor",
    type=click.Choice(["local", "slurm"]),
    default="local",
    show_default=True,
    help="where stages run: this machine, or jobs of a Slurm cluster (docs/slurm.md)",
)
@click.option("--detach", is_flag=True, help="slurm: submit all stages with their dependencies, and return")
def run(executor: str, detach: bool, **options: Any) -> None:
    """Train, generate, score and report; what is done already is not done again, what was cut short goes on."""
    from harness.commands.run import Session

    if detach and executor != "slurm":
        raise UseError("--detach goes with --executor slurm: stages on this machine end with the command")
    session = Session.open(**options)
    sys.exit(session.detach() if detach else session.run(executor))


@cli.command()
@click.argument("target", type=click.Path(path_type=Path), metavar="OUT.mp4")
@click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--image", type=EXISTING, required=True, help="first frame; cropped to the profile's aspect")
@click.option("--prompts", type=EXISTING, required=True, help='file: one prompt a line, or prompts = ["...", ...]')
@click.option(
    "--lora",
    "loras",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="LoRA file or folder of any known format; two experts take two",
)
@click.option("--seconds", type=click.FloatRange(0, min_open=True), default=50.0, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@PROFILE
@RECIPES_OPTION
@STORE
def generate(store: Path, **request: Any) -> None:
    """One film of any length from an image and prompts; cut short, the same command goes on with it."""
    from harness.commands.generate import FilmRequest, make_film

    sys.exit(make_film(FilmRequest(**request), store))


@cli.command()
@click.argument("target", type=click.Path(path_type=Path), metavar="OUT_FOLDER")
@click.option("-n", "--number", type=click.IntRange(1, 200), default=10, show_default=True, help="of prompts, 5 s each")
@click.option("--image", type=EXISTING, help="first frame of the film")
@click.option("--keyword", help="find or paint the first frame instead: what it shows")
@click.option("--images", type=click.Path(path_type=Path), help="folder to find it in, by words of names")
@click.option("--image-endpoint", metavar="URL", help="OpenAI-compatible service that paints it")
@click.option("--image-model", metavar="NAME", help="of that service  [default: its own]")
@click.option("--image-size", metavar="WIDTHxHEIGHT", help="[default: the service's own]")
@click.option("--image-key-env", metavar="VARIABLE", help="that holds its key  [default: OPENAI_API_KEY]")
@click.option("--model", help="folder or cached repository, or a name at --endpoint  [default: Qwen2.5-VL-7B-Instruct]")
@click.option("--endpoint", metavar="URL", help="OpenAI-compatible service that writes the prompts")
@click.option("--key-env", metavar="VARIABLE", help="that holds its key  [default: OPENAI_API_KEY]")
@click.option("--device", help="of a model folder: auto, cpu, cuda, cuda:N  [default: auto]")
@click.option("--dtype", help="of a model folder: auto, float32, bfloat16, float16  [default: auto]")
@click.option("--temperature", type=click.FloatRange(0), help="[default: 0 for a model folder, an endpoint's own]")
@click.option("--seed", type=click.IntRange(0), help="[default: 0 for a model folder, none sent to an endpoint]")
@click.option("--retries", type=click.IntRange(0, 10), default=2, show_default=True, help="after an unusable reply")
@click.option("--timeout", type=click.FloatRange(1), default=300.0, show_default=True, help="of endpoints, in seconds")
@STORE
def prompts(store: Path, **request: Any) -> None:
    """A sample to make films from: an image, and the prompts that a multimodal model writes to continue it."""
    from harness.commands.prompts import SampleRequest, make_sample

    make_sample(SampleRequest(**request), store, click.echo, lambda line: click.echo(line, err=True))


@cli.command()
@click.argument("source", type=click.Path(exists=True, path_type=Path))
@click.argument("target", type=click.Path(path_type=Path))
@click.option("--format", "form", required=True, help="peft (a folder), svi1, svi2, comfyui or diffusers")
@click.option("--alpha", type=float, default=None, help="of a checkpoint that does not say it  [default: its rank]")
@STORE
def lora(source: Path, target: Path, form: str, alpha: float | None, store: Path) -> None:
    """A LoRA in another format: from a file or folder of any, a trained variant's folder, or a training's checkpoint."""
    from harness.commands.lora import convert
    from harness.core.store import Store

    for line in convert(source, target, form, Store(store) if (store / "store.json").is_file() else None, alpha):
        click.echo(line)


@cli.command()
@click.argument("name", metavar="SWEEP")
@click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
@click.option(
    "--trials",
    type=click.IntRange(1),
    default=10,
    show_default=True,
    help="finished trials the study shall have, over all workers",
)
@click.option(
    "--sampler", default="tpe", show_default=True, help="any of Optuna's: tpe, random, qmc, cmaes, nsgaii, gp ..."
)
@click.option(
    "--pruner",
    type=click.Choice(["forecast", "none"]),
    default=None,
    show_default="forecast where it speaks of the first objective",
    help="forecast: films only for trials whose drift forecast is among the best quarter so far, half for several objectives",
)
@click.option(
    "--storage",
    default=None,
    metavar="journal:PATH|URL",
    help="where the study lies; several workers need a journal or PostgreSQL  [default: sqlite in the store]",
)
@PROFILE
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=100,
    show_default=True,
    help="of every training and, with its worker's first trial added, of the sampler",
)
@STORE
@JOBS
def sweep(name: str, trials: int, store: Path, jobs: int, **wish: Any) -> None:
    """Search settings with Optuna; every trial is a variant, cached and resumed like any other.

    SWEEP is a name of `harness list`, or my_sweep.py:NAME. The same command, given again or elsewhere with the same --storage, goes
    on with the same study (docs/sweeps.md).
    """
    from sweeps.study import Search, Wish
    from sweeps.sweep import load_sweep

    search = Search(*load_sweep(name), Wish(**wish), store, jobs)
    sys.exit(search.run(trials, click.echo))


@cli.command()
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.argument("overrides", nargs=-1, metavar="[score.KEY=VALUE]...")
@click.option("--track", required=True, help="how long the videos are and what they show: see `harness list`")
@click.option("--name", required=True, help="what their row is called, such as FramePack")
@click.option("--samples", type=click.Path(path_type=Path), default=None, help="the samples they were made from")
@LIMIT
@click.option("--judge", is_flag=True, help="score by the official VBench package as well, and print the differences")
@STORE
@JOBS
def score(store: Path, jobs: int, **request: Any) -> None:
    """Score the mp4s of a folder, whatever made them; says first what is off about them."""
    from harness.commands.score import ScoreRequest, score_videos

    sys.exit(score_videos(ScoreRequest(**request), store, jobs))


@cli.command()
@click.option("--install", type=click.Choice(["vbench"]), default=None, help="build the judge's own environment")
@STORE
@JSON
def doctor(install: str | None, store: Path, as_json: bool) -> None:
    """What this machine has, and what is missing for which score: packages, devices, space, weights, the judge."""
    from harness.commands.doctor import examine, install_judge

    if install is not None:
        install_judge(lambda line: click.echo(line, err=True))  # stdout is for what is found
    examine(store, as_json, click.echo)


@cli.command()
@STORE
@JSON
def status(store: Path, as_json: bool) -> None:
    """What the store holds: finished artifacts, and stages under way or cut short."""
    from harness.commands.show import store_status
    from harness.core.store import Store

    click.echo(store_status(Store(_existing(store)), as_json))


@cli.command()
@click.argument("names", metavar="EXPERIMENT|STAGE|JOB...", nargs=-1, required=True)
@STORE
def cancel(names: tuple[str, ...], store: Path) -> None:
    """Cancel Slurm jobs: all that only this experiment wants, or single stages as `harness status` names them."""
    from harness.core.store import Store
    from harness.run.slurm.cancel import cancel_jobs

    cancel_jobs(Store(_existing(store)), names, click.echo)


@cli.command()
@click.argument("names", metavar="[EXPERIMENT]...", nargs=-1)
@click.option(
    "--format", "form", type=click.Choice(["md", "csv", "latex", "html"]), default=None,
    help="print all of it, or with html the page's path  [default: the tables, and where the page is]",
)  # fmt: skip
@click.option("--table", default=None, help="svi-1 to svi-8: the paper's table, with all that is measured beside it")
@click.option("--only", default=None, help="with --table: rows of ours to take, as shell patterns: 'FramePack,full'")
@click.option(
    "--with", "others", default=None, help="scored videos to put beside the variants, by name: 'FramePack,...'"
)
@click.option(
    "--output", type=click.Path(path_type=Path), default=None,
    help="file for the page; films that are too large for it are put beside it",
)  # fmt: skip
@STORE
def report(
    names: tuple[str, ...],
    form: Any,
    table: str | None,
    only: str | None,
    others: str | None,
    output: Path | None,
    store: Path,
) -> None:
    """The newest report of an experiment, as tables and a page; several and scored videos compared; or a table of the paper."""
    from harness.core.store import Store

    if (not names) == (table is None):
        raise UseError("expected the name of an experiment or --table, one of them: `harness list` has both")
    if only is not None and table is None:
        raise UseError("--only goes with --table; `harness run` has its own")
    if table is not None and others is not None:
        raise UseError("--with goes with an experiment; --table has all scored videos, of which --only takes some")
    if table is not None and (form == "html" or output):
        raise UseError("--table is printed, as md, csv or latex; send it to a file with >")
    opened = Store(_existing(store))
    if table is not None:
        from harness.results.paper import paper_table

        click.echo(paper_table(opened, table, form or "md", only), nl=False)
        return
    from harness.commands.report import show_report

    scored = [other.strip() for other in (others or "").split(",") if other.strip()]
    show_report(
        opened,
        list(dict.fromkeys(names)),
        scored,
        form,
        output,
        lambda text: click.echo(text, nl=False),
        lambda text: click.echo(text, err=True),
    )


@cli.command()
@STORE
@click.option("--port", type=click.IntRange(1, 65535), default=5000, show_default=True)
@click.option("--uri", default=None, help="MLflow tracking URI  [default: the store's own]")
def ui(store: Path, port: int, uri: str | None) -> None:
    """MLflow's pages over the runs, on this machine only."""
    from harness.commands.ui import serve
    from harness.tracking import resolve_uri

    sys.exit(serve(resolve_uri(uri, store), store, port, click.echo))


def _existing(store: Path) -> Path:
    if not (store / "store.json").is_file():
        raise UseError(
            f"--store {store}: no store there (looked in {store.resolve()}); `harness run ablation_eimg` makes one"
        )
    return store


def main() -> None:
    """Entry point: an error of use is one message and exit code 2."""
    os.environ.setdefault("PYTHONWARNINGS", "ignore")
    try:
        cli()
    except UseError as error:
        click.echo(f"harness: {error}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
