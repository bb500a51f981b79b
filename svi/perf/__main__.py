"""python -m svi.perf: what each part costs, measured here and now."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from svi.backbones.catalogue import MODELS
from svi.perf.bank import SizeName

if TYPE_CHECKING:
    import torch


SIZE = click.option(
    "--size", type=click.Choice([*MODELS, "test"]), default="wan2.1-i2v-14b-480p", show_default=True, help="the model"
)
REPEAT = click.option(
    "--repeat", type=click.IntRange(1, 10_000), default=3, show_default=True, help="calls to take the median of"
)
JSON = click.option(
    "--json", "file", type=click.Path(path_type=Path, dir_okay=False), help="write the figures here too"
)
Figures = dict[str, Any]


@click.group()
def main() -> None:
    """Measure the cost of a part beside that of a named alternative, in one run."""


@main.command()
@click.option("--size", type=click.Choice(get_args(SizeName)), default="480p", show_default=True, help="of the errors")
@click.option("--folder", type=click.Path(path_type=Path), help="where the bank's file lies; none: a temporary folder")
@JSON
def bank(size: SizeName, folder: Path | None, file: Path | None) -> None:
    """The error bank beside the two lists in memory of the authors' code. At 480p: some minutes, 7 GB of memory, 3 GB of disk."""
    from svi.perf.bank import measure, table

    figures = measure(size, folder)
    click.echo(table(figures))
    if file is not None:
        file.write_text(json.dumps(figures, indent=2))


@main.command()
@SIZE
@click.option("--checkpointing", type=click.Choice(["none", "block", "offload"]), default="block", show_default=True)
@REPEAT
@JSON
def step(size: str, checkpointing: str, repeat: int, file: Path | None) -> None:
    """One training step on one clip, random weights: with the latent cache, and encoding in the step as the authors' code does."""
    from svi.perf.step import measure

    _report(lambda device: measure(size, device, repeat, checkpointing), file)


@main.command()
@SIZE
@click.option("--steps", type=click.IntRange(2, 10_000), default=10, show_default=True, help="denoising steps a clip")
@REPEAT
@JSON
def denoise(size: str, steps: int, repeat: int, file: Path | None) -> None:
    """A guided denoising step, random weights, under each speed setting."""
    from svi.perf.denoise import measure

    _report(lambda device: measure(size, device, steps, repeat), file)


@main.command()
def memory() -> None:
    """The peak memory that `harness plan` foretells, beside what small real models take here, each in a fresh process. Linux."""
    from svi.perf.memory import measure, table

    for line in table(measure()):
        click.echo(line)


def _report(rows: Callable[["torch.device"], Iterator[Figures]], file: Path | None) -> None:
    """Print a Markdown table as the rows come, and what it was made with."""
    from svi.backbones.speed import default_device
    from svi.perf.measure import made_with

    device = default_device()
    click.echo("| | seconds | peak, GiB | share of the measured matrix rate |\n| :-- | --: | --: | --: |")
    found = []
    for row in rows(device):
        found.append(row)
        if "not measured" in row:
            click.echo(f"| {row['name']} | not measured: {row['not measured']} | | |")
        else:
            share = f"{row['share_of_matmul_rate']:.0%}"
            click.echo(f"| {row['name']} | {row['seconds']:.3g} | {row['peak_gib']:.3g} | {share} |")
    click.echo(", ".join(f"{key} {value}" for key, value in made_with(device).items()))
    if file is not None:
        file.write_text(json.dumps({"rows": found, "versions": made_with(device)}, indent=2))


if __name__ == "__main__":
    main()
