"""Which measures lead, and which a main table shows."""

from reports.statistics.measures import Measure, lead_measure, split_measures
from tests.reports.report_frames import study_summary


def test_the_lead_is_background_psnr_or_else_the_first_curve_with_a_direction() -> None:
    summary = study_summary()
    assert lead_measure(summary, "consistent-50s") == Measure("background_psnr", "late")
    summary = summary[~summary["metric"].isin(["background_psnr", "ssim"])]
    assert lead_measure(summary, "consistent-50s") == Measure("colour_drift", "late")
    main, _ = split_measures(summary, "consistent-50s")
    assert main[:2] == [Measure("colour_drift", "late"), Measure("motion", "late")]
