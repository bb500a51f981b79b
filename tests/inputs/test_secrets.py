"""What the environment keeps secret reaches no byte of a store, no log, no page, nothing that is printed."""

import gzip
import zlib
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.harness.small import ONE_TRACK, SMALL, harness

CANARY = "c4n4ry-{}-q7#z"
NAMES = (
    "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN",
    "OPENAI_API_KEY", "AWS_SECRET_ACCESS_KEY", "AZURE_STORAGE_ACCESS_KEY", "PGPASSWORD", "GITHUB_TOKEN", "WANDB_API_KEY",
)  # fmt: skip
SECRETS = {name: CANARY.format(name.lower()) for name in NAMES}
PASSWORD = CANARY.format("uri")
URI = f"http://someone:{quote(PASSWORD)}@127.0.0.1:9"  # nobody listens there
FILE = """
from harness import Variant, experiment


@experiment(baseline="full", tracks=("consistent-50s",), trivial=False)
def mine():
    \"\"\"Does a stage that fails say them?\"\"\"
    yield Variant("full", {"method.objective": "%s:Fails"})
"""
FAILS = """
import os

import pytest

from svi.objectives.error_recycling import ErrorRecycling


class Fails(ErrorRecycling):
    \"\"\"Ends with an error, whose traceback is kept.\"\"\"

    def losses(self, *given):
        environment = dict(os.environ)
        raise RuntimeError(f"with {len(environment)} variables")
"""


def told(place: str, content: bytes) -> list[str]:
    """The secrets in some bytes, as they are, as addresses spell them, and packed."""
    contents = [content]
    if content.startswith(b"\x1f\x8b"):
        contents.append(gzip.decompress(content))
    forms = {one.encode() for secret in (*SECRETS.values(), PASSWORD) for one in (secret, quote(secret))}
    return [f"{form.decode()} in {place}" for form in forms for one in contents if form in one]


def told_anywhere(folder: Path, *printed: str) -> list[str]:
    """In the names and bytes of all files of a folder, and in what was printed."""
    found = [one for text in printed for one in told("what was printed", text.encode())]
    for file in folder.rglob("*"):
        found += told("a name", str(file.relative_to(folder)).encode())
        found += told(str(file), file.read_bytes()) if file.is_file() else []
    return found


@pytest.mark.slow
def test_a_run_tells_none_of_them(tmp_path: Path) -> None:
    """A whole run that ends well, a page and a database written."""
    store = tmp_path / "runs"
    words = ("run", "ablation_eimg", "--only", "full", ONE_TRACK, *SMALL)
    done = harness(*words, store=store, variables=SECRETS)
    assert done.returncode == 0, done.stderr[-2000:]
    assert (store / "mlflow.db").is_file()
    assert len([file for file in store.rglob("*") if file.is_file()]) > 50
    assert told_anywhere(store, done.stdout, done.stderr) == []


def test_a_run_that_fails_tells_none_of_them(tmp_path: Path) -> None:
    """A traceback is kept of it, and a server is named that is away."""
    store = tmp_path / "runs"
    (tmp_path / "fails.py").write_text(FAILS)
    (tmp_path / "mine.py").write_text(FILE % (tmp_path / "fails.py"))
    words = ("run", f"{tmp_path / 'mine.py'}:mine", *SMALL, f"tracking.uri={URI}")
    done = harness(*words, store=store, variables=SECRETS)
    assert done.returncode != 0
    assert "variables" in done.stderr
    assert list(store.glob("partial/train-*/error.json"))
    assert told_anywhere(store, done.stdout, done.stderr) == []


def test_commands_that_tell_of_the_machine_tell_none_of_them(tmp_path: Path) -> None:
    store = tmp_path / "runs"
    assert harness("plan", "ablation_eimg", store=store, variables=SECRETS).returncode == 0
    for words in (("doctor",), ("doctor", "packages", "devices", "space", "--json"), ("status",), ("runs", "list")):
        done = harness(*words, store=store, variables=SECRETS)
        assert told_anywhere(store, done.stdout, done.stderr) == [], words


def test_a_secret_that_is_told_would_be_found(tmp_path: Path) -> None:
    secret = SECRETS["HF_TOKEN"]
    (tmp_path / "a.gz").write_bytes(gzip.compress(secret.encode()))
    (tmp_path / "b").write_bytes(quote(secret).encode())
    (tmp_path / quote(secret, safe="")).write_bytes(zlib.compress(b""))
    assert len({one.partition(" in ")[2] for one in told_anywhere(tmp_path, f"it is {secret}")}) == 4
