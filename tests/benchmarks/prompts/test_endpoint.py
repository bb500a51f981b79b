"""Chat completions and image generations over real HTTP: what is sent, what is tried again, what is refused, and the key."""

import base64
import io
import json
import socket
import time
from collections.abc import Iterator
from email.utils import formatdate
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from benchmarks.prompts.client import Client
from benchmarks.prompts.endpoint import EndpointEngine, EndpointPainter
from benchmarks.prompts.engine import Message, write_storyline
from benchmarks.prompts.storyline import StorylineRequest
from tests.benchmarks.prompts.prompts_server import (
    Answer,
    Server,
    chat,
    image_answer,
    image_file,
    picture,
    refusal,
    serving,
)

FOX, WALK = "A red fox wakes in the snow.", "The red fox walks into the trees."
GOOD = json.dumps([FOX, WALK])
KEY = "sk-test-0123456789abcdef"
IMAGE = picture()


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as running:
        yield running


def engine(server: Server, timeout: float = 20, tries: int = 4, **more: Any) -> EndpointEngine:
    return EndpointEngine(Client(server.url, timeout=timeout, tries=tries, wait=0.01), "eyes-7b", **more)


def ask(server: Server, retries: int = 2, **more: Any) -> tuple[str, ...]:
    return write_storyline(engine(server, **more), IMAGE, StorylineRequest(2), retries).prompts


def refused(server: Server, **more: Any) -> str:
    with pytest.raises(ValueError, match=r".") as error:
        ask(server, **more)
    assert KEY not in str(error.value)
    return str(error.value)


def test_a_good_reply_takes_one_request_with_the_image_and_the_words(server: Server) -> None:
    server.will(chat(GOOD))
    story = write_storyline(engine(server, temperature=0.5, seed=7), IMAGE, StorylineRequest(2, "a red fox"))
    assert story.prompts == (FOX, WALK)
    (attempt,) = story.attempts
    assert (attempt.reply, attempt.fault) == (GOOD, None)
    assert attempt.details == {"model": "served-1", "system_fingerprint": "fp_9"}
    (asked,) = server.asked
    assert asked.path == "/v1/chat/completions"
    assert asked.headers["Authorization"] == f"Bearer {KEY}"
    assert (asked.body["model"], asked.body["temperature"], asked.body["seed"]) == ("eyes-7b", 0.5, 7)
    (turn,) = asked.body["messages"]
    image, text = turn["content"]
    assert text["text"] == StorylineRequest(2, "a red fox").text()
    head, _, data = image["image_url"]["url"].partition(",")
    assert head == "data:image/jpeg;base64"
    with Image.open(io.BytesIO(base64.b64decode(data))) as shown:
        assert shown.size == (80, 48)
        assert shown.getpixel((40, 20)) == pytest.approx((200, 90, 40), abs=3)


def test_what_is_not_set_is_not_sent(server: Server) -> None:
    server.will(chat(GOOD))
    ask(server)
    assert set(server.asked[0].body) == {"model", "messages"}


def test_the_whole_address_of_chat_completions_does_too(server: Server) -> None:
    server.will(chat(GOOD))
    client = Client(f"{server.url}/chat/completions?api-version=2")
    found = EndpointEngine(client, "eyes-7b")
    found.reply([Message("user", "Go on.")], IMAGE, 0)
    assert server.asked[0].path == "/v1/chat/completions?api-version=2"
    assert found.describe()["endpoint"] == server.url


def test_a_wrong_count_is_told_and_asked_for_again(server: Server) -> None:
    server.will(chat(json.dumps([FOX])), chat(GOOD))
    said: list[str] = []
    story = write_storyline(engine(server, seed=7), IMAGE, StorylineRequest(2), 2, said.append)
    assert story.prompts == (FOX, WALK)
    fault = "received 1 prompt, expected exactly 2"
    assert [attempt.fault for attempt in story.attempts] == [fault, None]
    assert said == [f"reply 1 of at most 3 cannot be used: {fault}"]
    first, second = (asked.body for asked in server.asked)
    assert (first["seed"], second["seed"]) == (7, 8)
    assert [turn["role"] for turn in second["messages"]] == ["user", "assistant", "user"]
    assert second["messages"][1]["content"] == json.dumps([FOX])
    assert second["messages"][2]["content"] == StorylineRequest(2).correction(fault)


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (chat(json.dumps([FOX, FOX])), "prompts 1 and 2 are the same"),
        (chat("I cannot help with that."), "received 1 prompt, expected exactly 2"),
        (chat(None, refusal="I will not."), "received 1 prompt, expected exactly 2"),
        (chat(""), "received an empty reply"),
        (chat(f"1. {FOX}\n2. The red fox wal", "length"), "the reply was cut off after"),
        (chat(GOOD[:-1]), "does not parse or was cut off"),
    ],
)
def test_replies_that_cannot_be_used_are_asked_for_again_then_refused(
    server: Server, answer: Answer, fault: str
) -> None:
    server.will(answer)
    message = refused(server, retries=1)
    assert len(server.asked) == 2
    text = json.loads(answer.body)["choices"][0]["message"]
    for part in ("2 replies of eyes-7b at http://127.0.0.1", fault, repr(text["content"] or text.get("refusal") or "")):
        assert part in message


def test_a_content_of_parts(server: Server) -> None:
    body = json.loads(chat("").body)
    body["choices"][0]["message"]["content"] = [{"type": "text", "text": GOOD[:9]}, {"type": "text", "text": GOOD[9:]}]
    server.will(Answer(json.dumps(body).encode()))
    assert ask(server) == (FOX, WALK)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_service_is_asked_again(server: Server, status: int) -> None:
    server.will(refusal(status, "slow down"), refusal(status, "slow down"), chat(GOOD))
    assert ask(server, retries=0) == (FOX, WALK)
    assert len(server.asked) == 3


@pytest.mark.parametrize("header", ["0.3", "date"])
def test_it_is_left_alone_for_as_long_as_it_asks(server: Server, header: str, monkeypatch: pytest.MonkeyPatch) -> None:
    now, waits = 1_700_000_000.25, list[float]()
    clock = SimpleNamespace(sleep=waits.append, time=lambda: now, monotonic=time.monotonic)
    monkeypatch.setattr("benchmarks.prompts.client.time", clock)
    after = formatdate(now + 2, usegmt=True) if header == "date" else header  # a date has whole seconds
    server.will(refusal(429, "slow down", Retry_After=after), chat(GOOD))
    assert ask(server) == (FOX, WALK)
    assert waits == [1.75 if header == "date" else 0.3]


def test_a_connection_that_breaks_is_tried_again(server: Server) -> None:
    whole = chat(GOOD)
    server.will(Answer(whole.body, cut=20), whole)
    assert ask(server) == (FOX, WALK)
    server.answers[:] = [Answer(whole.body, cut=20)]
    assert "the connection broke" in refused(server, tries=2)


def test_500_for_ever_ends(server: Server) -> None:
    server.will(refusal(500, "the engine is dead"))
    message = refused(server, tries=3)
    assert len(server.asked) == 3
    assert "received HTTP 500 (the engine is dead), 3 times" in message


@pytest.mark.parametrize(
    ("status", "said"),
    [(401, "the key in OPENAI_API_KEY was sent"), (404, "expected the service's base address"), (400, "put right")],
)
def test_other_refusals_are_final_and_say_what_to_do(server: Server, status: int, said: str) -> None:
    server.will(refusal(status, "no\x1b[31m such\nmodel"))
    message = refused(server)
    assert len(server.asked) == 1
    assert f"received HTTP {status} (no?[31m such model)" in message
    assert said in message


@pytest.mark.parametrize("body", [b"<html>Welcome</html>", b"", b"[1]", b"\xff\xfe", b"[" * 100_000])
def test_an_answer_that_is_no_json_object(server: Server, body: bytes) -> None:
    server.will(Answer(body))
    message = refused(server)
    assert len(server.asked) == 1
    assert "expected a JSON object" in message


@pytest.mark.parametrize("body", [{}, {"choices": []}, {"choices": [{"message": {"content": 3}}]}, {"choices": [{}]}])
def test_json_that_is_no_chat_completion(server: Server, body: dict) -> None:
    server.will(Answer(json.dumps(body).encode()))
    assert f"received {str(body)!r}, expected a chat completion" in refused(server)


@pytest.mark.parametrize("answer", [Answer(chat(GOOD).body, delay=30), Answer(chat(GOOD).body, pause=0.1)])
def test_no_whole_answer_in_time(server: Server, answer: Answer) -> None:
    """Nobody waits for the rest of an answer that trickles in, however regularly."""
    server.will(answer)
    assert "received no whole answer in 0.5 s" in refused(server, timeout=0.5)
    assert server.given == []
    assert len(server.asked) == 1


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    client = Client(f"http://127.0.0.1:{port}/v1")
    with pytest.raises(
        ValueError, match=rf"127\.0\.0\.1:{port}/v1: it cannot be reached .*expected an OpenAI-compatible"
    ):
        client.post("/x", {})


def test_a_key_that_comes_back_is_taken_out(server: Server) -> None:
    server.will(refusal(401, f"Incorrect API key provided: {KEY}"))
    assert "Incorrect API key provided: [key]" in refused(server)
    server.answers[:] = [chat(f"1. {FOX} {KEY}\n2. {WALK}")]
    assert ask(server) == (f"{FOX} [key]", WALK)
    server.answers[:] = [Answer(f"not json {KEY}".encode())]
    assert "not json [key]" in refused(server)
    assert KEY not in json.dumps(engine(server).describe()) + repr(engine(server))


def test_a_redirect_is_not_followed_with_the_key(server: Server) -> None:
    with serving() as other:
        other.will(chat(GOOD))
        for status in (301, 302, 307, 308):
            server.answers[:] = [Answer(b"", status, {"Location": f"{other.url}/chat/completions"})]
            assert "redirects are not followed" in refused(server)
        assert other.asked == []


def test_the_key_is_named_by_its_variable(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.will(chat(GOOD))
    monkeypatch.setenv("MY_KEY", " other-key-1234 \n")
    Client(server.url, "MY_KEY").post("/x", {})
    assert server.asked[-1].headers["Authorization"] == "Bearer other-key-1234"
    monkeypatch.delenv("OPENAI_API_KEY")
    Client(server.url).post("/x", {})
    assert "Authorization" not in server.asked[-1].headers
    with pytest.raises(ValueError, match="of which no environment variable is set") as error:
        Client(server.url, KEY)  # the key itself, by mistake
    assert KEY not in str(error.value)
    for bad in ("ke\ny-12345678", "këy-12345678"):
        monkeypatch.setenv("MY_KEY", bad)
        with pytest.raises(ValueError, match="MY_KEY holds characters that no key has") as error:
            Client(server.url, "MY_KEY")
        assert bad not in str(error.value)


def test_the_key_of_openai_does_not_cross_the_network_in_clear_text(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Client("http://192.0.2.1/v1")._key() is None
    assert Client("https://192.0.2.1/v1")._key() == KEY
    monkeypatch.setenv("MY_KEY", "mine")
    assert Client("http://192.0.2.1/v1", "MY_KEY")._key() == "mine"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:8000",
        "ftp://host/v1",
        "http://",
        "http://host:x/v1",
        "http://ho st/v1",
        "http://höst/v1",
        "http://h/#a",
    ],
)
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(ValueError, match="received no http address, expected one such as"):
        Client(url)


def test_secrets_in_an_address_are_refused_or_not_shown() -> None:
    with pytest.raises(ValueError, match="received http://host/v1 with a name or password") as error:
        Client("http://me:hunter2@host/v1")
    assert "hunter2" not in str(error.value)
    assert Client("https://host/v1/?code=hunter2").shown == "https://host/v1"


def test_an_image_is_painted(server: Server) -> None:
    server.will(image_answer(image_file()))
    assert EndpointPainter(Client(server.url), "brush-1", "832x480").paint("a red\n fox") == image_file()
    (asked,) = server.asked
    assert asked.path == "/v1/images/generations"
    assert asked.body.pop("prompt").startswith("a red fox. ")
    assert asked.body == {"n": 1, "model": "brush-1", "size": "832x480", "response_format": "b64_json"}
    EndpointPainter(Client(server.url)).paint("a fox")
    assert set(server.asked[1].body) == {"prompt", "n", "response_format"}
    EndpointPainter(Client(server.url), "gpt-image-1").paint("a fox")
    assert set(server.asked[2].body) == {"prompt", "n", "model"}


@pytest.mark.parametrize("entry", [{"url": "http://127.0.0.1:9/x.png"}, {"b64_json": "%%%"}, {"b64_json": None}])
def test_an_answer_without_an_image_in_base64(server: Server, entry: dict) -> None:
    server.will(Answer(json.dumps({"data": [entry]}).encode()))
    with pytest.raises(ValueError, match="expected an image in base64"):
        EndpointPainter(Client(server.url)).paint("a fox")
