"""`harness report`: the report of a run, or a comparison, which is written when it is asked for."""

import re
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from harness.commands.options import OPENED_STORE
from harness.commands.printing import print_markdown, print_report
from harness.core.atomic import write_text
from harness.core.errors import UseError
from harness.core.store import ARTIFACTS, Store
from harness.results.reports import latest_report
from reports import artifacts

COMPARED = "compared"
FILES = {"md": artifacts.DOCUMENT, "csv": artifacts.RESULTS, "latex": artifacts.LATEX}
Say = Callable[[str], None]


@click.command()
@click.argument("names", metavar="[RUN]...", nargs=-1)
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
@OPENED_STORE
def report(
    names: tuple[str, ...],
    form: Any,
    table: str | None,
    only: str | None,
    others: str | None,
    output: Path | None,
    store: Store,
) -> None:
    """The report of a run, as tables and a page; several runs and scored videos compared; or a table of the paper."""
    _check_options(names, form, table, only, others, output)
    if table is not None:
        from harness.results.paper import paper_table

        text = paper_table(store, table, form or "md", only)
        print_markdown(text) if form is None else click.echo(text, nl=False)
        return
    scored = [other.strip() for other in (others or "").split(",") if other.strip()]
    show_report(
        store,
        list(dict.fromkeys(names)),
        scored,
        form,
        output,
        lambda text: click.echo(text, nl=False),
        lambda text: click.echo(text, err=True),
    )


def _check_options(
    names: Sequence[str], form: str | None, table: str | None, only: str | None, others: str | None, output: Path | None
) -> None:
    """Which options go together. Raises UseError."""
    if (not names) == (table is None):
        raise UseError(
            "expected the name of a run or --table, one of them: `harness runs` lists runs, `harness list` tables"
        )
    if only is not None and table is None:
        raise UseError("--only goes with --table; `harness run` has its own")
    if table is not None and others is not None:
        raise UseError("--with goes with an experiment; --table has all scored videos, of which --only takes some")
    if table is not None and (form == "html" or output):
        raise UseError("--table is printed, as md, csv or latex; send it to a file with >")


def show_report(
    store: Store,
    experiments: Sequence[str],
    scored: Sequence[str],
    form: str | None,
    output: Path | None,
    say: Say,
    note: Say,
) -> None:
    """Print the report in a form; html: the path of its page; no form: its tables, and as a note where the page is.

    `output`: the page goes there, with the films that are too large for it beside it. Raises UseError.
    """
    if output is not None and form in FILES:
        raise UseError(f"--output {output} is for the page; {form} is printed, so send it to a file with >")
    alone = len(experiments) == 1 and not scored
    folder = latest_report(store.root, experiments[0]) if alone else write_comparison(store, experiments, scored)
    if form in FILES:
        say((folder / FILES[form]).read_text(encoding="utf-8"))
        return
    if output is not None and output.resolve().is_relative_to((store.root / ARTIFACTS).resolve()):
        raise UseError(f"--output {output} is a file of the store itself; choose a place outside of its {ARTIFACTS}")
    page = folder / artifacts.PAGE if output is None else _copied_page(folder / artifacts.PAGE, output)
    if form is None:
        print_report(folder)
        note(f"page: {page.absolute().as_uri()}")
    else:
        say(f"{page}\n")


def write_comparison(store: Store, experiments: Sequence[str], scored: Sequence[str]) -> Path:
    """The folder of a report of several experiments and of scored videos, made anew from the store."""
    from harness.results.comparison import compared
    from reports.page.films import relative_links
    from reports.write import write_report

    frame, info = compared(store, experiments, scored)
    name = "+".join([*experiments, *scored])
    folder = store.root / COMPARED / (name if len(name) < 120 else f"{name[:100]}-{zlib.crc32(name.encode()):08x}")
    folder.mkdir(parents=True, exist_ok=True)
    write_report(frame, info, folder, relative_links(folder.resolve()))
    return folder


def _copied_page(page: Path, output: Path) -> Path:
    """`output`: the page with its films inside, or beside it. Raises UseError where it cannot be written."""
    from reports.page.films import films_beside, relinked

    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        text = relinked(page, films_beside(output))
        # What lies beside the report does not lie beside its copy.
        write_text(output, re.sub(r'<p class="about" id="beside">.*?</p>\n', "", text))
    except OSError as error:
        raise UseError(f"--output {output} cannot be written: {error.strerror}") from error
    return output
