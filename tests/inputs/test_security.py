"""Nothing that comes from a file is run, leads out of its folder, or acts in what is shown of it."""

import ast
import csv
import io
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

from harness.commands import ui
from harness.commands.replay import replayed
from harness.core.errors import UseError
from harness.core.store import Store
from reports.page.page import page
from reports.tables.text import csv as csv_of
from reports.tables.text import inert, latex, markdown
from svi.data.folder import video_files
from svi.preparation import prepare
from tests.inputs.files import replay
from tests.reports.report_frames import report, rows
from tests.test_architecture import sources

# Calls that run a text, or a program by a shell's line, or unpack what names its own places.
RUNS_TEXT = {
    "eval", "exec", "compile", "__import__", "os.system", "os.popen", "commands.getoutput", "subprocess.getoutput",
    "subprocess.getstatusoutput", "runpy.run_path", "runpy.run_module", "yaml.load", "yaml.unsafe_load", "yaml.full_load",
    "tempfile.mktemp", "ssl._create_unverified_context", "shutil.unpack_archive",
}  # fmt: skip
UNPACKS = {"extractall", "extract"}
# A person's own file is run, as a script is: that is what FILE.py:NAME asks for.
ALLOWED = {("harness/declare/files.py", "runpy.run_path")}


def run_texts(source: str) -> Iterator[str]:
    """The calls of a file that the test below forbids."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        shell = any(one.arg == "shell" and getattr(one.value, "value", ...) is not False for one in node.keywords)
        unverified = any(one.arg == "verify" and getattr(one.value, "value", ...) is False for one in node.keywords)
        if called in RUNS_TEXT or called.rpartition(".")[2] in UNPACKS or shell or unverified:
            yield called


def test_nothing_in_the_tree_runs_a_text() -> None:
    """The pickles are tests/test_foreign.py's matter."""
    found = {(path, call) for path, source in sources().items() for call in run_texts(source)}
    assert found == ALLOWED


@pytest.mark.parametrize(
    "line",
    [
        "eval(text)",
        "exec(text)",
        "compile(text, '', 'exec')",
        "os.system(line)",
        "os.popen(line)",
        "subprocess.run(line, shell=True)",
        "subprocess.Popen(line, shell=flag)",
        "subprocess.getoutput(line)",
        "yaml.load(text)",
        "zip.extractall(folder)",
        "tarfile.open(file).extract(member)",
        "requests.get(url, verify=False)",
    ],
)
def test_such_a_line_is_found(line: str) -> None:
    assert len(list(run_texts(line))) == 1


def test_a_harmless_line_is_not_found() -> None:
    assert (
        list(run_texts("model.eval(); torch.compile(model); re.compile(text); subprocess.run(words, shell=False)"))
        == []
    )


# Servers


def test_no_server_of_ours_listens_to_other_machines() -> None:
    assert ui.HOST == "127.0.0.1"
    words = ui._command(Path("/runs"), 5000)
    assert words[words.index("--host") + 1] == ui.HOST
    anywhere = {
        path
        for path, source in sources().items()
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Constant) and node.value in ("0.0.0.0", "::")
    }
    assert anywhere == set()


@pytest.mark.parametrize("value", ["evil.py:X", "clips, evil.py", "evil.py"])
def test_a_film_that_was_received_runs_no_file(value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "evil.py").write_text("open('ran', 'w').close()")
    (tmp_path / "settings.json").write_text(json.dumps(replay({"method.generation": value})))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UseError, match="a replay never does"):
        replayed(tmp_path / "settings.json", Store(tmp_path / "runs"))
    assert not (tmp_path / "ran").exists()


# Names that data gives


def test_a_name_in_a_table_of_captions_adds_no_file(tmp_path: Path) -> None:
    """A table only gives captions to files that are there: what it names is never opened."""
    (tmp_path / "outside.mp4").write_bytes(b"not theirs")
    folder = tmp_path / "videos"
    folder.mkdir()
    (folder / "a.mp4").write_bytes(b"")
    names = ("../outside.mp4", str(tmp_path / "outside.mp4"), "a.mp4/../../outside.mp4")
    table = "Filename,Video Description\n" + "".join(f"{name},a caption\n" for name in names)
    (folder / "captions.csv").write_text(table)
    assert [(one.name, one.captioned) for one in video_files(folder)] == [("a.mp4", False)]


# What reports write

SCRIPT = "<script>alert(1)</script>"
HOSTILE = (
    SCRIPT,
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-2+3",
    "@SUM(A1)",
    "\t=1",
    r"\input{/etc/passwd}",
    "a|b",
    "[x](javascript:1)",
    "$x$",
)


class Tags(HTMLParser):
    """Every element of a page, and every address that it leads to."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [
            value or "" for name, value in attrs if name in ("href", "src", "action") or name.startswith("on")
        ]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_does_nothing_in_a_report(text: str) -> None:
    """As a variant, a sample, a question, a caption and a command."""
    names = ("full", text)
    frame = pd.concat(
        [rows(name, "background_psnr", [20.0, 21.0, 22.0, 23.0], sample=text) for name in names], ignore_index=True
    )
    variants: dict[str, dict[str, object]] = {"full": {}, text: {"train.steps": 1}}
    about = {
        "question": text,
        "caption": text,
        "reproduce": text,
        "provenance": {text: text},
        "tracks": ["consistent-50s"],
    }
    made = report(frame, variants=variants, seeds=[0], compare_to=(), **about)

    html = Tags()
    html.feed(page(made, lambda path: path.name))
    assert html.tags.count("script") <= 1  # its own
    assert not [one for one in html.addresses if one.startswith(("javascript", "alert"))]

    assert not re.search(r"(?<!\\)<script", markdown(made))
    assert not re.search(r"(?<!\\)\[x\]\(javascript", markdown(made))

    tex = latex(made)
    assert r"\input" not in tex

    cells = [cell for row in csv.reader(io.StringIO(csv_of(made.frame))) for cell in row]
    assert text in cells or f"'{text}" in cells
    assert not [cell for cell in cells if cell != inert(cell)]


@pytest.mark.parametrize("text", ["=1", "+1+1", "-2+3+cmd|'x'!A0", "@x", "\t=1", "\r=1", "-x"])
def test_what_would_be_a_formula_is_shown(text: str) -> None:
    assert inert(text) == prepare.inert(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "-", "full", "-1.5", "+3", "1e-3", "a=b"])
def test_what_is_none_stays_as_it_is(text: str) -> None:
    assert inert(text) == prepare.inert(text) == text
