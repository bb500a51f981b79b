"""The stage that writes a report."""

from harness.core.job import Job
from harness.results.frame import results_frame
from harness.results.info import film_link, report_info
from harness.results.trainings import keep, with_known
from reports.write import write_report


def report(job: Job) -> None:
    """Report: tables, figures and the page; and for later runs of one seed, how far trainings differ."""
    frame = results_frame(job)
    keep(job, write_report(frame, with_known(report_info(job), job, frame), job.folder, film_link(job)))
