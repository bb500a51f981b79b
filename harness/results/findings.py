"""What experiments found, question by question, as `harness results` shows it: one table first, then a section each."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from benchmarks.films.info import FilmInfo
from harness.core.job import Job
from harness.core.store import Store, read_manifest
from harness.core.text import flowing, markdown_table
from harness.declare.spec import Experiment
from harness.results.frame import results_frame
from harness.results.info import costs, report_info
from harness.results.reports import report_job
from harness.results.trainings import with_known

if TYPE_CHECKING:
    from reports.statistics.view import ReportView

_OPENING = """
Every question in one line: what these films answer, what is published about it, and what it cost to ask; a section each
follows, with the numbers. The command below runs what is missing and makes this page; stop it at any time, it goes on from
there. A variant is called better or worse where the interval of its difference to the baseline lies off zero, and does so still
once all variants are accounted for; of the others the verdict says what is known. `harness report NAME` has every measure, figure
and film of a question, `harness show NAME` says what each variant sets.
"""
_ELSEWHERE = """
What is published was measured on other models, with other metrics: compare which change helps and which harms, not the numbers.
"""
_TIME = """
Time is that of all stages of a question one after another, by the clock, whatever else the machine did meanwhile. Stages that
several questions share, such as the base model, are in the time of each and were computed once.
"""
NOBODY = "Nothing that we know of."


@dataclass(frozen=True)
class Finding:
    """An experiment's newest report: the job that made it, the answer in words, and the section that the page has of it."""

    experiment: Experiment
    job: Job
    answer: str
    caption: str
    section: str

    @classmethod
    def of(cls, store: Store, experiment: Experiment, run: str) -> Self:
        """From the scores of a finished run, read anew. Raises UseError where it has no report, or one of an older version."""
        from reports.statistics.view import ReportView
        from reports.tables.text import escape_markdown
        from reports.tables.verdict import verdict

        job = report_job(store, run)
        frame = results_frame(job)
        report = ReportView.of(frame, with_known(report_info(job), job, frame))
        head, says = verdict(report)
        answer = escape_markdown(" ".join(filter(None, (head, *says, *_agreement(report)))), in_cell=False)
        section = "\n\n".join(filter(None, _section(experiment, job, report, head)))
        return cls(experiment, job, answer, report.info.caption, section)


def page(findings: Sequence[Finding], missing: Sequence[Experiment], command: str) -> str:
    """All of it as Markdown; `missing`: experiments that have no finished run; `command` makes the whole page."""
    published = any(one.experiment.published for one in findings)
    return "\n\n".join(
        [
            "# Results",
            flowing(_OPENING),
            f"```bash\n{command}\n```",
            *dict.fromkeys(one.caption for one in findings),
            *([flowing(_ELSEWHERE)] if published else []),
            *(_summary(findings) if findings else ()),
            *(one.section for one in findings),
            *_missing(missing),
        ]
    )


def _summary(findings: Sequence[Finding]) -> Iterator[str]:
    rows = [
        (
            f"[{one.experiment.name}](#{one.experiment.name.lower()}): {one.job.settings['question']}",
            one.answer,
            one.experiment.published or NOBODY,
            f"{_amount(one.job)}; {costs([one.job])['together']}",
        )
        for one in findings
    ]
    yield markdown_table(("question", "our answer", "published", "cost"), rows)
    together = costs([one.job for one in findings])["together"]
    yield f"{flowing(_TIME)} All together, each stage once: {together}."


def _section(experiment: Experiment, job: Job, report: "ReportView", answer: str) -> Iterator[str]:
    from reports.statistics.spending import all_alike
    from reports.tables.cost_table import fairness
    from reports.tables.ending_grid import ending_grid, length_grid
    from reports.tables.text import escape_markdown, markdown_answers, markdown_grid

    info = report.info
    yield f"## {experiment.name}"
    yield f"**{escape_markdown(info.question, in_cell=False)}** {answer}".strip()
    yield markdown_answers(report)
    yield f"*Published:* {experiment.published or NOBODY}"
    for view in report.tracks:
        yield from (markdown_grid(grid) for grid in (ending_grid(view), length_grid(view)) if grid)
    if lacking := [variant.name for variant in experiment.variants if variant.name not in info.variants]:
        yield f"Declared, and not in this run: {', '.join(lacking)}."
    yield from _agreement(report)
    if info.errors:
        yield f"The pictures that were asked for are on the report's page: `harness report {job.settings['experiment']}`."
    if not all_alike(info):
        yield escape_markdown(fairness(info), in_cell=False)
    yield f"*Cost:* {_amount(job)}; {_times(job)}. Code: {_commits(job)}."
    yield f"```bash\n{info.reproduce}\n```"


def _agreement(report: "ReportView") -> Iterator[str]:
    """Of an experiment that was asked whether published orderings hold: how many do, in a sentence a track."""
    from reports.tables.orderings import ordering_grid

    yield from (grid.notes[0] for view in report.tracks if (grid := ordering_grid(view)))


def _missing(experiments: Sequence[Experiment]) -> Iterator[str]:
    if experiments:
        yield "## Not run yet"
        yield "\n".join(f"- `{one.name}`: {one.question}" for one in experiments)


def _amount(job: Job) -> str:
    """3 seeds, 12 trainings, 288 films."""
    films = sum(len(FilmInfo.read(folder).samples) for folder in set(job.inputs["generate"]))
    trainings, seeds = len(set(job.inputs.get("train", ()))), len(job.settings["seeds"])
    counts = {"seed": seeds, "training": trainings, "film": films}
    return ", ".join(f"{count:,} {noun}{'s' * (count != 1)}" for noun, count in counts.items())


def _times(job: Job) -> str:
    *kinds, (_, together) = costs([job]).items()
    return f"{', '.join(f'{kind} {time}' for kind, time in kinds)}; together {together}"


def _commits(job: Job) -> str:
    """The commits that its stages were made at, as their manifests have them."""
    folders: set[Path] = {folder for given in job.inputs.values() for folder in given}
    facts = [read_manifest(folder).get("facts", {}) for folder in folders]
    named = sorted({f"`{fact['git.commit'][:7]}`" for fact in facts if len(fact.get("git.commit", "")) == 40})
    return ", ".join(named) or "of an installed package"
