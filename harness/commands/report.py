"""What `harness report` shows: the newest report of an experiment, or a comparison, which is written when it is asked for."""

import re
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

from harness.core.errors import UseError
from harness.core.store import Store
from harness.results.reports import latest_report

COMPARED = "compared"
FILES = {"md": "report.md", "csv": "results.csv", "latex": "report.tex"}
Say = Callable[[str], None]


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
    page = folder / "report.html" if output is None else _put(folder / "report.html", output)
    if form is None:
        say((folder / "table.md").read_text(encoding="utf-8"))
        note(f"page: {page}")
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


def _put(page: Path, output: Path) -> Path:
    from reports.page.films import films_beside, relinked

    try:
        text = relinked(page, films_beside(output))
        # What lies beside the report does not lie beside its copy.
        output.write_text(re.sub(r'<p class="about" id="beside">.*?</p>\n', "", text), encoding="utf-8")
    except OSError as error:
        raise UseError(f"--output {output} cannot be written: {error.strerror}") from error
    return output
