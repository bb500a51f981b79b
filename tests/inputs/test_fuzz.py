"""Any bytes at all: a parser gives what it read, or the project's own refusal; never another error, never a hang."""

import json
import struct
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from benchmarks.samples import read_prompts
from harness.core.errors import UseError
from harness.core.registry import Registry
from harness.core.store import MANIFEST, Store, read_manifest
from harness.core.text import LONGEST_MESSAGE, one_line
from harness.declare.files import load_declared
from harness.declare.settings import Settings
from harness.declare.spec import parse_overrides, parse_seeds, resolve
from harness.results.runs import RECORDS, RunRecord, runs
from svi.data.folder import read_captions
from svi.foreign import read_object
from svi.lora import files as lora_files
from tests.inputs.files import BRACKETS, GIBBERISH

REFUSALS = (ValueError, UseError)
MANY = settings(max_examples=200)
FEW = settings(max_examples=50)  # of what takes long to draw, or to read
# Text that is nearly what a parser wants finds more than bytes alone do.
SIGNS = st.text(st.sampled_from("""[](){}'",;:=#\\ntfx01ud_-+*.\0\t \nprompts é\ufeff\u2028"""), max_size=60)
CONTENTS = st.one_of(st.binary(max_size=300), SIGNS.map(lambda text: text.encode("utf-8")))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


def survives(read: Callable[[Path], object], name: str, content: bytes) -> object:
    """What a reader makes of a file of that content; None where it refuses it."""
    with TemporaryDirectory() as folder:
        file = Path(folder, name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        try:
            return read(file)
        except REFUSALS as error:
            refused = error
    assert type(refused) in (ValueError, UseError), repr(refused)  # the project's own words, not a decoder's
    assert str(refused)
    return None


@MANY
@given(CONTENTS)
@example(b"prompts = " + BRACKETS.encode())
@example(b"prompts = ['\\ud800']")
@example(b"prompts = ['a\\x00b']")
@example(b"prompts = [" + b"-" * 60_000 + b"1]")
@example(b"prompts = ['a'" + b" 'a'" * 20_000 + b"]")
@example(GIBBERISH)
def test_prompts(content: bytes) -> None:
    prompts = survives(read_prompts, "prompt.txt", content)
    assert prompts is None or (isinstance(prompts, tuple) and prompts)
    for prompt in prompts or ():
        assert prompt.strip()
        assert "\0" not in prompt
        prompt.encode()


@MANY
@given(CONTENTS)
@example(b"Filename,Video Description\na,b,c,d\n")
@example(b"Filename,Video Description\na\n")
@example(b"Filename,Video Description\n" + b'"' * 200_000)
@example(b"Filename,Filename,Video Description\n\0,\0,\0\n")
@example(GIBBERISH)
def test_captions(content: bytes) -> None:
    captions = survives(read_captions, "captions.csv", content)
    assert captions is None or all(isinstance(word, str) for pair in captions.items() for word in pair)


@FEW
@given(
    st.lists(st.text(max_size=40) | SIGNS | st.sampled_from(["train.steps=" + "9" * 5000, "a=" + BRACKETS]), max_size=3)
)
def test_overrides(texts: list[str]) -> None:
    said = ""
    try:
        values = parse_overrides(texts)
        resolve(Settings, [("command line", values)])
    except UseError as error:
        said = str(error)
    assert len(one_line(said)) <= LONGEST_MESSAGE


@MANY
@given(
    st.sampled_from(["train.steps", "train.lr", "train.enabled", "data.path", "condition.padding", "slurm.cpus"]),
    JSON | SIGNS,
)
def test_a_value_of_a_setting(key: str, value: object) -> None:
    """As a file of one's own may give it: any value that Python has."""
    said = None
    try:
        resolve(Settings, [("variant full", {key: value})])
    except UseError as error:
        said = str(error)
    assert key in said if said is not None else not isinstance(value, list | dict)


@MANY
@given(st.text(max_size=30) | st.text("0123456789,_ -+.e", max_size=30) | st.integers(min_value=0).map(str))
@example("1000000")
@example(f"{2**70},")
@example("9" * 5000)
@example("1,1")
def test_seeds(text: str) -> None:
    try:
        seeds = parse_seeds(text)
    except UseError:
        return
    assert 1 <= len(seeds) <= 1000
    assert all(0 <= seed < 2**53 for seed in seeds)


HEADERS = st.one_of(
    JSON.map(lambda value: json.dumps(value).encode()),
    st.dictionaries(
        st.sampled_from(
            [
                "blocks.0.self_attn.q.lora_A.weight",
                "blocks.0.self_attn.q.lora_B.weight",
                "blocks.0.self_attn.q.alpha",
                "lora_unet_blocks_0_self_attn_q.lora_down.weight",
                "diffusion_model.blocks.0.diff",
                "__metadata__",
            ]
        ),
        st.one_of(
            st.fixed_dictionaries(
                {
                    "dtype": st.sampled_from(["F32", "F16", "BF16", "I64", "F8_E4M3", "X"]),
                    "shape": st.lists(st.integers(-1, 4), max_size=3),
                    "data_offsets": st.lists(st.integers(0, 64), min_size=2, max_size=2),
                }
            ),
            JSON,
        ),
        max_size=4,
    ).map(lambda value: json.dumps(value).encode()),
    st.binary(max_size=80),
)


@FEW
@given(HEADERS, st.binary(max_size=64), st.none() | st.integers(0, 2**64 - 1))
@example(BRACKETS.encode(), b"", None)
def test_lora_headers(header: bytes, data: bytes, length: int | None) -> None:
    content = struct.pack("<Q", len(header) if length is None else length) + header + data
    found = survives(lora_files.read, "lora.safetensors", content)
    assert found is None or found.modules


@FEW
@given(CONTENTS | JSON.map(lambda value: json.dumps(value).encode()))
@example(BRACKETS.encode())
@example(b"\xff\xfe")
def test_objects_and_manifests(content: bytes) -> None:
    for name, read in ((MANIFEST, lambda file: read_manifest(file.parent)), ("a.json", read_object)):
        found = survives(read, name, content)
        assert found is None or isinstance(found, dict)


RECORD = {
    "name": "mine", "experiment": "a", "source": "a", "profile": "tiny", "recipes": [], "overrides": {}, "only": None,
    "variants": ["full"], "tracks": ["t"], "seeds": [0], "command": "x", "begun": "2026-01-01T00:00:00+00:00", "report": "ab",
    "stages": [], "finished": None,
}  # fmt: skip


@FEW
@given(st.dictionaries(st.sampled_from(sorted(RECORD)) | st.text(max_size=5), JSON, max_size=3))
@example({"name": "../../up"})
@example({"begun": "yesterday"})
def test_records_of_runs(changes: dict[str, object]) -> None:
    with TemporaryDirectory() as folder:
        Store(Path(folder))
        (Path(folder) / RECORDS).mkdir()
        (Path(folder) / RECORDS / "mine.json").write_text(json.dumps({**RECORD, **changes}))
        try:
            found = runs(Path(folder))
        except UseError:
            return
        assert [one.name for one in found] == ["mine"]


@settings(max_examples=60)
@given(st.binary(max_size=120) | SIGNS.map(lambda text: text.encode("utf-8")))
@example(b"x = " + BRACKETS.encode())
@example(b"x = " + b"-" * 60_000 + b"1")
@example(b"raise SystemExit(3)")
@example(b"raise KeyError()")
@example(b"\0")
def test_files_of_ones_own(content: bytes) -> None:
    def read(file: Path) -> object:
        return load_declared(f"{file}:mine", Registry[RunRecord]("experiment"), RunRecord, "declare one")

    assert survives(read, "mine.py", content) is None


@MANY
@given(st.text(max_size=400) | SIGNS)
@example("\x1b[2J")
@example("a" * 10_000)
@example("a " * 10_000)
@example("\udcff")
def test_a_message_is_one_line_that_no_terminal_obeys(text: str) -> None:
    said = one_line(text)
    assert len(said) <= LONGEST_MESSAGE
    assert all(sign.isprintable() or sign.isspace() for sign in said)
    assert "\n" not in said
    said.encode()


@pytest.mark.parametrize("name", ["a", "a.b-c_d", "x" * 80])
def test_a_good_name_is_taken(name: str) -> None:
    from harness.core.names import check_name

    assert check_name("a run", name) == name


@MANY
@given(st.text(max_size=100))
@example("../../up")
@example("a/b")
@example("a\n")
@example("n" * 300)
def test_a_name_never_leads_out_of_its_folder(name: str) -> None:
    from harness.core.names import check_name

    try:
        check_name("a run", name)
    except UseError:
        return
    assert Path("/store", name).resolve().parent == Path("/store")
    assert len(name.encode()) <= 80
