"""The `harness` command. Imports lazily: `harness list` loads no torch."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from harness.errors import UseError

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
    """Experiments, profiles, recipes, tracks and sweeps."""
    from benchmarks.track import TRACKS
    from harness.experiments import EXPERIMENTS
    from harness.profiles import PROFILES
    from harness.recipes import RECIPES
    from sweeps.space import SWEEPS

    sections = {
        "experiments": {name: EXPERIMENTS.get(name).question for name in EXPERIMENTS.names()},
        "profiles": {name: PROFILES.get(name).about for name in PROFILES.names()},
        "recipes": {name: RECIPES.get(name).about for name in RECIPES.names() if "/" not in name},
        "tracks": {name: track.about for name, track in TRACKS.items()},
        "sweeps": {name: SWEEPS.get(name).about for name in SWEEPS.names()},
    }
    for title, rows in sections.items():
        click.echo(title)
        for name, about in rows.items():
            click.echo(f"  {name:<20} {about}")
    click.echo("A recipe svi-NAME is as released; svi-NAME/paper and svi-NAME/code take one side where these disagree.")


@cli.command()
@click.argument("name")
def show(name: str) -> None:
    """An experiment, a profile, a recipe, or `settings`: what it sets, and what each setting means."""
    from harness.describe import describe

    click.echo(describe(name))


@cli.command()
@experiment_options
@JSON
def plan(as_json: bool, **options: Any) -> None:
    """What a run would do: each stage cached, partial or missing, why, and how long it may take."""
    from harness.plan import Plan, render
    from harness.session import Session

    session = Session.open(**options)
    planned = Plan.of(session.pipeline.graph, session.store, session.jobs)
    click.echo(json.dumps(planned.to_json(), indent=1) if as_json else render(planned))


@cli.command()
@experiment_options
def run(**options: Any) -> None:
    """Train, generate, score and report; what is done already is not done again, what was cut short goes on."""
    from harness.session import Session

    session = Session.open(**options)
    sys.exit(session.run())


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
    from harness.film import FilmRequest, make_film

    sys.exit(make_film(FilmRequest(**request), store))


@cli.command()
@click.argument("source", type=click.Path(exists=True, path_type=Path))
@click.argument("target", type=click.Path(path_type=Path))
@click.option("--format", "form", required=True, help="peft (a folder), svi1, svi2, comfyui or diffusers")
@click.option("--alpha", type=float, default=None, help="of a checkpoint that does not say it  [default: its rank]")
@STORE
def lora(source: Path, target: Path, form: str, alpha: float | None, store: Path) -> None:
    """A LoRA in another format: from a file or folder of any, a trained variant's folder, or a training's checkpoint."""
    from harness.lora import convert
    from harness.store import Store

    for line in convert(source, target, form, Store(store) if (store / "store.json").is_file() else None, alpha):
        click.echo(line)


@cli.command()
@click.argument("name", metavar="SWEEP")
@click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
@click.option(
    "--trials", type=click.IntRange(1), default=10, show_default=True, help="finished trials the study shall have"
)
@PROFILE
@click.option(
    "--seed", type=click.IntRange(0), default=100, show_default=True, help="of the sampler and of every training"
)
@STORE
@JOBS
def sweep(name: str, overrides: tuple[str, ...], trials: int, profile: str, seed: int, store: Path, jobs: int) -> None:
    """Search settings with Optuna; every trial is a variant, cached and resumed like any other."""
    from sweeps.space import SWEEPS
    from sweeps.study import Search

    search = Search(name, SWEEPS.get(name), profile, overrides, store, jobs, seed)
    sys.exit(search.run(trials, click.echo))


@cli.command()
@STORE
@JSON
def status(store: Path, as_json: bool) -> None:
    """What the store holds: finished artifacts, and stages under way or cut short."""
    from harness.describe import store_status
    from harness.store import Store

    click.echo(store_status(Store(_existing(store)), as_json))


@cli.command()
@click.argument("name", metavar="EXPERIMENT")
@click.option("--format", "form", type=click.Choice(["md", "csv", "latex", "html"]), default="md", show_default=True)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default=None,
    help="html: file to write  [default: EXPERIMENT.html in the store]",
)
@STORE
def report(name: str, form: str, output: Path | None, store: Path) -> None:
    """The newest report of an experiment: printed, or with --format html written as one page."""
    from harness.session import latest_report
    from harness.store import Store

    if output is not None and form != "html":
        raise UseError(f"--output {output} goes with --format html; {form} is printed, so send it to a file with >")
    folder = latest_report(Store(_existing(store)).root, name)
    if form == "html":
        target = output or store / f"{name}.html"
        try:
            target.write_bytes((folder / "report.html").read_bytes())
        except OSError as error:
            raise UseError(f"--output {target} cannot be written: {error.strerror}") from error
        click.echo(str(target))
        return
    file = {"md": "report.md", "csv": "results.csv", "latex": "report.tex"}[form]
    click.echo((folder / file).read_text(), nl=False)


@cli.command()
@STORE
@click.option("--port", type=click.IntRange(1, 65535), default=5000, show_default=True)
@click.option("--uri", default=None, help="MLflow tracking URI  [default: the store's own]")
def ui(store: Path, port: int, uri: str | None) -> None:
    """MLflow's pages over the runs, on this machine only."""
    from harness.tracking import resolve_uri
    from harness.ui import serve

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
