"""The page in a real browser: on paper, on a telephone, without scripts."""

import re
import zlib
from pathlib import Path
from typing import Any

import pytest

from tests.chromium import program
from tests.reports.page.films import NAMES

pytestmark = pytest.mark.skipif(program() is None, reason="needs Chromium: apt-get install chromium")
CONTENTS = re.compile(rb"/Contents (\d+) 0 R")


def test_without_scripts_there_are_plain_videos_with_controls(browser: Any, short: Path) -> None:
    context = browser.browser.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto(short.as_uri())
    assert tab.locator(".player video[controls]:visible").count() == 6
    assert not tab.locator(".transport").is_visible()
    assert tab.locator(".player figcaption:visible").all_inner_texts() == [*NAMES] * 2
    context.close()


def test_a_wide_table_is_not_cut_on_paper(browser: Any, short: Path) -> None:
    tab = browser.new_page()
    tab.set_viewport_size({"width": 680, "height": 960})  # A4 without its margins
    tab.goto(short.as_uri())
    tab.evaluate("""for (const row of document.querySelector("table").rows) {
      for (let column = 0; column < 12; column++) row.append(row.lastElementChild.cloneNode(true));
    }""")
    tab.emulate_media(media="print")
    assert tab.evaluate("document.documentElement.scrollWidth") == 680
    tab.close()


def blank(pdf: bytes) -> list[int]:
    """The pages of a PDF of Chromium's that draw neither text nor a picture nor a line, from 1."""
    objects = {int(name): body for name, body in re.findall(rb"(\d+) 0 obj\n(.*?)\nendobj", pdf, re.DOTALL)}
    streams = [
        objects[int(found[1])]
        for body in objects.values()
        if b"/Type /Page\n" in body and (found := CONTENTS.search(body))
    ]
    drawn = [zlib.decompress(re.split(rb"stream\r?\n", body, maxsplit=1)[1]) for body in streams]
    assert drawn
    return [number for number, text in enumerate(drawn, 1) if not re.search(rb"\b(Tj|TJ|Do)\b", text)]


def test_on_paper_no_page_is_blank_and_no_name_is_broken(browser: Any, short: Path) -> None:
    tab = browser.new_page()
    tab.set_viewport_size({"width": 680, "height": 960})
    tab.goto(short.as_uri())
    tab.emulate_media(media="print")
    lines = """[...document.querySelectorAll("tbody th")].filter((cell) => cell.textContent === "no_e_img").map((cell) => {
      const range = document.createRange();
      range.selectNodeContents(cell);
      return range.getClientRects().length;
    })"""
    assert set(tab.evaluate(lines)) == {1}
    assert blank(tab.pdf(format="A4")) == []
    tab.close()


def test_print_has_no_transport_and_says_where_the_films_are(browser: Any, short: Path) -> None:
    tab = browser.new_page()
    tab.goto(short.as_uri())
    tab.emulate_media(media="print")
    assert not tab.locator(".player").is_visible()
    assert tab.get_by_text("The films play in this page").is_visible()
    assert tab.pdf(format="A4").startswith(b"%PDF")
    tab.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_a_telephone(browser: Any, short: Path, scheme: str) -> None:
    tab = browser.new_page()
    tab.emulate_media(color_scheme=scheme)
    tab.set_viewport_size({"width": 390, "height": 844})
    tab.goto(short.as_uri())
    assert tab.evaluate("document.documentElement.scrollWidth") == 390
    cut = """[...document.querySelectorAll("td, th, svg, img, pre")]
      .filter((part) => part.getBoundingClientRect().right > 391).map((part) => part.outerHTML)"""
    assert tab.evaluate(cut) == []
    dark = tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(21, 23, 26)"
    assert dark == (scheme == "dark")
    tab.close()
