"""The page and the folder of a report: self-contained, escaped, small enough, complete."""

import base64
import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from reports.page.films import films_beside, relative_links
from reports.page.opening import variant_lines
from reports.page.page import page
from reports.statistics.view import ReportView
from reports.write import write_report
from svi.generation.video import write_mp4
from tests.reports.page.films import LINK, TRACK, Films
from tests.reports.report_frames import VARIANTS, info, judged_report, report, study
from tests.undrawn import undrawn


class Loads(HTMLParser):
    """Collects what a page loads, and its elements' names."""

    def __init__(self) -> None:
        super().__init__()
        self.urls: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.urls += [
            value or "" for name, value in attrs if name in ("src", "href", "xlink:href", "poster", "srcset", "data")
        ]


@pytest.fixture(scope="module")
def scored() -> ReportView:
    """A study on one track, without films."""
    return report(study(tracks=[TRACK], clips=8), tracks=[TRACK])


def of_one_metric(variants: dict[str, float], track: str = TRACK) -> pd.DataFrame:
    """A study of background PSNR alone."""
    frame = study(variants=variants, tracks=[track], clips=4)
    return frame[frame["metric"] == "background_psnr"]


@pytest.fixture(scope="module")
def lean() -> ReportView:
    """A report with few figures, for what is not about them."""
    return report(of_one_metric(dict.fromkeys(VARIANTS, 20.0)), tracks=[TRACK])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the films lie."""
    return tmp_path_factory.mktemp("films")


@pytest.fixture(scope="module")
def films(folder: Path) -> Films:
    """Frames and videos of every variant; each video 3,000 bytes."""
    np.save(folder / "frames.npy", np.zeros((1, 16, 160, 160, 3), dtype=np.uint8))  # too large to be encoded anew
    for variant in VARIANTS:
        (folder / variant).mkdir()
        (folder / variant / "scene-00.mp4").write_bytes(variant[:1].encode() * 3000)
    return {
        "tracks": [TRACK],
        "frames": {TRACK: {variant: str(folder / "frames.npy") for variant in VARIANTS}},
        "videos": {TRACK: {variant: [str(folder / variant / "scene-00.mp4")] for variant in reversed(VARIANTS)}},
    }


@pytest.fixture(scope="module")
def filmed(scored: ReportView, films: Films) -> str:
    """The page of a study with its films."""
    return page(replace(scored, info=info(**films)), LINK)


@pytest.fixture
def _undrawn() -> Iterator[None]:
    """For what is not about figures."""
    with undrawn():
        yield


def parsed(html: str) -> Loads:
    loads = Loads()
    loads.feed(html)
    return loads


def test_the_page_loads_nothing_from_outside(filmed: str) -> None:
    urls = parsed(filmed).urls
    assert urls
    assert all(url.startswith(("data:", "#")) for url in urls)
    assert not re.search(r"@import|url\(\s*['\"]?(?!#)", filmed)
    assert "default-src 'none'" in filmed


def test_videos_are_in_declared_order(filmed: str) -> None:
    videos = [url for url in parsed(filmed).urls if url.startswith("data:video/mp4;base64,")]
    assert [base64.b64decode(url.partition(",")[2])[:1] for url in videos] == [b"b", b"f", b"n", b"n"]
    assert "scene-00" in filmed


@pytest.mark.usefixtures("_undrawn")
def test_a_sample_that_does_not_fit_is_linked_with_all_its_films(lean: ReportView, films: Films, folder: Path) -> None:
    link = relative_links(folder / "a b", folder / "reports" / "x")
    assert 'src="data:video' in page(replace(lean, info=info(**films)), link, video_bytes=16_000)
    html = page(replace(lean, info=info(**films)), link, video_bytes=15_999)
    assert 'src="data:video' not in html
    assert "The films of 1 are too large for this page" in html
    videos = [url for url in parsed(html).urls if url.endswith(".mp4")]
    assert videos[:2] == ["../base/scene-00.mp4", "../../base/scene-00.mp4"]  # from the one folder, and from the other
    assert len(videos) == 8


@pytest.mark.usefixtures("_undrawn")
def test_films_that_go_with_a_page_lie_beside_it(lean: ReportView, films: Films, tmp_path: Path) -> None:
    target = tmp_path / "sent" / "my page.html"
    target.parent.mkdir()
    for _ in range(2):  # again is no error
        html = page(replace(lean, info=info(**films)), films_beside(target), video_bytes=0)
    videos = [url for url in parsed(html).urls if url.endswith(".mp4")]
    assert len(set(videos)) == 4
    assert all((target.parent / url.replace("%20", " ")).read_bytes() for url in videos)


@pytest.mark.usefixtures("_undrawn")
def test_missing_films_leave_a_page_that_says_so(lean: ReportView) -> None:
    changed = info(tracks=[TRACK], videos={TRACK: {"full": ["/nowhere/scene-00.mp4"]}})
    html = page(replace(lean, info=changed), LINK)
    assert "No videos are kept for this track." in html
    assert 'class="sheet"' not in html


def test_every_name_is_escaped() -> None:
    name = "<script>alert(1)</script>"
    hostile = "</dd><script>alert(2)</script>"
    shown = report(
        of_one_metric({name: 16.0, "full": 30.0}),
        variants={name: {hostile: hostile}, "full": {}}, tracks=[TRACK], question=hostile, caption=hostile,
        reproduce=hostile, provenance={hostile: hostile}, costs={hostile: hostile},
    )  # fmt: skip
    html = page(shown, LINK)
    assert parsed(html).tags.count("script") == 1  # its own
    assert "alert(1)&lt;/script&gt;" in html
    assert "<script>alert" not in html


def test_skipped_cells_carry_their_reason_and_published_rows_are_apart(filmed: str) -> None:
    assert '<abbr title="no true film is stored" tabindex="0">skipped</abbr>' in filmed
    ours, _, published = filmed.partition('<section class="published"')
    assert "73.82" not in ours
    assert "73.82" in published


@pytest.mark.usefixtures("films", "_undrawn")
def test_drift_follows_the_main_table_and_trivial_baselines_are_only_in_tables(folder: Path) -> None:
    names = ("full", "base", "copy_image")
    videos = {TRACK: {name: [str(folder / "base" / "scene-00.mp4")] for name in names}}
    frames = {TRACK: {name: str(folder / "frames.npy") for name in names}}
    changed = replace(judged_report().info, videos=videos, frames=frames, compare_to=())
    html = page(replace(judged_report(), info=changed), LINK)
    main, drift = html.index(">subject consistency ↑</th>"), html.index("slope per minute")
    assert main < drift < html.index("Drift, clip by clip")
    assert html.count('<th scope="rowgroup" rowspan="3">') == 6
    assert html.count('<tr class="trivial"><th scope="row">copy_image</th>') == 1 + 6  # the main table, and each metric
    assert html.count('src="data:video/mp4') == 2
    assert 'alt="copy_image at' not in html
    assert "So far” scores all frames up to a clip" in html
    key = html.partition('<p class="key">')[2].partition("</p>")[0]
    assert "copy_image" not in key
    assert key.count("<path") == key.count("</svg>") == 2
    assert "base" in key


@pytest.mark.usefixtures("filmed", "_undrawn")
def test_the_contact_sheet_is_called_lossless_only_if_all_of_it_is(
    filmed: str, lean: ReportView, films: Films, folder: Path, tmp_path: Path
) -> None:
    assert "not a chosen one, from its lossless frames." in filmed
    assert '<p class="kind">Ablation report · ablation_eimg</p>' in filmed
    write_mp4(tmp_path / "a.mp4", np.zeros((8, 16, 16, 3), np.uint8), 8, 16, 16)
    frames = {TRACK: {"full": str(folder / "frames.npy"), "base": str(tmp_path / "a.mp4")}}
    html = page(replace(lean, info=info(**films | {"frames": frames})), LINK)
    assert "not a chosen one." in html


def test_the_page_opens_with_the_answer_the_films_and_the_curve(known: Films) -> None:
    frame = study({"base": 16.0, "full": 30.0}, tracks=[TRACK], clips=8)
    frame = frame[frame["metric"] == "background_psnr"]
    asked = {"yes_if": ("base", "worse"), "question": "Does training help?", "compare_to": ()}
    html = page(ReportView.of(frame, info(**known | asked)), LINK)
    places = [
        html.index(part)
        for part in (
            "<h1>Does training help?</h1>",
            "<strong>Yes.</strong> base ends worse than full.",
            '<div class="strip"',
            "Drift curves of the lead metric",
            "intervals and Holm",
            '<nav aria-label="Contents">',
            'id="variants"',
        )
    ]
    assert places == sorted(places)
    strip = html.partition('<div class="strip"')[2].partition("</div>")[0]
    assert re.findall(r'<figure data-variant="(.*?)"><img', strip) == ["base", "full", "true film"]
    for target in re.findall(r'href="#(.*?)"', html):
        assert f'id="{target}"' in html
    assert "<dd>2 (seeds 0, 1)</dd>" in html
    sheet = html.partition('<table class="sheet small">')[2]
    assert re.findall(r'<th scope="row">(.*?)</th>', sheet)[:3] == ["true film", "full", "base"]


def test_variants_are_explained_by_what_they_set() -> None:
    about = info(
        variants={"full": {}, "no_e_img": {"injection.p_img": 0.0}, "copy_image": {"generate.method": "copy_image"}},
        settings={"full": {"injection.p_img": 0.9, "generate.method": "model"}},
        meanings={"injection.p_img": "probability of E_img"},
    )
    assert variant_lines(about) == [
        ("full", "", "the baseline: all others are compared with it"),
        ("no_e_img", "injection.p_img = 0 (full: 0.9)", "probability of E_img"),
        ("copy_image", "generate.method = copy_image (full: model)", "the start image, again and again"),
    ]


def test_figures_follow_the_colour_of_the_page(filmed: str) -> None:
    assert "currentColor" in filmed
    assert "<?xml" not in filmed


def test_costs_stand_as_they_are_told_the_total_last(filmed: str) -> None:
    assert '<div class="total"><dt>together</dt><dd>2 min</dd></div></dl>' in filmed


def test_what_variants_cost_is_a_table_where_it_differs_and_else_a_sentence() -> None:
    cost = {"parameters": 9.0, "clips": 48.0, "training_tokens": 960.0, "evaluations": 16.0, "tokens": 320.0}
    frame, names = of_one_metric(dict.fromkeys(VARIANTS, 20.0)), dict.fromkeys(VARIANTS, cost)
    alike = page(report(frame, tracks=[TRACK], spent=names), LINK)
    assert "Fair to compare with full, every cost within 5 %: base, no_e_img and no_e_vid." in alike
    assert "What each variant cost" not in alike
    dear = page(report(frame, tracks=[TRACK], spent={**names, "base": cost | {"tokens": 640.0}}), LINK)
    assert "What each variant cost" in dear
    assert "base (2 x the token-evaluations a second of film)" in dear


def of_two_variants(films: Films, folder: Path) -> dict[Path, bytes]:
    """All files of a report of two variants and a metric, with its forecast and films."""
    frame = study({"base": 16.0, "full": 30.0}, tracks=[TRACK], clips=8)
    frame = frame[frame["metric"].isin(["background_psnr", "gain", "eps"])]
    write_report(frame, info(**films, variants={"base": {}, "full": {}}), folder, LINK)
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.*")}


@pytest.fixture(scope="module")
def written(films: Films, tmp_path_factory: pytest.TempPathFactory) -> dict[Path, bytes]:
    return of_two_variants(films, tmp_path_factory.mktemp("written"))


def test_write_report_writes_everything(written: dict[Path, bytes]) -> None:
    kinds = ("drift", "deltas", "forecast-curves", "sheet")
    texts = (
        "answer.md",
        "table.md",
        "report.md",
        "report.html",
        "report.tex",
        "results.csv",
        "summary.csv",
        "reproduce.txt",
        f"figures/drift-{TRACK}.svg",
        f"figures/films-{TRACK}.webp",
    )
    assert {str(path) for path in written} == {*texts, *(f"figures/{kind}-{TRACK}.png" for kind in kinds)}
    assert f"](figures/drift-{TRACK}.png)" in written[Path("report.md")].decode()


@pytest.mark.slow
def test_write_report_writes_the_same_bytes_again(written: dict[Path, bytes], films: Films, tmp_path: Path) -> None:
    assert of_two_variants(films, tmp_path) == written


@pytest.mark.usefixtures("_undrawn")
def test_no_name_leaves_the_folder_or_becomes_markup(tmp_path: Path) -> None:
    track, name = "../up <i>", "`a` [b](c) **d**"
    changed = info(
        experiment="# e", tracks=[track], variants={name: {"x": "``` y"}, "full": {}}, compare_to=(),
        question="> q", caption="[x](y)", provenance={"*k*": "_v_"}, costs={"**t**": "1 s"}, reproduce="a\n```\nb",
    )  # fmt: skip
    write_report(of_one_metric({name: 16.0, "full": 30.0}, track), changed, tmp_path / "report", LINK)
    found = {path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()}
    assert {path.parts[0] for path in found} == {"report"}
    drift = next(path for path in found if path.match("figures/drift-*.png"))
    assert re.fullmatch(r"drift-_up_i_-[0-9a-f]{8}\.png", drift.name)
    text = (tmp_path / "report" / "report.md").read_text()
    assert f"](figures/{drift.name})" in text
    assert "\n\\> q\n" in text
    assert r"| \`a\` \[b](c) \*\*d\*\* | \`\`\` y |" in text  # its setting x
    assert r"\*k\*: \_v\_" in text
    assert "````\na\n```\nb\n````" in text


@pytest.mark.usefixtures("_undrawn")
def test_of_many_variants_pictures_and_films_are_of_twelve_and_the_page_says_so(known: Films) -> None:
    names = ["full", *(f"trial_{number:02d}" for number in range(39))]
    frame = of_one_metric({name: 20.0 + number / 4 for number, name in enumerate(names)})
    frames, videos = (dict(known[key][TRACK]) for key in ("frames", "videos"))  # type: ignore[index]
    many = {
        "variants": {name: {} for name in names},
        "frames": {TRACK: dict.fromkeys(names, frames["full"])},
        "videos": {TRACK: dict.fromkeys(names, videos["full"])},
    }
    html = page(ReportView.of(frame, info(**known | many, compare_to=())), LINK)
    sheet = html.partition('<table class="sheet small">')[2].partition("</table>")[0]
    assert sheet.count("<tr><th") == 1 + 12
    assert "12 of 40 variants: those whose curves are drawn." in html
    assert html.count('src="data:video/mp4') == 2 * (1 + 12)
    assert html.count('<div><dt><i style="background') == 40
