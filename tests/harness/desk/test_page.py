"""The page, without a browser: what fails is said, and all can be pressed again."""

from pathlib import Path

import gradio as gr
import pytest

from harness.core.errors import UseError
from harness.desk.knobs import seed_in
from harness.desk.page import Page, Tab
from harness.desk.record import Recorder
from tests.harness.desk.films import begun, desk_of, shot


def test_a_film_that_cannot_be_shown_leaves_the_page_to_others(tmp_path: Path) -> None:
    """Its image is lost."""
    film = begun(desk := desk_of(tmp_path / "runs"), tmp_path)
    shot(desk, film)
    desk.shelf.folder(film).joinpath("start.png").unlink()
    desk = desk_of(tmp_path / "runs")
    with gr.Blocks():
        page = Page(desk, Recorder(desk))
    for act, given in ((page.open_last, ()), (page.measured, ()), (page.exported, ()), (page.open, (film,))):
        tab = Tab("" if act in (page.open_last, page.open) else film)
        shown = list(page._edge(act)(tab, *given))[-1]
        assert "start.png" in shown[page.status]
        assert shown[page.next]["interactive"]
        assert not shown[page.stop]["interactive"]
        assert film in [one for _, one in shown[page.films]["choices"]]


@pytest.mark.parametrize(
    ("first", "then", "film"),
    [("a\nb\nc\nd", "end", ["end"]), ("a", "a\nb\nc", ["a", "b", "c"]), ("a\nb", "", ["a", "b"])],
)
def test_all_prompts_are_those_that_are_there_when_each_clip_begins(
    tmp_path: Path, first: str, then: str, film: list[str]
) -> None:
    name = begun(desk := desk_of(tmp_path / "runs"), tmp_path)
    with gr.Blocks():
        page = Page(desk, Recorder(desk))
    tab = Tab(name)
    own = desk.shots.own()
    knobs = [own[key] for key in own]
    for _ in page._shooting("all")(tab, None, "", "crop", first, "", *knobs):
        if then and len(desk.shelf.read(name).takes) == 0:
            page.told(tab, then)
    assert [take.prompt for take in desk.shelf.read(name).film] == film


def test_no_seed_is_refused_in_a_line() -> None:
    assert (seed_in(" "), seed_in("7")) == (None, 7)
    for text in ("9" * 5000, str(2**53), "-1", "x"):
        with pytest.raises(UseError, match="expected a whole number from 0 to 9007199254740991"):
            seed_in(text)
