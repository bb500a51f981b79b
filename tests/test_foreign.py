"""Files that others may have made: nothing in them is run, and each that is refused gets one message."""

import ast
import io
import json
import os
import pickle
import struct
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr
from pathlib import Path
from unittest.mock import patch
from zipfile import ZipFile

import numpy as np
import pytest
import torch
from safetensors.torch import save

from benchmarks.films.film import Probes
from benchmarks.weights import WeightFile
from harness.cli import main
from svi.backbones.meter import Meter
from svi.foreign import data_only, json_object
from svi.generation.reel import Reel
from svi.lora import files as lora_files
from svi.training import ranks
from svi.training.checkpoints import Checkpoints
from tests.test_architecture import sources

UNPICKLE = {"pickle", "_pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
READ = {"load", "loads", "open", "Unpickler", "read_pickle"}


def said(call: ast.Call, name: str) -> object:
    """The constant that a call gives for a keyword; None where it gives none."""
    return next((getattr(k.value, "value", ...) for k in call.keywords if k.arg == name), None)


def unpickled(source: str) -> Iterator[str]:
    """Calls that could run what a file holds."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import) and UNPICKLE & {alias.name for alias in node.names}:
            yield ast.unparse(node)
        if isinstance(node, ast.ImportFrom) and node.module in UNPICKLE and READ & {a.name for a in node.names}:
            yield ast.unparse(node)
        if isinstance(node, ast.ImportFrom) and node.module == "torch" and "load" in {a.name for a in node.names}:
            yield ast.unparse(node)
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        if (called == "torch.load" and said(node, "weights_only") is not True) or called.endswith("read_pickle"):
            yield ast.unparse(node)
        if said(node, "allow_pickle") not in (None, False) or said(node, "trust_remote_code") not in (None, False):
            yield ast.unparse(node)


def test_nothing_in_the_tree_unpickles_more_than_data() -> None:
    found = {path: calls for path, source in sources().items() if (calls := list(unpickled(source)))}
    assert found == {}


@pytest.mark.parametrize(
    "line",
    [
        "torch.load(file)",
        "torch.load(file, weights_only=False)",
        "torch.load(file, weights_only=flag)",
        "from torch import load",
        "np.load(file, allow_pickle=True)",
        "np.load(file, allow_pickle=flag)",
        "import pickle",
        "from pickle import loads",
        "import joblib",
        "pd.read_pickle(file)",
        "AutoModel.from_pretrained(folder, trust_remote_code=True)",
    ],
)
def test_such_a_line_is_found(line: str) -> None:
    assert len(list(unpickled(line))) == 1


def deepspeed_calls(source: str) -> Iterator[str]:
    """DeepSpeed's loaders that stand in no `with data_only()`; they ask `torch.load` for everything."""
    tree = ast.parse(source)
    guarded = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.With) and "data_only()" in {ast.unparse(item.context_expr) for item in node.items}
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(".load_checkpoint") and node not in guarded:
            yield ast.unparse(node)


def test_deepspeed_loads_data_alone() -> None:
    assert [call for source in sources().values() for call in deepspeed_calls(source)] == []
    assert list(deepspeed_calls("engine.load_checkpoint(folder)")) == ["engine.load_checkpoint(folder)"]
    assert list(deepspeed_calls("with data_only():\n    engine.load_checkpoint(folder)")) == []
    assert [path for path, source in sources().items() if "zero_to_fp32" in source] == ["svi/lora/checkpoints.py"]


# Hostile files


class Trap:
    """Unpickled, it leaves a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return os.mkdir, (str(self.mark),)


def zipped(trap: object) -> bytes:
    file = io.BytesIO()
    torch.save(trap, file)
    return file.getvalue()


def legacy(trap: object) -> bytes:
    file = io.BytesIO()
    torch.save(trap, file, _use_new_zipfile_serialization=False)
    return file.getvalue()


def bare(trap: object) -> bytes:
    return pickle.dumps(trap, protocol=2)  # that of torch.save: others it refuses for their form


FORMS = {"zip": zipped, "legacy": legacy, "bare": bare}


@pytest.fixture(params=FORMS)
def form(request: pytest.FixtureRequest) -> Callable[[object], bytes]:
    return FORMS[request.param]


@pytest.fixture
def mark(tmp_path: Path) -> Iterator[Path]:
    """Where a trap leaves its file; there is none at the end."""
    mark = tmp_path / "it-ran"
    yield mark
    assert not mark.exists()


def test_the_trap_works(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Trap(tmp_path / "it-ran")))
    assert (tmp_path / "it-ran").is_dir()


STEP = "step-0000003"
MODEL = "mp_rank_00_model_states.pt"


def hostile_checkpoint(folder: Path, content: bytes, names: tuple[str, ...]) -> Path:
    step = folder / "checkpoints" / STEP
    step.mkdir(parents=True)
    (folder / "checkpoints" / "latest.json").write_text(json.dumps({"name": STEP, "step": 3, "ranks": 1}))
    for name in names:
        (step / name).write_bytes(content)
    return folder


def refused(source: Path, target: Path) -> str:
    """What `harness lora` says; one message and exit code 2."""
    words, told = ["harness", "lora", str(source), str(target), "--format", "svi2"], io.StringIO()
    with (
        patch.object(sys, "argv", words),
        patch.dict(os.environ),
        redirect_stderr(told),
        pytest.raises(SystemExit) as end,
    ):
        main()
    assert end.value.code == 2
    assert told.getvalue().startswith("harness: ")
    assert not target.exists()
    return told.getvalue()


@pytest.mark.parametrize(
    "names",
    [
        (MODEL,),
        (MODEL, "zero_pp_rank_0_mp_rank_00_optim_states.pt"),
        (MODEL, "bf16_zero_pp_rank_0_mp_rank_00_optim_states.pt"),
        ("zero_pp_rank_0_mp_rank_00_model_states.pt", "zero_pp_rank_0_mp_rank_00_optim_states.pt"),
    ],
    ids=["ZeRO 0", "ZeRO 2", "ZeRO 2 in bfloat16", "ZeRO 3"],
)
def test_a_hostile_checkpoint_is_refused(
    names: tuple[str, ...], form: Callable[[object], bytes], mark: Path, tmp_path: Path
) -> None:
    source = hostile_checkpoint(tmp_path / "training", form({"module": Trap(mark)}), names)
    for place in (source, source / "checkpoints", source / "checkpoints" / STEP):
        message = refused(place, tmp_path / "out.safetensors")
        assert STEP in message
        assert "expected a whole checkpoint" in message
        assert "weights_only" not in message
        assert "Traceback" not in message


def test_only_the_optimiser_of_a_checkpoint_is_hostile(mark: Path, tmp_path: Path) -> None:
    names = (MODEL, "bf16_zero_pp_rank_0_mp_rank_00_optim_states.pt")
    whole: dict[str, object] = {"module": {}, "buffer_names": [], "param_shapes": [], "shared_params": {}}
    source = hostile_checkpoint(tmp_path / "training", zipped({"optimizer_state_dict": Trap(mark)}), names)
    torch.save(whole, source / "checkpoints" / STEP / MODEL)
    assert "posix.mkdir in a pickle, which may run any code and was not run" in refused(
        source, tmp_path / "out.safetensors"
    )


@pytest.mark.parametrize(
    "content", [b"", b"no pickle", zipped([]), zipped({"module": {"a": 1}}), zipped({"module": 3})]
)
def test_a_damaged_checkpoint_is_refused(content: bytes, tmp_path: Path) -> None:
    for number, names in enumerate([(MODEL,), (MODEL, "zero_pp_rank_0_mp_rank_00_optim_states.pt")]):
        source = hostile_checkpoint(tmp_path / str(number), content, names)
        assert "expected a whole checkpoint" in refused(source, tmp_path / "out.safetensors")


@pytest.mark.parametrize("latest", ["[]", "{}", '{"name": ["a"]}', '{"name": "../elsewhere"}', "[" * 100_000, "\xff"])
def test_a_damaged_note_of_the_last_checkpoint_is_refused(latest: str, tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "latest.json").write_bytes(latest.encode("latin-1"))
    assert "latest.json" in refused(tmp_path, tmp_path / "out.safetensors")


@pytest.mark.parametrize("name", ["lora.pt", "lora.bin", "lora.safetensors"])
def test_a_hostile_lora_is_refused(name: str, form: Callable[[object], bytes], mark: Path, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(form(Trap(mark)))
    assert name in refused(tmp_path / name, tmp_path / "out.safetensors")


def test_a_training_resumes_from_data_alone(form: Callable[[object], bytes], mark: Path, tmp_path: Path) -> None:
    """The store may be another's; DeepSpeed's own loader is asked, and the harness's file beside it."""
    from deepspeed.runtime.checkpoint_engine.torch_checkpoint_engine import TorchCheckpointEngine

    class Engine:
        def load_checkpoint(self, folder: str, tag: str, load_module_strict: bool) -> None:
            TorchCheckpointEngine().load(f"{folder}/{tag}/{MODEL}")

    ranks.join()
    source = hostile_checkpoint(tmp_path, form({"module": Trap(mark)}), (MODEL, "state-0.pt"))
    checkpoints = Checkpoints(source / "checkpoints", Engine(), None, None, Meter())  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"posix\.mkdir in a pickle.* remove .* to start again"):
        checkpoints.load()
    torch.save({"module": {}}, source / "checkpoints" / STEP / MODEL)
    with pytest.raises(ValueError, match=r"posix\.mkdir in a pickle.* remove .* to start again"):
        checkpoints.load()


def test_the_switch_is_set_back() -> None:
    switch = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"
    before = os.environ.get(switch)
    with data_only():
        assert os.environ[switch] == "1"
    assert os.environ.get(switch) == before


def test_hostile_weights_of_a_scorer_are_refused(
    form: Callable[[object], bytes], mark: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARNESS_WEIGHTS", str(tmp_path))
    (tmp_path / "net.pt").write_bytes(form({"state_dict": Trap(mark)}))
    with pytest.raises(ValueError, match=r"net\.pt: received an unreadable file"):
        WeightFile("", "net.pt", "MIT", "nowhere", root="harness").read()


def arrays(trap: Trap) -> bytes:
    """An .npz whose arrays hold objects."""
    file, array = io.BytesIO(), io.BytesIO()
    np.save(array, np.array([trap], dtype=object))
    with ZipFile(file, "w") as held:
        for name in ("names", "clip", "condition", "perturbation", "output_clean", "output_perturbed"):
            held.writestr(f"{name}.npy", array.getvalue())
    return file.getvalue()


@pytest.mark.parametrize("content", [bare, arrays])
def test_hostile_arrays_are_refused(content: Callable[[Trap], bytes], mark: Path, tmp_path: Path) -> None:
    """Of a film under way, and beside films to score."""
    work = tmp_path / "films" / "a"
    work.mkdir(parents=True)
    for name in ("handoff.npz", "probe.npz"):
        (work / name).write_bytes(content(Trap(mark)))
    np.save(work / "first.npy", np.array([Trap(mark)], dtype=object))
    reel = Reel(tmp_path, ["a"], 16)
    with pytest.raises(ValueError, match="pickle"):
        reel.resume()
    with pytest.raises(ValueError, match="Python objects"):
        reel.kept()
    with pytest.raises(ValueError, match="pickle"):
        Probes(work / "probe.npz", 1)


# LoRAs that are amiss


Q = "blocks.0.self_attn.q"


def safetensors(header: dict[str, object] | bytes, data: bytes = b"", length: int | None = None) -> bytes:
    head = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(head) if length is None else length) + head + data


def halves(a: list[int], b: list[int], more: dict[str, object] | None = None, block: str = "0") -> bytes:
    sizes = [4 * int(np.prod(shape)) for shape in (a, b)]
    tensors: dict[str, object] = {
        f"blocks.{block}.self_attn.q.lora_A.default.weight": {
            "dtype": "F32",
            "shape": a,
            "data_offsets": [0, sizes[0]],
        },
        f"blocks.{block}.self_attn.q.lora_B.default.weight": {
            "dtype": "F32",
            "shape": b,
            "data_offsets": [sizes[0], sum(sizes)],
        },
    }
    return safetensors({**tensors, **(more or {})}, bytes(sum(sizes)))


def with_alpha(alpha: torch.Tensor) -> bytes:
    ab = {f"{Q}.lora_A.default.weight": torch.ones(2, 8), f"{Q}.lora_B.default.weight": torch.ones(8, 2)}
    whole: bytes = save({**ab, f"{Q}.alpha": alpha})
    return whole


def diffusers_header(config: object) -> bytes:
    return halves([2, 8], [8, 2], {"__metadata__": {"lora_adapter_metadata": json.dumps(config)}})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (halves([0, 8], [8, 0]), r"of a rank from 1 on; received blocks\.0\.attn1\.to_q \(A \[0, 8\], B \[8, 0\]\)"),
        (halves([], []), r"of a rank from 1 on; received blocks\.0\.attn1\.to_q \(A \[\], B \[\]\)"),
        (halves([2, 0], [0, 2]), r"another shape have blocks\.0\.attn1\.to_q"),
        (halves([2, 8], []), r"another shape have blocks\.0\.attn1\.to_q"),
        (halves([2, 8], [8, 2], block="9999"), "missing in its 10000 blocks"),
        (halves([2, 8], [8, 2], block="999999999"), "none of its 2 keys matches"),
        (halves([2, 8], [8, 2], block="9" * 5000), "none of its 2 keys matches"),
        (with_alpha(torch.tensor(float("nan"))), r"expected finite alphas; received blocks\.0\.attn1\.to_q \(nan\)"),
        (with_alpha(torch.tensor(float("inf"))), r"expected finite alphas; received blocks\.0\.attn1\.to_q \(inf\)"),
        (with_alpha(torch.ones(2)), r"alpha as one number a module; received blocks\.0\.attn1\.to_q \[2\]"),
        (diffusers_header([1]), "header lora_adapter_metadata: received a list, expected a JSON object"),
        (diffusers_header({"r": 2, "lora_alpha": float("nan")}), "received alpha nan, expected a finite number"),
        (diffusers_header({"r": [2], "lora_alpha": 2}), "names no rank r and lora_alpha"),
        (diffusers_header({"r": float("inf"), "lora_alpha": 2}), "names no rank r and lora_alpha"),
        (safetensors(b"{}", length=2**62), "is no safetensors file, or is damaged"),
        (safetensors(b"{}", length=10**9), "is no safetensors file, or is damaged"),
        (safetensors(b"[]"), "is no safetensors file, or is damaged"),
        (safetensors({"__metadata__": {"a": ["list"]}}), "is no safetensors file, or is damaged"),
        (safetensors({"a": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}}), "is no safetensors file"),
    ],
)
def test_an_odd_lora_file_is_refused(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "odd.safetensors").write_bytes(content)
    with pytest.raises(ValueError, match=message) as error:
        lora_files.read(tmp_path / "odd.safetensors")
    assert "odd.safetensors" in str(error.value)
    refused(tmp_path / "odd.safetensors", tmp_path / "out.safetensors")


@pytest.mark.parametrize(
    "config",
    ["[]", "3", "null", "[" * 100_000, '{"r": Infinity, "lora_alpha": 2}', '{"r": 2, "lora_alpha": NaN}', "\xff"],
)
def test_an_odd_adapter_config_is_refused(config: str, tmp_path: Path) -> None:
    (tmp_path / "peft").mkdir()
    (tmp_path / "peft" / "adapter_model.safetensors").write_bytes(halves([2, 8], [8, 2]))
    (tmp_path / "peft" / "adapter_config.json").write_bytes(config.encode("latin-1"))
    refused(tmp_path / "peft", tmp_path / "out.safetensors")


@pytest.mark.parametrize(
    "manifest", ["[]", "null", '{"kind": "train"}', '{"kind": "train", "signature": 1, "identity": []}']
)
def test_an_odd_manifest_beside_a_lora_is_refused(manifest: str, tmp_path: Path) -> None:
    (tmp_path / "lora.safetensors").write_bytes(halves([2, 8], [8, 2]))
    (tmp_path / "manifest.json").write_text(manifest)
    assert "manifest.json" in refused(tmp_path / "lora.safetensors", tmp_path / "out.safetensors")


@pytest.mark.parametrize("text", ["[]", '"text"', "null", "{", "[" * 100_000])
def test_what_is_no_object_is_said(text: str) -> None:
    with pytest.raises(ValueError, match=r"note: received a|note cannot be read"):
        json_object(text, "note")
