"""A sample's folder: what is written reads back, what is there is not overwritten, and what was paid for is kept."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.prompts.cache import Cache, painted, storyline
from benchmarks.prompts.client import Client
from benchmarks.prompts.endpoint import EndpointEngine, EndpointPainter
from benchmarks.prompts.picture import Picture
from benchmarks.prompts.sample_folder import PROVENANCE, check_free, prompt_file, write_sample
from benchmarks.prompts.storyline import StorylineRequest
from benchmarks.samples import load_samples, read_prompts
from tests.benchmarks.prompts.prompts_server import (
    Server,
    chat,
    image_answer,
    image_file,
    picture,
    serving,
    write_image,
)

ODD = (
    "He says \"go\", and it's 'done'.",
    "Two\nlines,\r\na tab\t, a \\ and a \\n that is none, \x07 \x85 \u2028 \ufeff end",
    "雪の中で赤い狐が目を覚ます 🦊 é e\u0301",
    "<b>bold</b> & <script>alert('x')</script> &amp; <!-- no -->",
    '"""triple""" {braces} %s $HOME `x` # no comment',
    "prompts = ['not me']",
)
GOOD = json.dumps(["A red fox wakes in the snow.", "The red fox walks into the trees."])


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving() as running:
        yield running


def test_prompts_read_back_as_they_were(tmp_path: Path) -> None:
    assert write_sample(tmp_path / "odd", picture(), ODD, {})
    assert read_prompts(tmp_path / "odd" / "prompt.txt") == ODD
    (sample,), skipped = load_samples(tmp_path)
    assert (sample.name, sample.prompts, sample.image, skipped) == ("odd", ODD, tmp_path / "odd" / "frame.png", [])
    assert sample.image.read_bytes() == picture().data


def test_the_file_is_the_authors_list() -> None:
    assert prompt_file(["A fox.", 'He says "go".']) == 'prompts = [\n    "A fox.",\n    "He says \\"go\\".",\n]\n'


def test_provenance_lies_beside_it(tmp_path: Path) -> None:
    jpeg = Picture.decoded(image_file(form="JPEG"), {"kind": "file", "path": "start.jpg"}, "x")
    write_sample(tmp_path / "s", jpeg, ["A red fox."], {"date": "today", "attempts": [{"reply": "\ud83d é"}]})
    about = json.loads((tmp_path / "s" / PROVENANCE).read_text(encoding="utf-8"))
    source = {"kind": "file", "path": "start.jpg"}
    assert about["image"] == {"file": "frame.jpg", "sha256": jpeg.sha256, "source": source}
    assert about["date"] == "today"
    assert about["attempts"][0]["reply"].endswith(" é")
    assert {path.name for path in (tmp_path / "s").iterdir()} == {"frame.jpg", "prompt.txt", PROVENANCE}


def test_the_same_again_changes_nothing(tmp_path: Path) -> None:
    write_sample(tmp_path / "s", picture(), ["A red fox."], {"date": 1})
    assert not write_sample(tmp_path / "s", picture(), ["A red fox."], {"date": 2})
    assert json.loads((tmp_path / "s" / PROVENANCE).read_text())["date"] == 1


def test_another_sample_is_left_as_it_is(tmp_path: Path) -> None:
    write_sample(tmp_path / "s", picture(), ["A red fox."], {})
    before = {path: path.read_bytes() for path in (tmp_path / "s").iterdir()}
    with pytest.raises(ValueError, match=r"holds a sample already \(the prompt.txt there is another\)"):
        write_sample(tmp_path / "s", picture(), ["A blue whale."], {})
    with pytest.raises(ValueError, match=r"\(the frame.png there is another image\)"):
        write_sample(tmp_path / "s", picture((0, 0, 0)), ["A red fox."], {})
    jpeg = Picture.decoded(image_file(form="JPEG"), {}, "x")
    with pytest.raises(ValueError, match=r"frame.png there is another image\), and is left as it is; choose another"):
        write_sample(tmp_path / "s", jpeg, ["A red fox."], {})
    (tmp_path / "s" / "prompt.txt").write_text("prompts = [")
    with pytest.raises(ValueError, match=r"prompt\.txt there is another"):
        write_sample(tmp_path / "s", picture(), ["A red fox."], {})
    (tmp_path / "s" / "prompt.txt").write_bytes(before[tmp_path / "s" / "prompt.txt"])
    assert {path: path.read_bytes() for path in (tmp_path / "s").iterdir()} == before


def test_a_folder_with_only_the_image_gets_its_prompts(tmp_path: Path) -> None:
    image = Picture.read(write_image(tmp_path / "s" / "frame.png"))
    assert write_sample(tmp_path / "s", image, ["A red fox."], {})
    assert load_samples(tmp_path)[0][0].prompts == ("A red fox.",)


@pytest.mark.parametrize("name", ["../s", "a/../s", "..", ".", ".s", "a\\s"])
def test_names_that_could_leave_their_place_or_be_skipped(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="sample"):
        check_free(Path(tmp_path, name) if name != "." else Path(name), picture())
    assert not list(tmp_path.iterdir())


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="is a file, expected a folder"):
        check_free(tmp_path / "file", picture())
    with pytest.raises(ValueError, match="file is a file, expected a folder that"):
        write_sample(tmp_path / "file" / "s", picture(), ["A red fox."], {})
    with pytest.raises(ValueError, match=r"cache: .* cannot be made"):
        Cache(tmp_path / "file" / "cache")
    cache = Cache(tmp_path / "cache")
    (tmp_path / "cache").rename(tmp_path / "gone")
    with pytest.raises(ValueError, match="cannot be written"):
        cache.keep({"a": 1}, {})


def test_a_storyline_is_asked_for_once(server: Server, tmp_path: Path) -> None:
    cache, engine = Cache(tmp_path), EndpointEngine(Client(server.url), "eyes-7b", seed=1)
    server.will(chat("I see no list here."), chat(GOOD))
    first, kept = storyline(cache, engine, picture(), StorylineRequest(2))
    assert (len(server.asked), kept) == (2, False)
    again, kept = storyline(Cache(tmp_path), engine, picture(), StorylineRequest(2), retries=0)
    assert (len(server.asked), kept) == (2, True)
    assert again == first
    assert [attempt.fault for attempt in again.attempts] == ["received 1 prompt, expected exactly 2", None]


def test_whatever_decides_a_reply_asks_anew(server: Server, tmp_path: Path) -> None:
    cache, client = Cache(tmp_path), Client(server.url)
    server.will(chat(GOOD))
    asked = [
        (EndpointEngine(client, "eyes-7b", seed=1), picture(), StorylineRequest(2)),
        (EndpointEngine(client, "eyes-7b", seed=2), picture(), StorylineRequest(2)),
        (EndpointEngine(client, "eyes-7b", 0.5, seed=1), picture(), StorylineRequest(2)),
        (EndpointEngine(client, "eyes-8b", seed=1), picture(), StorylineRequest(2)),
        (EndpointEngine(client, "eyes-7b", seed=1), picture((0, 0, 0)), StorylineRequest(2)),
        (EndpointEngine(client, "eyes-7b", seed=1), picture(), StorylineRequest(2, "fox")),
    ]
    for number, (engine, image, request) in enumerate(asked, 1):
        assert not storyline(cache, engine, image, request)[1]
        assert len(server.asked) == number
    # The same wherever the image was found, and however long one is ready to wait.
    patient = EndpointEngine(Client(server.url, timeout=99), "eyes-7b", seed=1)
    moved = Picture(picture().data, ".png", {"kind": "elsewhere"})
    assert storyline(cache, patient, moved, StorylineRequest(2))[1]


def test_a_failure_is_not_kept(server: Server, tmp_path: Path) -> None:
    cache, engine = Cache(tmp_path), EndpointEngine(Client(server.url), "eyes-7b")
    server.will(chat("no list"))
    for asked in (1, 2):
        with pytest.raises(ValueError, match="cannot be used"):
            storyline(cache, engine, picture(), StorylineRequest(2), retries=0)
        assert len(server.asked) == asked
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "damage", ["", "[1]", "{}", '{"value": {}}', '{"value": {"attempts": [], "date": ""}}', "reply"]
)
def test_a_damaged_record_is_asked_for_again(server: Server, tmp_path: Path, damage: str) -> None:
    cache, engine = Cache(tmp_path), EndpointEngine(Client(server.url), "eyes-7b")
    server.will(chat(GOOD))
    storyline(cache, engine, picture(), StorylineRequest(2))
    (record,) = tmp_path.iterdir()
    record.write_text(record.read_text().replace("The red fox", "")[:-9] if damage == "reply" else damage)
    found, kept = storyline(cache, engine, picture(), StorylineRequest(2))
    assert (len(found.prompts), kept, len(server.asked)) == (2, False, 2)
    assert storyline(cache, engine, picture(), StorylineRequest(2))[1]


def test_an_image_is_painted_once(server: Server, tmp_path: Path) -> None:
    cache, painter = Cache(tmp_path), EndpointPainter(Client(server.url), "brush-1")
    server.will(image_answer(image_file()), image_answer(image_file((0, 0, 255))))
    first = painted(cache, painter, "red fox")
    assert painted(cache, painter, "red fox") == first
    assert len(server.asked) == 1
    assert first.source["keyword"] == "red fox"
    assert first.source["endpoint"] == server.url
    (record,) = tmp_path.iterdir()
    record.write_text('{"value": {"base64": "AAAA"}}')
    assert painted(cache, painter, "red fox").data == image_file((0, 0, 255))
    assert len(server.asked) == 2


def test_what_an_endpoint_paints_must_be_an_image(server: Server, tmp_path: Path) -> None:
    server.will(image_answer(b"not an image"))
    with pytest.raises(ValueError, match=r"the image of 'fox' from http.*, which is no image that can be read"):
        painted(Cache(tmp_path), EndpointPainter(Client(server.url)), "fox")
    assert not list(tmp_path.iterdir())
