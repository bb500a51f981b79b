"""Pickles of others: what data they hold is read as Python would read it, and nothing in them runs."""

import builtins
import os
import pickle
import pickletools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import torch

from svi.data.pickles import read_pickled

MATRIX = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
TENSOR = torch.arange(24.0).reshape(4, 6)


def read(tmp_path: Path, content: bytes) -> Any:
    file = tmp_path / "data.pkl"
    file.write_bytes(content)
    return read_pickled(file)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize(
    "value",
    [
        {"000000.jpg": b"\xff\xd8\xff", "000001.jpg": b""},
        (1, -(2**80), 2.5, True, False, None, "é", [], {}, (), (1, 2, 3, 4)),
        [{"a": [1.0, (2, "x")]}] * 3,
    ],
)
def test_plain_data_of_every_protocol(tmp_path: Path, value: Any, protocol: int) -> None:
    assert read(tmp_path, pickle.dumps(value, protocol)) == value


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize(
    "array",
    [
        MATRIX,
        np.asfortranarray(MATRIX),
        MATRIX[:, ::2],
        MATRIX.astype(">i2"),
        np.array([True, False]),
        np.zeros((0, 3), np.uint8),
        np.float64(1.5),
    ],
)
def test_arrays_of_every_protocol(tmp_path: Path, array: Any, protocol: int) -> None:
    found = read(tmp_path, pickle.dumps(array, protocol))
    assert found.dtype == array.dtype
    assert found.shape == array.shape
    assert (found == array).all()


def test_arrays_of_one_pickle_keep_their_own_types(tmp_path: Path) -> None:
    orders = [MATRIX.astype("<i2"), MATRIX.astype(">i2"), MATRIX.astype("<i2")]
    found = read(tmp_path, pickle.dumps([*orders, orders[1]], 2))
    assert [array.dtype.str for array in found] == ["<i2", ">i2", "<i2", ">i2"]
    assert all((array == MATRIX).all() for array in found)
    assert found[3] is found[1]


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
@pytest.mark.parametrize(
    "tensor", [TENSOR, TENSOR.T, TENSOR[1:, 2:4], TENSOR.bfloat16(), TENSOR.long(), TENSOR.clone().requires_grad_()]
)
def test_tensors_become_arrays(tmp_path: Path, tensor: torch.Tensor, protocol: int) -> None:
    found = read(tmp_path, pickle.dumps(tensor, protocol))
    assert isinstance(found, np.ndarray)
    assert (torch.from_numpy(np.array(found)) == tensor.detach()).all()
    assert found.dtype == (np.int64 if tensor.dtype == torch.int64 else np.float32)


def test_names_of_old_and_new_numpy(tmp_path: Path) -> None:
    content = pickle.dumps(MATRIX, 2)
    assert b"numpy._core.multiarray" in content
    assert (read(tmp_path, content.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")) == MATRIX).all()


# What runs code when Python's own machine reads it.

RAN: list[str] = []


def ran(*_: object) -> None:
    RAN.append("ran")


class Calls:
    """Reduces to a call."""

    def __init__(self, target: Callable[..., Any], *arguments: Any) -> None:
        self.call = (target, arguments)

    def __reduce__(self) -> Any:
        return self.call


class Takes:
    """Takes its state by a method of its own."""

    def __setstate__(self, state: Any) -> None:
        ran()


def taking() -> Takes:
    made = Takes()
    made.__dict__["x"] = 1
    return made


class Subclass(dict[str, bytes]):
    """Data in look."""


def spliced(content: bytes, old: bytes, new: bytes) -> bytes:
    assert content.count(old) == 1
    return content.replace(old, new)


ME = __name__.encode()
CALL = b"c" + ME + b"\nran\n(tR"  # GLOBAL, MARK, TUPLE, REDUCE
ARRAY = pickle.dumps(MATRIX, 2)
RECONSTRUCT = b"cnumpy._core.multiarray\n_reconstruct\n"


def inside_torch() -> bytes:
    """A tensor whose numbers are a file of PyTorch's that is a pickle of a call."""
    content = pickle.dumps(Calls(ran), 2)
    return b"\x80\x02ctorch.storage\n_load_from_bytes\nB" + len(content).to_bytes(4, "little") + content + b"\x85R."


HOSTILE: dict[str, tuple[bytes, str]] = {
    "reduce": (pickle.dumps(Calls(ran), 2), "test_pickles.ran"),
    "reduce, stack global": (pickle.dumps(Calls(ran), 4), "test_pickles.ran"),
    "os.system": (b"cposix\nsystem\n(S'true'\ntR.", "posix.system"),
    "eval": (pickle.dumps(Calls(eval, "RAN.append('ran')"), 2), "builtin__.eval"),
    "getattr": (pickle.dumps(Calls(getattr, {}, "clear"), 5), "builtins.getattr"),
    "a dotted name": (b"\x80\x04\x8c\x05numpy\x8c\x12ndarray.__class__.\x93(tR.", r"numpy.ndarray.__class__"),
    "inst": (b"(i" + ME + b"\nran\n.", "made by a call \\(INST of .*test_pickles.ran"),
    "obj": (b"(c" + ME + b"\nran\no.", "test_pickles.ran"),
    "build": (pickle.dumps(taking(), 2), "Takes|_reconstructor|__newobj__"),
    "build with __setstate__, protocol 0": (pickle.dumps(taking(), 0), "copy_reg._reconstructor"),
    "a subclass of dict": (pickle.dumps(Subclass(a=b""), 5), "test_pickles.Subclass"),
    "extension": (b"\x80\x02\x82\x01)R.", "EXT1"),
    "persistent": (b"Pname\n.", "PERSID"),
    "behind numpy's reconstruct": (ARRAY[:-1] + b"0" + CALL + b".", "test_pickles.ran"),
    "in place of numpy's reconstruct": (
        spliced(ARRAY, RECONSTRUCT, b"c" + ME + b"\nran\n"),
        "test_pickles.ran",
    ),
    "as the class that numpy reconstructs": (
        spliced(ARRAY, b"cnumpy\nndarray\n", b"c" + ME + b"\nTakes\n"),
        "test_pickles.Takes",
    ),
    "as an array's state": (pickle.dumps(MATRIX, 2)[:-2] + CALL + b"b.", "test_pickles.ran"),
    "an array of objects": (pickle.dumps(np.array([Calls(ran)], object), 5), "numpy type 'O8'"),
    "a compound array": (pickle.dumps(np.zeros(2, [("a", "f4")]), 5), "numpy type 'V4'"),
    "by way of the memo": (b"\x80\x02c" + ME + b"\nran\nq\x000h\x00)R.", "test_pickles.ran"),
    "a name kept as data": (b"\x80\x02]cnumpy\ndtype\na.", "numpy.dtype"),
    "a name's state": (b"\x80\x02cnumpy\ndtype\n}U\x01aK\x01sb.", "a state for numpy.dtype"),
    "a state for data": (b"\x80\x02}}U\x01aK\x01sb.", "a state for a dict"),
    "a call of data": (b"\x80\x02U\x06system)R.", "a call of a str"),
    "numpy's class, called": (b"\x80\x02cnumpy\nndarray\nK\x01\x85\x85R.", "a call of numpy.ndarray"),
    "an array left empty": (b"\x80\x02" + RECONSTRUCT + b")R.", "never filled"),
    "a set": (pickle.dumps({1}, 4), "EMPTY_SET"),
    "an array of a negative length": (
        spliced(ARRAY, b"(K\x01K\x02K\x03K\x04\x87", b"(K\x01J\xff\xff\xff\xffK\x03K\x04\x87"),
        r"an array of shape \(-1, 3, 4\)",
    ),
    "inside a tensor": (inside_torch(), "a tensor that is more than data"),
    "tuples in tuples as a key": (b"\x80\x02})" + b"\x85" * 200_000 + b"K\x01s.", "a tuple as the key"),
}


@pytest.fixture
def nothing_runs() -> Iterator[None]:
    """Fails where anything of what hostile pickles name was called, or a file's own name was looked up."""
    RAN.clear()
    names = [(os, "system"), (builtins, "eval"), (builtins, "exec"), (pickle, "loads"), (pickle, "load")]
    calls = []
    for module, name in names:
        patched = patch.object(module, name, side_effect=AssertionError(f"{name} was called"))
        calls.append(patched.start())
    yield
    patch.stopall()
    assert RAN == []
    assert not any(call.called for call in calls)


@pytest.mark.parametrize("name", HOSTILE)
def test_nothing_runs(tmp_path: Path, name: str, nothing_runs: None) -> None:
    content, named = HOSTILE[name]
    with pytest.raises(ValueError, match=named) as refused:
        read(tmp_path, content)
    assert str(tmp_path / "data.pkl") in str(refused.value)
    assert "\n" not in str(refused.value)


def test_the_hostile_ones_do_run_where_python_reads_them() -> None:
    """Else the test above would show nothing."""
    for name in ("reduce", "eval", "inst", "obj", "build", "behind numpy's reconstruct", "by way of the memo"):
        RAN.clear()
        with patch.object(builtins, "RAN", RAN, create=True):
            pickle.loads(HOSTILE[name][0])
        assert RAN == ["ran"], name


@pytest.mark.parametrize("cut", range(0, len(ARRAY), 7))
def test_a_pickle_cut_short_is_a_message(tmp_path: Path, cut: int) -> None:
    with pytest.raises(ValueError, match=r"data\.pkl: received no whole pickle"):
        read(tmp_path, ARRAY[:cut])


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x02\x8e" + (2**62).to_bytes(8, "little") + b".",  # bytes without end
        b"\x80\x02r\xff\xff\xff\xff.",  # a place in the memory far behind the others
        b"\x80\x02\x8a\xffx.",
        b"not a pickle",
        b".",
        b"\x80\x02(" + b"e" * 9 + b".",
    ],
)
def test_what_is_no_pickle_is_a_message(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ValueError, match=r"data\.pkl: received"):
        read(tmp_path, content)


def test_a_tensor_may_not_ask_for_more_numbers_than_it_has(tmp_path: Path) -> None:
    """Strides of 0 would make a terabyte of four bytes."""
    content = pickle.dumps(TENSOR, 2)
    size = pickle.dumps((4, 6), 2)[2:-1].split(b"q")[0]
    huge = b"J" + (2**30).to_bytes(4, "little") + b"K\x06\x86"
    with pytest.raises(ValueError, match="a tensor of shape"):
        read(tmp_path, spliced(content, size, huge))


def test_what_names_itself_often_is_read_once(tmp_path: Path) -> None:
    """Lists of ten times the list before, 40 deep: 10^40 items for whoever walks them all."""
    value: list[Any] = [1]
    for _ in range(40):
        value = [value] * 10
    found = read(tmp_path, pickle.dumps(value))
    assert len(found) == 10
    assert all(item is found[0] for item in found)


def test_every_instruction_of_a_pickle_is_known_or_refused_by_name(tmp_path: Path) -> None:
    """None of Python's leads to an AttributeError, or to a method of the machine that is no instruction."""
    for opcode in pickletools.opcodes:
        with pytest.raises(ValueError, match=r"data\.pkl: received"):
            read(tmp_path, opcode.code.encode("latin-1"))
