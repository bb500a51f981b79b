"""The page in a real browser, from a file: it plays, its films stay together, its keys work, it asks nothing of any network."""

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.chromium import complaints, program
from tests.reports.page.films import write_page
from tests.undrawn import undrawn

pytestmark = pytest.mark.skipif(program() is None, reason="needs Chromium: apt-get install chromium")
WATCH = """async ([count, fps]) => {
  const videos = [...document.querySelectorAll(".player video")], clocks = [], shown = [], last = videos.map(() => NaN);
  const look = (video, index) => video.requestVideoFrameCallback((now, frame) => {
    last[index] = Math.round(frame.mediaTime * fps);
    look(video, index);
  });
  videos.forEach(look);
  while (clocks.length < count) {
    await new Promise(requestAnimationFrame);
    if (last.some(Number.isNaN)) continue;
    clocks.push(videos.map((video) => video.currentTime * fps));
    shown.push([...last]);
  }
  return [clocks, shown];
}"""
Open = Callable[..., Any]


@pytest.fixture
def open_page(browser: Any) -> Iterator[Open]:
    """Opens a page and waits for its films; in the end it must not have complained, nor asked for anything outside."""
    tabs = []

    def opened(path: Path) -> Any:
        tab = browser.new_page()
        said, asked = complaints(tab), []
        tab.on("request", lambda request: asked.append(request.url))
        tabs.append((tab, said, asked))
        tab.goto(path.as_uri())
        tab.locator(".player").scroll_into_view_if_needed()
        ready(tab)
        return tab

    yield opened
    for tab, said, asked in tabs:
        tab.close()
        assert said == []
        assert {url.partition(":")[0] for url in asked} <= {"file", "blob"}


def ready(tab: Any) -> None:
    tab.wait_for_function(
        "() => { const all = [...document.querySelectorAll('.player video')]; "
        "return all.length && all.every((video) => video.readyState >= 2 && !video.seeking) }"
    )


def frames(tab: Any, fps: int = 8) -> list[float]:
    """The frame that each film shows, once it stands."""
    ready(tab)
    return list(
        tab.evaluate(
            "fps => [...document.querySelectorAll('.player video')].map((v) => v.currentTime * fps - 0.5)", fps
        )
    )


def at(frame: int) -> Any:
    """All three films in the middle of a frame, to a hundredth of it."""
    return pytest.approx([frame] * 3, abs=0.01)


def watched(tab: Any, count: int, fps: int = 8) -> Any:
    """The films' clocks in frames [count, films] at as many drawings of the screen, which are never a whole frame apart; nor are
    the frames that they show more than one. Watched again, twice, where other programs took the processor from the browser."""
    for _ in range(3):
        clocks, shown = map(np.array, tab.evaluate(WATCH, [count, fps]))
        apart = (np.ptp(clocks, axis=1).max(), np.ptp(shown, axis=1).max())
        if apart[0] < 1 and apart[1] <= 1:
            return clocks
    raise AssertionError(f"clocks and shown frames were {apart} frames apart")


def press(tab: Any, *keys: str) -> None:
    for key in keys:
        tab.locator(".player").press(key)


def test_it_plays_and_all_films_stay_within_one_frame(open_page: Open, short: Path) -> None:
    tab = open_page(short)
    assert tab.locator(".player video").count() == 3
    press(tab, "Space")
    clocks = watched(tab, 150)
    assert clocks[-1].min() - clocks[0].max() > 8  # more than a second of film in 150 drawings of the screen
    press(tab, "Space")
    stood = frames(tab)
    assert stood == at(round(stood[0]))  # all in the middle of the same frame
    assert tab.evaluate("[...document.querySelectorAll('.player video')].every((video) => video.paused)")


@pytest.mark.slow
@pytest.mark.parametrize("fps", [16, 30])
def test_films_of_any_rate_stay_within_one_frame(open_page: Open, tmp_path: Path, fps: int) -> None:
    with undrawn():
        path = write_page(tmp_path, 8, fps)
    tab = open_page(path)
    tab.locator(".play").click()
    clocks = watched(tab, 150, fps)
    assert clocks[-1].min() - clocks[0].max() > fps


@pytest.mark.slow
def test_a_film_that_falls_behind_is_brought_back(open_page: Open, short: Path) -> None:
    tab = open_page(short)
    press(tab, "Space")
    tab.wait_for_function("() => document.querySelector('.player video').currentTime > 0.5")
    tab.evaluate("document.querySelectorAll('.player video')[1].currentTime = 3")
    tab.wait_for_timeout(700)
    watched(tab, 30)


def test_keys_step_by_frames_and_clips(open_page: Open, short: Path) -> None:
    tab = open_page(short)
    assert frames(tab) == at(0)
    for keys, frame in (
        (["ArrowRight"] * 3, 3),
        (["ArrowLeft"], 2),
        (["Shift+ArrowRight"] * 2, 8),  # clips of 4 frames
        (["ArrowRight", "Shift+ArrowLeft"], 8),  # first to the beginning of its own clip
        (["Shift+ArrowLeft"], 4),
        (["End"], 63),
        (["ArrowRight"], 63),
        (["Home"], 0),
        (["ArrowLeft"], 0),
    ):
        press(tab, *keys)
        assert frames(tab) == at(frame), keys
    assert tab.locator(".clock").inner_text() == "0.00 s · frame 0 · clip 1 of 16"
    press(tab, "ArrowUp")
    assert tab.locator(".speed").input_value() == "2"
    press(tab, "ArrowDown", "ArrowDown")
    assert tab.locator(".speed").input_value() == "0.5"


def test_marks_and_scrubbing_move_all_films(open_page: Open, short: Path) -> None:
    tab = open_page(short)
    box = tab.locator(".marks").bounding_box()
    tab.locator(".marks").click(position={"x": box["width"] * 5.6 / 16, "y": 5})  # within the sixth clip
    assert frames(tab) == at(20)
    tab.locator(".scrub").fill("6.3")
    assert frames(tab) == at(50)
    press(tab, "Space")
    watched(tab, 20)
    tab.wait_for_function("() => document.querySelector('.play').textContent === 'Play'")  # the end
    assert frames(tab) == at(63)
    tab.locator(".play").click()
    tab.wait_for_function("() => document.querySelector('.player video').currentTime < 4")  # from the start again


def test_samples_and_variants_are_chosen(open_page: Open, short: Path) -> None:
    tab = open_page(short)
    press(tab, "Shift+ArrowRight")
    tab.locator(".sample").select_option("scene-01")
    assert frames(tab) == at(4)  # at the same time
    assert tab.locator(".row:visible").get_attribute("data-sample") == "scene-01"
    tab.keyboard.press("ArrowRight")  # the list has given the keys back
    assert frames(tab) == at(5)
    tab.locator(".speed").select_option("2")
    tab.keyboard.press("ArrowLeft")
    assert frames(tab) == at(4)
    boxes = tab.locator(".variants input")
    boxes.nth(1).uncheck()
    assert tab.locator(".player video").count() == 2
    boxes.nth(0).uncheck()
    boxes.nth(2).click()  # the last one stays
    assert tab.locator(".player video").count() == 1
    assert tab.locator(".player figcaption:visible").all_inner_texts() == ["no_e_img"]


def test_a_shorter_sample_does_not_move_the_time(open_page: Open, short: Path) -> None:
    tab = open_page(short)
    press(tab, "End")
    tab.locator(".sample").select_option("scene-01")
    assert frames(tab) == at(31)
    tab.locator(".sample").select_option("scene-00")
    assert frames(tab) == at(63)


@pytest.mark.slow
def test_a_film_that_loads_is_waited_for_at_one_time(open_page: Open, short: Path) -> None:
    tab = open_page(short)
    press(tab, "Space")
    tab.wait_for_function("() => document.querySelector('.player video').currentTime > 0.5")
    tab.evaluate("""() => {
      const [lead, waiting, ahead] = document.querySelectorAll(".player video");
      ahead.currentTime = lead.currentTime + 2;
      Object.defineProperty(waiting, "readyState", { value: 2, configurable: true });
    }""")
    tab.wait_for_timeout(500)
    clocks = tab.evaluate("[...document.querySelectorAll('.player video')].map((video) => video.currentTime * 8)")
    assert np.ptp(clocks) < 1
    assert tab.locator(".play").inner_text() == "Pause"  # it goes on once all can
    tab.evaluate("delete document.querySelectorAll('.player video')[1].readyState")
    watched(tab, 20)


def test_films_that_all_break_stop_the_player(open_page: Open, short: Path) -> None:
    tab = open_page(short)
    press(tab, "Space")
    tab.evaluate(
        "for (const video of document.querySelectorAll('.player video')) video.dispatchEvent(new Event('error'))"
    )
    tab.wait_for_function("() => document.querySelector('.play').textContent === 'Play'")
    assert tab.locator(".lost:visible").count() == 3
    tab.locator(".sample").select_option("scene-01")
    ready(tab)
    assert tab.locator(".lost").count() == 0


def test_of_many_variants_some_are_shown_and_each_comes_and_goes_alone(open_page: Open, tmp_path: Path) -> None:
    names = [f"v{i}" for i in range(7)] + ["full"]
    with undrawn():
        path = write_page(tmp_path, 2, 8, names=names)
    tab = open_page(path)
    shown = tab.locator(".player figcaption:visible")
    assert shown.all_inner_texts() == ["v0", "v1", "v2", "v3", "v4", "full"]
    press(tab, "ArrowRight")
    tab.evaluate("for (const video of document.querySelectorAll('.player video')) video.dataset.old = 'yes'")
    tab.get_by_role("checkbox", name="v6").check()
    tab.get_by_role("checkbox", name="v1").uncheck()
    assert frames(tab) == pytest.approx([1] * 6, abs=0.01)
    assert tab.locator(".player video[data-old]").count() == 5
    assert shown.all_inner_texts() == ["v0", "v2", "v3", "v4", "v6", "full"]
    tab.get_by_role("button", name="baseline alone").click()
    assert shown.all_inner_texts() == ["full"]
    tab.get_by_role("button", name="all", exact=True).click()
    assert frames(tab) == pytest.approx([1] * 8, abs=0.01)
    tab.set_viewport_size({"width": 800, "height": 500})
    shown.last.scroll_into_view_if_needed()
    assert tab.locator(".play").is_visible()
    assert tab.locator(".transport").bounding_box()["y"] >= -0.5


@pytest.mark.slow
def test_films_too_large_for_the_page_are_played_from_beside_it(open_page: Open, browser: Any, tmp_path: Path) -> None:
    with undrawn():
        path = write_page(tmp_path, 4, 8, budget=0)
    assert 'src="data:video' not in path.read_text()
    tab = open_page(path)
    press(tab, "Space")
    clocks = watched(tab, 60)
    assert clocks[-1].min() > clocks[0].max()
    tab.close()
    shutil.rmtree(tmp_path / "films-1")
    tab = browser.new_page()
    tab.goto(path.as_uri())
    tab.locator(".player").scroll_into_view_if_needed()
    tab.locator(".lost").wait_for()
    assert "films-1/videos/scene-00.mp4 is not beside this page" in tab.locator(".lost").inner_text()
    assert tab.locator(".player video").count() == 2  # the others play
    tab.close()


def test_the_films_that_the_page_opens_with_play_together(browser: Any, short: Path) -> None:
    tab = browser.new_page()
    tab.goto(short.as_uri())
    tab.wait_for_function(
        "() => [...document.querySelectorAll('.strip video')].every((video) => video.currentTime > 0.3)"
    )
    assert tab.locator(".strip video").count() == 3
    tab.locator(".strip button").click()
    assert tab.evaluate("[...document.querySelectorAll('.strip video')].every((video) => video.paused)")
    assert tab.locator(".strip button").inner_text() == "Play"
    tab.close()


@pytest.mark.slow
def test_a_page_of_250_seconds_opens_within_two(browser: Any, tmp_path: Path) -> None:
    """Or, on a machine that is busy with other things, within eight times what a page of 5 seconds, a fiftieth, takes there."""
    long, brief = tmp_path / "long", tmp_path / "brief"
    for folder in (long, brief):
        folder.mkdir()
    pages = [(write_page(long, 250, 8), 1999), (write_page(brief, 5, 8), 39)]
    took = [min(opening(browser, page, last) for _ in range(3)) for page, last in pages]
    assert took[0] < max(2.0, 8 * took[1]), took


def opening(browser: Any, page: Path, last: int) -> float:
    """Seconds until the last frame of every film is shown."""
    tab = browser.new_page()
    begin = time.perf_counter()
    tab.goto(page.as_uri(), wait_until="load")
    tab.locator(".player").scroll_into_view_if_needed()
    ready(tab)
    press(tab, "End")
    assert frames(tab) == at(last)
    seconds = time.perf_counter() - begin
    tab.close()
    return seconds


HEARD = """() => [...document.querySelectorAll(".player .row:not([hidden]) video")]
  .filter((video) => !video.muted).map((video) => video.getAttribute("aria-label"))"""


@pytest.mark.slow
def test_one_film_is_heard_at_a_time(open_page: Open, tmp_path: Path) -> None:
    """The baseline's until another is chosen: by its button, by the keyboard, by a click on its pictures."""
    names = ("base", "full", "shuffled")
    with undrawn():
        path = write_page(tmp_path, 12, 8, samples=2, names=names, sounds={"full": 0, "shuffled": 1})
    tab = open_page(path)
    full, other = (tab.get_by_role("button", name=f"Sound of {name}", exact=True) for name in names[1:])
    assert tab.locator(".sound:visible").count() == 2  # base is silent

    def heard(name: str | None, drawn: str) -> None:
        assert tab.evaluate(HEARD) == [name] * (name is not None)
        for button, of in ((full, "full"), (other, "shuffled")):
            assert button.get_attribute("aria-pressed") == str(name == of).lower()
        assert tab.locator(".signals svg:visible").evaluate("drawn => drawn.dataset.sound") == drawn
        assert all(tab.evaluate("[...document.querySelectorAll('.strip video')].map((video) => video.muted)"))

    heard("full", "0")
    press(tab, "Space")
    tab.wait_for_function("() => document.querySelectorAll('.player video')[1].webkitAudioDecodedByteCount > 1000")
    other.click()
    heard("shuffled", "1")
    full.focus()
    tab.keyboard.press("Enter")
    heard("full", "0")
    assert tab.locator(".play").inner_text() == "Pause"  # they play on
    tab.locator(".player video").nth(2).click()
    heard("shuffled", "1")
    assert tab.locator(".play").inner_text() == "Pause"
    tab.locator(".player video").nth(2).click()
    assert tab.locator(".play").inner_text() == "Play"
    stood = frames(tab)
    assert stood == at(round(stood[0]))
    other.click()
    heard(None, "1")
    tab.locator(".sample").select_option("scene-01")
    heard(None, "1")  # nobody asked for it again
    press(tab, "m")
    heard("shuffled", "1")
    tab.get_by_role("checkbox", name="shuffled").uncheck()
    assert tab.evaluate(HEARD) == ["full"]
    drawn = tab.locator(".signals")
    width = drawn.bounding_box()["width"]
    drawn.click(position={"x": width / 2, "y": 10})
    assert frames(tab) == pytest.approx([24] * 2, abs=0.01)  # of 48
    for across in (390, 1440):
        tab.set_viewport_size({"width": across, "height": 844})
        box = tab.locator(".signals svg:visible").bounding_box()
        assert 0 < box["x"] < box["x"] + box["width"] < across
        assert tab.evaluate("document.documentElement.scrollWidth") == across
