"""Figures and contact sheets: what they draw, and that they draw it again to the byte."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from reports.figures.curves import Panel, curve_panels, delta_figure, drift_figure, drift_panel
from reports.figures.sheet import sheet_figure, sheet_rows, tiles
from reports.figures.style import INK, PALETTE, colour, dashes, png, spread, svg
from tests.reports.report_frames import info, judged_info, judged_view, rows, study, study_view, view

TRACK = "consistent-50s"
NAMES = list(info().variants)


def test_the_lead_panel_names_every_variant_and_small_ones_the_metric() -> None:
    figure = drift_figure(study_view())
    assert figure is not None
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == ["background PSNR, dB ↑", "motion, 0..1", "SSIM, index ↑", "colour drift, 0..1 ↓"]
    assert {text.get_text() for text in figure.axes[0].texts} == set(info().variants)
    assert len(figure.axes[0].lines) == 4
    assert len(figure.axes[2].lines) == 3  # SSIM is skipped for base


def test_a_line_is_the_mean_curve_over_the_seconds_of_film() -> None:
    film = view(rows("full", "motion", [1.0, 3.0, 2.0]))
    line = drift_panel(film, Panel("motion"), NAMES, lead=False).axes[0].lines[0]
    np.testing.assert_allclose(np.asarray(line.get_xydata()), [[0.25, 1], [0.75, 3], [1.25, 2]])


def test_curves_of_films_with_other_clips_line_up_in_time() -> None:
    films = [rows("full", "motion", [0.0] * 20), rows("base", "motion", [0.0] * 4)]
    figure = drift_panel(view(pd.concat(films)), Panel("motion"), NAMES, lead=True)
    base, full = (np.asarray(line.get_xdata()) for line in figure.axes[0].lines)
    assert (full[0], full[-1]) == (0.25, 9.75)  # 20 clips of half a second
    assert list(base) == [1.25, 3.75, 6.25, 8.75]  # the same 10 s in 4
    assert figure.axes[0].get_xlim() == (0, 10)


def test_figures_are_the_same_bytes_again() -> None:
    for render in (png, svg):
        first, second = (
            render(drift_panel(study_view(), Panel("background_psnr"), NAMES, lead=True)) for _ in range(2)
        )
        assert first == second


def test_names_are_text_not_mathematics_or_markup() -> None:
    name = "$x_1$ <b>&"
    films = [rows(variant, "background_psnr", [31.0, 20.0]) for variant in (name, "full")]
    shown = view(pd.concat(films), variants={name: {}, "full": {}})
    text = svg(drift_panel(shown, Panel("background_psnr"), [name, "full"], lead=True))
    assert "$x_1$ &lt;b&gt;&amp;" in text
    assert "<b>" not in text


def test_the_delta_figure_has_a_dot_a_variant_and_needs_a_baseline() -> None:
    figure = delta_figure(study_view())
    assert figure is not None
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["base", "no_e_img", "no_e_vid"]
    assert delta_figure(view(rows("base", "background_psnr", [31.0, 20.0]))) is None


def test_of_many_variants_figures_name_some_and_the_best_comes_first() -> None:
    late = {f"v{n:02d}": 10.0 + n for n in range(20)}
    frame = study(late, seeds=[0], tracks=[TRACK], clips=4)
    frame = frame[frame["metric"] == "background_psnr"]
    shown = view(frame, variants={name: {} for name in late}, baseline="v07", tracks=[TRACK])
    figure, many = drift_figure(shown), shown.info
    assert figure is not None
    lead = figure.axes[0]
    named = [text.get_text() for text in lead.texts]
    assert len(named) == len(lead.lines) == 12
    assert {"v00", "v07", "v19"} <= set(named)
    assert lead.get_title(loc="left") == "background PSNR, dB ↑, 12 of 20"
    assert not lead.collections  # no bands
    deltas = delta_figure(shown)
    assert deltas is not None
    ordered = [label.get_text() for label in deltas.axes[0].get_yticklabels()]
    assert (ordered[0], ordered[-1], len(ordered)) == ("v19", "v00", 19)
    styles = {(colour(name), str(dashes(many, name))) for name in late}
    assert len(styles) == len(late)


def test_a_variant_has_one_colour_in_every_report_and_the_known_ones_have_their_own() -> None:
    known = ["full", "base", "lora_only", "no_e_img", "no_e_vid", "no_e_noi"]
    assert len({colour(name) for name in known}) == len(known)
    assert colour("full") == colour("bank_size/full") == INK  # the baseline of one report, a row of another
    assert colour("Z_500") == colour("Z_500") in PALETTE


def test_variants_of_one_colour_have_lines_of_their_own() -> None:
    names = [f"v{n:02d}" for n in range(20)]
    about = info(variants={name: {} for name in names}, baseline="v00")
    assert len({(colour(name), str(dashes(about, name))) for name in names}) == len(names)


def luminance(ink: str) -> float:
    parts = [int(ink[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_every_colour_can_be_read_as_text_on_a_light_and_on_a_dark_page() -> None:
    for light, dark in PALETTE.items():
        assert min(contrast(light, page) for page in ("#ffffff", "#fbfaf8")) >= 4.5  # WCAG AA
        assert min(contrast(dark, page) for page in ("#15171a", "#1c1f23")) >= 4.5


def test_of_fewer_than_six_films_no_figure_has_an_interval() -> None:
    films = [
        rows(name, "background_psnr", [31.0, end + shift], sample=sample)
        for name, end in (("full", 30.0), ("base", 20.0))
        for sample, shift in (("a", 0.0), ("b", 1.0))
    ]
    few = view(pd.concat(films), seeds=[0])
    assert not drift_panel(few, Panel("background_psnr"), ["full", "base"], lead=True).axes[0].collections
    deltas = delta_figure(few)
    assert deltas is not None
    assert deltas.axes[0].get_xlabel() == "difference to full in late background PSNR, dB, paired"
    assert few.rows[["low", "high", "delta_low", "delta_high"]].isna().all(axis=None)


def test_labels_keep_their_order_and_distance() -> None:
    placed = spread([1.0, 1.1, 5.0, 1.05], gap=1.0)
    assert placed[0] < placed[3] < placed[1] < placed[2]
    assert placed[2] == 5.0
    assert np.diff(sorted(placed)).min() == pytest.approx(1.0)


def test_a_metric_with_a_prefix_view_has_a_small_panel_for_it_behind_its_own() -> None:
    panels = curve_panels(judged_view())
    assert panels[:3] == [Panel("imaging_quality"), Panel("imaging_quality", "prefix"), Panel("subject_consistency")]
    assert len(panels) == 12
    figure = drift_figure(judged_view())
    assert figure is not None
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles[:2] == ["imaging quality, 0..1 ↑", "imaging quality, so far, 0..1 ↑"]
    window, prefix = (drift_panel(judged_view(), panel, NAMES, lead=False).axes[0] for panel in panels[:2])
    alone, so_far = (np.asarray(axes.lines[0].get_ydata()) for axes in (window, prefix))
    np.testing.assert_allclose(so_far, np.cumsum(alone) / np.arange(1, 11))


def test_trivial_baselines_are_in_no_figure(tmp_path: Path) -> None:
    panel = drift_panel(judged_view(), Panel("imaging_quality"), NAMES, lead=True)
    assert len(panel.axes[0].lines) == 2
    assert {text.get_text() for text in panel.axes[0].texts} == {"base", "full"}
    deltas = delta_figure(judged_view())
    assert deltas is not None
    assert [label.get_text() for label in deltas.axes[0].get_yticklabels()] == ["base"]
    path = str(films(tmp_path, (16, 16)))
    sheet = sheet_figure(judged_info(frames={TRACK: {"full": path, "copy_image": path}}), TRACK, ["full"])
    assert sheet is not None
    assert [axes.get_ylabel() for axes in sheet.axes if axes.get_ylabel()] == ["full"]


def films(folder: Path, size: tuple[int, int]) -> Path:
    """Two films of 40 frames; frame i of the first is i everywhere."""
    frames = np.zeros((2, 40, *size, 3), dtype=np.uint8)
    frames[0] += np.arange(40, dtype=np.uint8)[:, None, None, None]
    np.save(folder / "frames.npy", frames)
    return folder / "frames.npy"


def test_tiles_are_evenly_spaced(tmp_path: Path) -> None:
    images, numbers = tiles(films(tmp_path, (16, 16)))
    assert numbers == [0, 6, 11, 17, 22, 28, 33, 39]
    assert images.shape == (8, 16, 16, 3)
    assert [int(image.max()) for image in images] == numbers


def test_large_frames_are_averaged_down(tmp_path: Path) -> None:
    images, _ = tiles(films(tmp_path, (100, 500)))
    assert images.shape == (8, 33, 166, 3)
    assert int(images[-1].min()) == 39


def test_a_file_of_another_shape_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "frames.npy", np.zeros((4, 16, 16, 3), dtype=np.uint8))
    with pytest.raises(ValueError, match=r"received uint8 \[4, 16, 16, 3\], expected uint8 \[S, F, H, W, 3\]"):
        tiles(tmp_path / "frames.npy")


def test_a_contact_sheet_has_a_row_a_variant_with_seconds_above(tmp_path: Path) -> None:
    path = str(films(tmp_path, (16, 16)))
    about = info(frames={TRACK: {"full": path, "base": path}})
    figure = sheet_figure(about, TRACK, ["base", "full"])
    assert figure is not None
    assert [figure.axes[row * 8].get_ylabel() for row in range(2)] == ["base", "full"]
    assert [figure.axes[0].get_title(), figure.axes[7].get_title()] == ["0.0 s", "4.9 s"]
    assert sheet_figure(info(), TRACK, ["full"]) is None


def test_a_contact_sheet_begins_with_the_true_film_or_the_start_image(tmp_path: Path) -> None:
    path = str(films(tmp_path, (16, 16)))
    about = info(frames={TRACK: {"full": path, "copy_image": path}}, truth={TRACK: path}, still="copy_image")
    assert list(sheet_rows(about, TRACK, ["full"])) == ["true film", "full"]
    unknown = sheet_rows(replace(about, truth={}), TRACK, ["full"])
    assert list(unknown) == ["start image", "full"]
    assert len(unknown["start image"][0]) == 1
