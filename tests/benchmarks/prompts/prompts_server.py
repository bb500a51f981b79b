"""A real HTTP server on 127.0.0.1 that answers what a test has lined up, and keeps what it was asked."""

import base64
import io
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from PIL import Image

from benchmarks.prompts.picture import Picture


@dataclass
class Answer:
    """`delay`: seconds before it; `pause`: seconds between its bytes; `cut`: bytes kept back of those announced."""

    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    pause: float = 0.0
    cut: int = 0


@dataclass
class Asked:
    path: str
    headers: dict[str, str]
    body: dict[str, Any]


class Server:
    """The last answer stays, so that one alone is given for ever."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.asked: list[Asked] = []
        self.given: list[Answer] = []  # whole
        self.closed = threading.Event()
        self.url = ""

    def will(self, *answers: Answer) -> None:
        self.answers += answers

    def next(self) -> Answer:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@contextmanager
def serving() -> Iterator[Server]:
    """A server on a free port, for as long as the block lasts."""
    server = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            server.asked.append(Asked(self.path, dict(self.headers), json.loads(body)))
            answer = server.next()
            server.closed.wait(answer.delay)
            try:
                self.send_response(answer.status)
                for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                kept = answer.body[: len(answer.body) - answer.cut]
                step = 1 if answer.pause else len(kept) or 1
                for start in range(0, len(kept), step):
                    self.wfile.write(kept[start : start + step])
                    server.closed.wait(answer.pause)
                server.given.append(answer)
            except OSError:
                pass  # the client did not wait

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        server.url = f"http://127.0.0.1:{http.server_port}/v1"
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.closed.set()
            http.shutdown()
            thread.join()


def chat(text: str | None, finish: str = "stop", **more: Any) -> Answer:
    """A chat completion."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text, **more}, "finish_reason": finish}
    return Answer(json.dumps({"model": "served-1", "system_fingerprint": "fp_9", "choices": [choice]}).encode())


def refusal(status: int, message: str, **headers: str) -> Answer:
    """An error in OpenAI's form; a header's name is written with _ for -."""
    body = json.dumps({"error": {"message": message, "type": "x"}}).encode()
    return Answer(body, status, {name.replace("_", "-"): value for name, value in headers.items()})


def image_answer(data: bytes) -> Answer:
    """An image generation."""
    return Answer(json.dumps({"created": 1, "data": [{"b64_json": base64.b64encode(data).decode()}]}).encode())


def image_file(
    colour: tuple[int, int, int] = (200, 90, 40), form: str = "PNG", size: tuple[int, int] = (80, 48)
) -> bytes:
    """The bytes of a plain image."""
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, form)
    return file.getvalue()


def picture(colour: tuple[int, int, int] = (200, 90, 40)) -> Picture:
    return Picture.decoded(image_file(colour), {"kind": "test"}, "a test's image")


def write_image(path: Path, colour: tuple[int, int, int] = (200, 90, 40), form: str = "PNG") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(image_file(colour, form))
    return path
