"""The desk in a real browser: a film is directed, a clip of it fails, and what is exported is made once more, bit for bit."""

import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import uvicorn

from harness.commands.browser import address_in_a_file
from harness.commands.ui import free_port
from harness.core.artifacts import DESK, TAKES
from harness.desk.record import Recorder
from harness.desk.server import HOST, application, new_token
from harness.desk.shelf import Shelf
from svi.generation.takes import PAST
from tests import chromium
from tests.harness.desk.films import desk_of
from tests.harness.finished import copied
from tests.harness.small import database, harness
from tests.svi.films import decoded

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium.program() is None, reason="no Chromium here: apt-get install chromium"),
]


# Width and length of the film in the player, and where it stands after it was sent there.
SEEN = """async (film, place) => {
    film.pause(); film.currentTime = place;
    await new Promise(done => film.addEventListener('seeked', done, {once: true}));
    return [film.videoWidth, film.duration, film.currentTime];
}"""


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return Path(shutil.copy(database(), copied(tmp_path / "runs"))).parent


@pytest.fixture
def address(store: Path) -> Iterator[str]:
    """Of a desk that this process serves, as `harness desk` does: the libraries are loaded here already."""
    desk, token, port = desk_of(store), new_token(), free_port(7860)
    with Recorder(desk) as recorder:
        app = application(desk, port, token, recorder)
        server = uvicorn.Server(uvicorn.Config(app, host=HOST, port=port, log_level="warning"))
        thread = Thread(target=server.run)
        thread.start()
        try:
            while not server.started:
                assert thread.is_alive()
                time.sleep(0.05)
            with address_in_a_file(f"http://{HOST}:{port}/?token={token}") as page:
                yield page
        finally:
            server.should_exit = True
            thread.join(30)


def test_a_film_is_directed_exported_and_made_once_more(store: Path, address: str, tmp_path: Path) -> None:
    with chromium.pages() as context:
        context.set_default_timeout(90_000)
        page, asked = context.new_page(), list[str]()
        said = chromium.complaints(page)
        page.on("request", lambda request: asked.append(request.url))
        page.goto(address)
        _direct(page, store)
        _fails_and_nothing_changes(page, store)
        _opened_again(page)
        assert said == []
        assert [url for url in asked if not url.startswith((address, page.url, "data:", "blob:"))] == []
    (folder,) = (store / DESK).glob("*/export")
    exported = next(folder.glob("*.mp4"))
    out, other = tmp_path / "again.mp4", copied(tmp_path / "other")
    done = harness("generate", str(out), "--replay", str(folder / "settings.json"), store=other)
    assert done.returncode == 0, done.stderr
    assert (decoded(out) == decoded(exported)).all()
    assert out.read_bytes() == exported.read_bytes()


def _direct(page: Any, store: Path) -> None:
    """Three clips, one AGAIN, another prompt, a branch, undo, CUT and export."""
    page.get_by_text(
        "Press ▶ Next clip to begin."
    ).wait_for()  # what the page opens with overwrites what came before it
    page.locator("#title input, #title textarea").first.fill("<script>alert(1)</script>")
    for clips in (1, 2, 3):
        page.locator("#next").click()
        _shown(page, clips)
    page.locator("#again").click()
    page.locator(".take").nth(3).wait_for()
    _shown(page, 3)
    page.locator("#prompts textarea").fill("<b>blue disc</b> quickly north sand stripes")
    page.locator("#guidance input").fill("3")
    page.locator("#next").click()
    _shown(page, 4)
    page.locator(".take").nth(0).click()
    page.get_by_text("BRANCH goes on from it").wait_for()
    page.locator("#branch").click()
    _shown(page, 1)
    page.locator("#next").click()
    _shown(page, 2)
    page.locator("#undo").click()
    _shown(page, 1)
    page.locator("#undo").click()
    _shown(page, 4)
    page.locator(".take.on").nth(2).click()
    page.get_by_text("CUT ends the film after it").wait_for()
    page.locator("#cut").click()
    _shown(page, 3)
    page.locator("#undo").click()
    _shown(page, 4)
    page.locator("#export").click()
    page.get_by_text("Exported.").wait_for()
    page.locator("#files", has_text="script-alert-1-script").wait_for()
    (film,) = (one.parent.name for one in (store / DESK).glob("*/making.json"))
    making = Shelf(store).read(film)
    assert [take.seed for take in making.film] == [0, 42, 85, 126]
    assert [take.own["generate.guidance"] for take in making.film] == [1, 1, 1, 3]
    assert making.film[-1].prompt.startswith("<b>blue disc</b>")
    assert len(making.takes) == 6
    length = float(page.locator(".length").inner_text().split()[-2])
    seen = page.locator("video").evaluate(SEEN, length - 0.5)
    assert seen == [128, length, length - 0.5]


def _fails_and_nothing_changes(page: Any, store: Path) -> None:
    """Of a take whose file is damaged."""
    (film,) = (one.parent.name for one in (store / DESK).glob("*/making.json"))
    before, shown = Shelf(store).read(film), page.locator("#tree").inner_html()
    shutil.copy(__file__, store / TAKES / str(before.head)[:32] / PAST)
    page.locator("#next").click()
    page.get_by_text("The clip was not made, and the film is as it was").wait_for()
    _shown(page, 4)
    assert Shelf(store).read(film) == before
    assert page.locator("#tree").inner_html() == shown


def _opened_again(page: Any) -> None:
    """What was measured is there in a page that is opened later."""
    page.locator("#measure").click()
    page.get_by_text("Measured on the first clip.").wait_for()
    measured = page.locator(".dial.number output").all_inner_texts()
    page.reload()
    _shown(page, 4)
    assert page.locator(".dial.number output").all_inner_texts() == measured != []


def _shown(page: Any, clips: int) -> None:
    """Wait until the film has so many clips, and may be changed again."""
    page.get_by_text(re.compile(rf"^{clips} clips? · ")).wait_for()
    page.locator("#next:not([disabled])").wait_for()
