"""Tables as text: Markdown for terminals and reports, CSV for machines, LaTeX (booktabs) for papers."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

import pandas as pd

from reports.statistics.frame import KEYS, as_written
from reports.statistics.view import ReportView, TrackView
from reports.tables.answer import answer
from reports.tables.drift_and_cost import drift_and_cost_grid
from reports.tables.grid import NONE, Cell, Grid
from reports.tables.numbers import MINUS
from reports.tables.orderings import ordering_grid
from reports.tables.owners import owners_grids
from reports.tables.published import CAPTION, published_grids
from reports.tables.track_tables import further_grids, main_grids

LATEX_NEEDS = r"% Needs \usepackage{booktabs} and \usepackage{graphicx}."
_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "[": "{[}", "]": "{]}", "*": "{*}",  # or the end of the line above takes them for its own
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", "±": r"$\pm$", MINUS: "$-$", NONE: "--", "Δ": r"$\Delta$",
    "↑": r"$\uparrow$", "↓": r"$\downarrow$", "\N{MULTIPLICATION SIGN}": r"$\times$", "≥": r"$\geq$", "≤": r"$\leq$",
}  # fmt: skip


def markdown(report: ReportView) -> str:
    """The answers, then the tables."""
    return "\n\n".join(part for part in (markdown_answers(report), markdown_tables(report)) if part) + "\n"


def markdown_answers(report: ReportView) -> str:
    """A paragraph a track; empty where nothing was asked."""
    said = (answer(view) for view in report.tracks)
    return "\n\n".join(escape_markdown(one, in_cell=False) for one in said if one)


def markdown_tables(report: ReportView) -> str:
    """The main table of each track, drift beside cost and the orderings, what all need to be read, then the published tables."""
    parts = _with_notes_once([grid for view in report.tracks for grid in track_grids(view)])
    if report.info.compare_to:
        parts += ["---", CAPTION]
        parts += _with_notes_once([grid for name in report.info.compare_to for grid in published_grids(name)])
    return "\n\n".join(parts)


def track_grids(view: TrackView) -> list[Grid]:
    """What a report shows of a track before all else."""
    rest = (drift_and_cost_grid(view), ordering_grid(view))
    return [*main_grids(view), *(grid for grid in rest if grid)]


def _with_notes_once(grids: Sequence[Grid]) -> list[str]:
    """The grids, each with the notes that are its own, and behind them those that several have."""
    times = Counter(note for grid in grids for note in grid.notes)
    parts = [markdown_grid(replace(grid, notes=[n for n in grid.notes if times[n] == 1])) for grid in grids]
    shared = [note for note, number in times.items() if number > 1]
    return [*parts, f"Of the tables above:\n\n{_listed(shared)}"] if shared else parts


def markdown_further(report: ReportView) -> str:
    """The measures that the main tables leave out."""
    grids = [grid for view in report.tracks for grid in (*further_grids(view), *owners_grids(view))]
    return "\n\n".join(map(markdown_grid, grids)) + "\n" if grids else ""


def csv(frame: pd.DataFrame) -> str:
    """Comma-separated, nine significant digits, sorted by the results frame's keys: the same frame, the same bytes.

    A frame without these keys (a summary) keeps its order.
    """
    ordered = as_written(frame.sort_values(KEYS, kind="stable")) if set(KEYS) <= set(frame.columns) else frame
    for name in ordered.columns:
        texts = {text: inert(text) for text in ordered[name].unique() if isinstance(text, str)}
        if odd := {text: shown for text, shown in texts.items() if text != shown}:
            ordered = ordered.assign(**{name: ordered[name].astype(object).replace(odd)})
    return str(ordered.to_csv(index=False, float_format="%.9g", lineterminator="\n"))


def inert(text: str) -> str:
    """Text that a spreadsheet shows and does not compute: an apostrophe stands before what would begin a formula.

    A sign alone, such as the "-" of a cell without a value, begins none.
    """
    if len(text) == 1 or not text.startswith(("=", "+", "-", "@", "\t", "\r")):
        return text
    try:
        float(text)
    except ValueError:
        return f"'{text}"
    return text


def latex(report: ReportView) -> str:
    """A booktabs table a track, then the published table with a caption of its own: a fragment to input."""
    parts, info = [LATEX_NEEDS], report.info
    for view in report.tracks:
        where = f"{info.experiment} on {view.track} ({info.backbone})"
        main, *drift = main_grids(view)
        said = [text for text in [answer(view)] if text]
        parts.append(latex_grid(main, " ".join([f"{where}.", *said, *main.notes, info.caption])))
        parts += [latex_grid(grid, " ".join([f"{where}, drift of the above.", *grid.notes])) for grid in drift]
    for name in info.compare_to:
        for grid in published_grids(name):
            parts.append(latex_grid(grid, f"{grid.title}. {CAPTION}"))
    return "\n\n".join(parts) + "\n"


def escape_latex(text: str) -> str:
    """Text that LaTeX prints as it stands, on one line; the table's own signs become mathematics."""
    return "".join(_LATEX.get(character, character) for character in " ".join(text.split()))


def escape_markdown(text: str, in_cell: bool = True) -> str:
    """Text that Markdown prints as it stands, on one line."""
    for character in "\\*`<[&$|" if in_cell else "\\*`<[&$":
        text = text.replace(character, f"\\{character}")
    # Underscores inside a word are literal in CommonMark; escaping them would only spoil the terminal.
    text = re.sub(r"(?<![^\W_])_|_(?![^\W_])|~(?=~)", lambda found: f"\\{found[0]}", text)
    text = " ".join(text.split())
    return text if in_cell else re.sub(r"^([#>+=-]|\d+(?=[.)]))", _literal_start, text)


def _literal_start(found: re.Match[str]) -> str:
    """What would begin a heading, a quotation or a list."""
    return f"{found[0]}\\" if found[0].isdigit() else f"\\{found[0]}"


def markdown_grid(grid: Grid) -> str:
    """The title, the table aligned for a terminal, and its notes as a list."""
    heads = [escape_markdown(head) for head in grid.heads]
    escaped = [heads, *([_markdown_cell(cell) for cell in row] for row in _named_once(grid))]
    widths = [max(3, *(len(row[column]) for row in escaped)) for column in range(len(grid.heads))]
    names = grid.names
    rule = [
        *(":" + "-" * (width - 1) for width in widths[:names]),
        *("-" * (width - 1) + ":" for width in widths[names:]),
    ]
    lines = [_markdown_row(row, widths, names) for row in (escaped[0], rule, *escaped[1:])]
    return "\n".join([f"**{escape_markdown(grid.title)}**", "", *lines, "", _listed(grid.notes)]).rstrip()


def _listed(notes: Sequence[str]) -> str:
    return "\n".join(f"- {escape_markdown(note, in_cell=False)}" for note in notes)


def _named_once(grid: Grid) -> list[list[Cell]]:
    """The rows, each group's name only in its first one."""
    if not grid.grouped:
        return grid.rows
    return [[row[0] if index == 0 else Cell(""), *row[1:]] for group in grid.groups for index, row in enumerate(group)]


def _markdown_cell(cell: Cell) -> str:
    text = escape_markdown(cell.text)
    return f"**{text}**" if cell.best else text


def _latex_cell(cell: Cell) -> str:
    text = escape_latex(cell.text)
    return rf"\textbf{{{text}}}" if cell.best else text


def _markdown_row(cells: list[str], widths: list[int], names: int) -> str:
    justify: list[Callable[[str, int], str]] = [*[str.ljust] * names, *[str.rjust] * (len(cells) - names)]
    padded = [justified(cell, width) for justified, cell, width in zip(justify, cells, widths, strict=True)]
    return f"| {' | '.join(padded)} |"


def latex_grid(grid: Grid, caption: str) -> str:
    """A booktabs table, no wider than the line."""
    rows = []
    for index, row in enumerate(_named_once(grid)):
        space = r"\addlinespace " if grid.grouped and index and row[0].text else ""
        rows.append(space + " & ".join(map(_latex_cell, row)) + r" \\")
    return "\n".join(
        [
            r"\begin{table}[t]",
            r"  \centering",
            f"  \\caption{{{escape_latex(caption)}}}",
            r"  \resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
            f"  \\begin{{tabular}}{{{'l' * grid.names}{'r' * (len(grid.heads) - grid.names)}}}",
            r"    \toprule",
            f"    {' & '.join(escape_latex(head) for head in grid.heads)} \\\\",
            r"    \midrule",
            *(f"    {row}" for row in rows),
            r"    \bottomrule",
            r"  \end{tabular}}",
            r"\end{table}",
        ]
    )
