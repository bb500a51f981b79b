"""A password in a URI reaches the server that it is for, and nothing else."""

import json
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import quote

import pytest

from harness.core.credentials import LEFT_OUT, conceal
from harness.declare.request import Request
from harness.declare.spec import Experiment, Variant, parse_overrides
from harness.tracking import RunInfo, Tracker, resolve_uri
from sweeps import publish
from tests.harness.small import ONE_TRACK, SMALL, harness

SECRET = "Geheim#Zwerg"
URI = f"http://admin:{quote(SECRET)}@127.0.0.1:9"  # nobody listens there
FORMS = (SECRET, quote(SECRET), "Zwerg", "admin")  # no digits: names in the store are hexadecimal
FASTER = {"data.fps": "1", "generate.steps": "1"}
QUICK = tuple(f"{key}={value}" for key, value in (dict(word.split("=") for word in SMALL) | FASTER).items())


def check_untold(store: Path, *printed: str) -> None:
    """No form of the secret in what was printed, nor in a name or a byte of the store."""
    for text in printed:
        assert not [form for form in FORMS if form in text]
    for file in store.rglob("*"):
        assert not [form for form in FORMS if form in str(file.relative_to(store))]
        if file.is_file():
            content = file.read_bytes()
            assert not [form for form in FORMS[:2] if form.encode() in content], file


def test_a_whole_run_leaves_no_byte_of_it(tmp_path: Path) -> None:
    store = tmp_path / "runs"
    words = ("ablation_eimg", "--only", "full", ONE_TRACK, *QUICK, f"tracking.uri={URI}")
    done = harness("run", *words, store=store, drawn=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "tracking: http://127.0.0.1:9 is away" in done.stderr
    (report,) = (store / "reports").iterdir()
    assert f"tracking.uri=http://127.0.0.1:9\n# {LEFT_OUT}" in (report / "reproduce.txt").read_text()
    assert LEFT_OUT in (report / "report.html").read_text()
    check_untold(store, done.stdout, done.stderr)


@pytest.mark.slow
def test_a_whole_sweep_leaves_no_byte_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publish, "PATIENCE", 0.0)
    store = tmp_path / "runs"
    words = ("injection", "--trials", "1", *QUICK, f"tracking.uri={URI}")
    done = harness("sweep", *words, store=store, drawn=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "tracking: http://127.0.0.1:9 is away" in done.stderr
    (trials,) = store.glob("sweeps/*/trials.json")
    assert "tracking.uri=http://127.0.0.1:9" in json.loads(trials.read_text())["study"]
    check_untold(store, done.stdout, done.stderr)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("sweep", "injection", *QUICK, "--storage", f"admin:{SECRET}@host"), "--storage host: expected journal:PATH"),
        (
            (
                "sweep",
                "injection",
                *QUICK,
                "--storage",
                f"postgresql+psycopg://admin:{quote(SECRET)}@127.0.0.1:9/study",
            ),
            "--storage postgresql+psycopg://admin@127.0.0.1:9/study cannot be opened",
        ),
        (("run", "ablation_eimg", URI), "cannot read 'http://127.0.0.1:9'"),
        (("run", "ablation_eimg", f"tracking.uri={URI}", f"tracking.uri={URI}"), "also to 'http://127.0.0.1:9'"),
        (("run", "ablation_eimg", f"tracking.url={URI}"), "unknown setting 'tracking.url'"),
        (("ui", "--uri", URI), "http://127.0.0.1:9 is a server"),
        (("ui", "--uri", f"admin:{SECRET}@host"), "--uri host: "),
    ],
)
def test_what_is_refused_does_not_print_it(words: tuple[str, ...], said: str, tmp_path: Path) -> None:
    done = harness(*words, store=tmp_path / "runs")
    assert done.returncode == 2
    assert said in done.stderr
    # The user's name is not secret where a database asks for it.
    check_untold(tmp_path, done.stdout, done.stderr.replace("admin@", ""))


def test_settings_and_commands_never_hold_it() -> None:
    values = parse_overrides([f"tracking.uri={URI}", "train.steps=5"])
    assert values == {"tracking.uri": "http://127.0.0.1:9", "train.steps": 5}
    variant = Variant("full", {"tracking.uri": f"http://admin:{SECRET}@variant"})
    assert variant.set == {"tracking.uri": "http://variant"}
    experiment = Experiment(name="mine", question="?", variants=(variant,), baseline="full", tracks=("consistent-50s",))
    command = Request(experiment, "mine", "tiny", overrides=values).command
    assert command.endswith(f" tracking.uri=http://127.0.0.1:9 train.steps=5\n# {LEFT_OUT}")
    assert resolve_uri("http://127.0.0.1:9", Path("runs")) == URI


class Refusing(BaseHTTPRequestHandler):
    """A server that is well, and refuses whatever is asked with the word that it was asked with."""

    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.headers.get("Authorization", ""))
        text = json.dumps({"error_code": "INVALID_PARAMETER_VALUE", "message": f"not for {SECRET} {URI}"}).encode()
        self.send_response(200 if self.path == "/health" else 400)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def refusing() -> Iterator[tuple[str, list[str]]]:
    """Host and port, and what was said of who asks."""
    handler = type("Handler", (Refusing,), {"asked": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"127.0.0.1:{server.server_port}", handler.asked  # type: ignore[attr-defined]
        finally:
            server.shutdown()


def test_the_server_is_given_it_and_its_errors_are_told_without_it(tmp_path: Path) -> None:
    said: list[str] = []
    with refusing() as (place, asked):
        uri = resolve_uri(conceal(f"http://admin:{quote(SECRET)}@{place}"), tmp_path)
        with Tracker(uri, tmp_path, "mine", said.append) as tracker:
            tracker.parent("aa", RunInfo("parent", {}, {}, {}, "why"))
    assert f"Basic {b64encode(f'admin:{SECRET}'.encode()).decode()}" in asked
    assert said
    check_untold(tmp_path, *(line.replace("admin", "") for line in said))
