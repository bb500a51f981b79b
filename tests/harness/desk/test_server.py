"""The desk's server: nobody without the token, no host but this one, nothing of elsewhere, and what people wrote as text."""

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from harness.core.errors import UseError
from harness.desk import show
from harness.desk.desk import slug
from harness.desk.making import Making
from harness.desk.record import Recorder
from harness.desk.server import application, new_token
from tests.harness.desk.films import begun, desk_of, shot, take

PORT, HOSTILE = 7860, "<img src=x onerror=alert(1)>'\"&</script>"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[TestClient, str, str, Making]:
    """A browser at a desk, its token, a film and what it is."""
    folder = tmp_path_factory.mktemp("desk")
    desk, token = desk_of(folder / "runs"), new_token()
    film = begun(desk, folder)
    making = shot(desk, film)
    return (
        TestClient(application(desk, PORT, token, Recorder(desk)), base_url=f"http://127.0.0.1:{PORT}"),
        token,
        film,
        making,
    )


def test_who_has_no_token_sees_nothing(made: tuple[TestClient, str, str, Making]) -> None:
    client, token, _, making = made
    client.cookies.clear()
    for path in ("/", "/config", "/gradio_api/info", f"/picture/{making.head}.png", "/?token=wrong", "/?token="):
        assert client.get(path).status_code == 403
    assert client.post("/gradio_api/upload", files={"files": b"x"}).status_code == 403
    let_in = client.get(f"/?token={token}", follow_redirects=False)
    assert (let_in.status_code, let_in.headers["location"]) == (303, "/")
    cookie = let_in.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert token.lower() not in cookie
    for origin in ("http://127.0.0.1:9999", "https://evil.example", "null"):
        assert client.get("/", headers={"origin": origin}).status_code == 403
    assert client.get("/", headers={"origin": f"http://localhost:{PORT}"}).status_code == 200
    assert "samesite=lax" in cookie
    page = client.get("/")
    assert page.status_code == 200
    assert "default-src 'self'" in page.headers["content-security-policy"]
    for host in ("evil.example", f"evil.example:{PORT}", "127.0.0.1"):
        assert client.get("/", headers={"host": host}).status_code == 403


def test_films_and_pictures_are_of_their_folders_alone(made: tuple[TestClient, str, str, Making]) -> None:
    client, token, film, making = made
    client.get(f"/?token={token}")
    whole = client.get(f"/watch/{film}/{str(making.head)[:32]}.mp4")
    assert (whole.status_code, whole.headers["content-type"]) == (200, "video/mp4")
    part = client.get(f"/watch/{film}/{str(making.head)[:32]}.mp4", headers={"range": "bytes=4-7"})
    assert (part.status_code, part.content, whole.content[4:8]) == (206, b"ftyp", b"ftyp")
    assert client.get(f"/picture/{making.head}.png").content[1:4] == b"PNG"
    for path in (
        f"/watch/{film}/{'0' * 32}.mp4",
        f"/watch/{film}/..%2F..%2Fmaking.mp4",
        f"/watch/..%2F..%2Fstore/{'0' * 32}.mp4",
        "/picture/..%2F..%2Fstore.json.png",
        f"/picture/{'0' * 64}.png",
    ):
        assert client.get(path).status_code == 404
    kept = client.get(f"/gradio_api/file={Path(__file__).absolute()}")
    assert kept.status_code == 403


def test_what_people_wrote_is_shown_as_text() -> None:
    making = Making(title=HOSTILE, setup="s", image="start.png", prompts=(HOSTILE,))
    one = take("a" * 64, prompt=HOSTILE).model_copy(update={"own": {"condition.padding": HOSTILE}})
    making = making.with_take(one, 0)
    for html in (show.tree(making, None), show.status(HOSTILE, kind="bad"), show.player("f", making, 1.0)):
        assert "<img src=x" not in html
        assert "</script>" not in html
    assert slug(f"../../{HOSTILE}") == "img-src-x-onerror-alert-1-script"
    assert slug("../..") == "film"


def test_an_id_that_is_a_path_is_no_film(tmp_path: Path) -> None:
    desk = desk_of(tmp_path / "runs")
    for film in ("../../etc", "", "0" * 16, "x" * 16):
        with pytest.raises(UseError, match="no such film"):
            desk.shelf.read(film)
