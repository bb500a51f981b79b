"""Tables as text: Markdown for terminals and reports, CSV for machines, LaTeX (booktabs) for papers."""

from collections.abc import Callable

import pandas as pd

from reports.answer import answer
from reports.frame import KEYS
from reports.grid import MINUS, NONE, Grid, further_grids, main_grid
from reports.info import ReportInfo
from reports.published import CAPTION, published_grids

_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", "±": r"$\pm$", MINUS: "$-$", NONE: "--", "Δ": r"$\Delta$",
    "↑": r"$\uparrow$", "↓": r"$\downarrow$", "\N{MULTIPLICATION SIGN}": r"$\times$", "≥": r"$\geq$", "≤": r"$\leq$",
}  # fmt: skip


def markdown(summary: pd.DataFrame, info: ReportInfo) -> str:
    """The answer and the main table of each track, then the published table, apart; aligned for a terminal."""
    parts = []
    for track in info.tracks:
        grid = main_grid(summary, info, track)
        parts += [_escape_markdown(answer(summary, info, track), in_cell=False), _markdown_grid(grid)]
    if info.compare_to is not None:
        parts += ["---", f"**Published, not ours.** {CAPTION}"]
        parts += [_markdown_grid(grid) for grid in published_grids(info.compare_to)]
    return "\n\n".join(parts) + "\n"


def markdown_further(summary: pd.DataFrame, info: ReportInfo) -> str:
    """The measures that the main tables leave out."""
    grids = [grid for track in info.tracks for grid in further_grids(summary, info, track)]
    return "\n\n".join(_markdown_grid(grid) for grid in grids) + "\n" if grids else ""


def csv(frame: pd.DataFrame) -> str:
    """Comma-separated, nine significant digits, sorted by the results frame's keys: the same frame, the same bytes.

    A frame without these keys (a summary) keeps its order.
    """
    ordered = frame.sort_values(KEYS, kind="stable") if set(KEYS) <= set(frame.columns) else frame
    return str(ordered.to_csv(index=False, float_format="%.9g", lineterminator="\n"))


def latex(summary: pd.DataFrame, info: ReportInfo) -> str:
    """A booktabs table a track, then the published table with a caption of its own: a fragment to input."""
    parts = [r"% Needs \usepackage{booktabs} and \usepackage{graphicx}."]
    for track in info.tracks:
        grid = main_grid(summary, info, track)
        caption = f"{info.experiment} on {track} ({info.backbone}). {answer(summary, info, track)}"
        parts.append(_latex_grid(grid, " ".join([caption, *grid.notes, info.caption])))
    if info.compare_to is not None:
        for grid in published_grids(info.compare_to):
            parts.append(_latex_grid(grid, f"Published, not ours. {grid.title}. {CAPTION}"))
    return "\n\n".join(parts) + "\n"


def escape_latex(text: str) -> str:
    """Text that LaTeX prints as it stands; the table's own signs become mathematics."""
    return "".join(_LATEX.get(character, character) for character in text)


def _markdown_grid(grid: Grid) -> str:
    texts = [grid.heads, *([cell.text for cell in row] for row in grid.rows)]
    escaped = [[_escape_markdown(text) for text in row] for row in texts]
    widths = [max(3, *(len(row[column]) for row in escaped)) for column in range(len(grid.heads))]
    rule = [":" + "-" * (widths[0] - 1), *("-" * (width - 1) + ":" for width in widths[1:])]
    lines = [_markdown_row(row, widths) for row in (escaped[0], rule, *escaped[1:])]
    notes = "\n".join(f"- {_escape_markdown(note, in_cell=False)}" for note in grid.notes)
    return "\n".join([f"**{_escape_markdown(grid.title)}**", "", *lines, "", notes])


def _markdown_row(cells: list[str], widths: list[int]) -> str:
    justify: list[Callable[[str, int], str]] = [str.ljust, *[str.rjust] * (len(cells) - 1)]
    padded = [place(cell, width) for place, cell, width in zip(justify, cells, widths, strict=True)]
    return f"| {' | '.join(padded)} |"


def _escape_markdown(text: str, in_cell: bool = True) -> str:
    # Underscores inside a word are literal in CommonMark; escaping them would only spoil the terminal.
    for character in "\\*`<|" if in_cell else "\\*`<":
        text = text.replace(character, f"\\{character}")
    return text.replace("\n", " ")


def _latex_grid(grid: Grid, caption: str) -> str:
    rows = [" & ".join(escape_latex(cell.text) for cell in row) + r" \\" for row in grid.rows]
    return "\n".join(
        [
            r"\begin{table}[t]",
            r"  \centering",
            f"  \\caption{{{escape_latex(caption)}}}",
            r"  \resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
            f"  \\begin{{tabular}}{{l{'r' * (len(grid.heads) - 1)}}}",
            r"    \toprule",
            f"    {' & '.join(escape_latex(head) for head in grid.heads)} \\\\",
            r"    \midrule",
            *(f"    {row}" for row in rows),
            r"    \bottomrule",
            r"  \end{tabular}}",
            r"\end{table}",
        ]
    )
