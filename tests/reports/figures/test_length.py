"""Quality against length as a figure."""

from reports.figures.length import length_figure
from reports.statistics.length import length_table
from tests.reports.report_frames import rows, study, view

TRACK = "consistent-300s"


def test_a_film_of_50_s_has_one_length_and_no_figure() -> None:
    short = view(rows("full", "background_psnr", [30.0] * 20), clip_seconds=2.5)
    lengths = length_table(short)
    assert lengths.empty
    assert length_figure(short, lengths) is None


def test_the_figure_has_a_panel_a_metric_and_names_the_variants() -> None:
    frame = study(tracks=[TRACK], clips=60)
    long = view(frame, tracks=[TRACK], clip_seconds=5.0, fps=16.0, trivial=("no_e_vid",))
    figure = length_figure(long, length_table(long))
    assert figure is not None
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles[0] == "background PSNR, so far, dB ↑"
    assert sorted(titles[1:]) == ["SSIM, so far, index ↑", "colour drift, so far, 0..1 ↓", "motion, so far, 0..1"]
    assert {text.get_text() for text in figure.axes[0].texts} == {"base", "full", "no_e_img"}
