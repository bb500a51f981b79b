"""`harness list`: everything that has a name."""

import click

from harness.commands.sections import SECTIONS


@click.command("list")
def list_() -> None:
    """Experiments, profiles, recipes, tracks, sweeps, the parts of methods, and the paper's tables.

    What installed packages add is not loaded for it; what cannot be used is named as skipped.
    """
    listed = {title: section.listed() for title, section in SECTIONS.items()}
    sides = [name for name in listed["recipes"] if "/" in name]
    width = max(len(name) for rows in listed.values() for name in rows if name not in sides)
    for title, rows in listed.items():
        click.echo(title)
        for name, about in rows.items():
            if name not in sides:
                click.echo(f"  {name:<{width}} {about}")
        for skipped in SECTIONS[title].skipped():
            click.echo(f"  skipped: {skipped}")
    click.echo("A recipe svi-NAME is as released; svi-NAME/paper and svi-NAME/code take one side where these disagree.")
    click.echo("harness show NAME says more of each; harness show settings of everything that can be set.")
