"""`harness list`: everything that has a name."""

import click

from benchmarks.track import TRACKS
from harness.commands.sections import SECTIONS
from reports.tables.sources import table_names


@click.command("list")
def list_() -> None:
    """Experiments, profiles, recipes, tracks, sweeps and the paper's tables."""
    listed = {title: section.listed() for title, section in SECTIONS.items()}
    sections = {
        "experiments": listed["experiments"],
        "profiles": listed["profiles"],
        "recipes": {name: about for name, about in listed["recipes"].items() if "/" not in name},
        "tracks": {name: track.about for name, track in TRACKS.items()},
        "sweeps": listed["sweeps"],
        "tables": {name: f"Table {name.partition('-')[2]} of arXiv 2510.09212" for name in table_names()},
    }
    width = max(len(name) for rows in sections.values() for name in rows)
    for title, rows in sections.items():
        click.echo(title)
        for name, about in rows.items():
            click.echo(f"  {name:<{width}} {about}")
    click.echo("A recipe svi-NAME is as released; svi-NAME/paper and svi-NAME/code take one side where these disagree.")
