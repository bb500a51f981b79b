"""The stage that writes a report."""

from harness.core.job import Job
from harness.results.frame import results_frame
from harness.results.info import film_link, report_info
from reports.write import write_report


def report(job: Job) -> None:
    """Report: tables, figures and the page."""
    write_report(results_frame(job), report_info(job), job.folder, film_link(job))
