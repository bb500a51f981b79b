"""Pickles of others, as which the authors of Stable Video Infinity keep training data, read without running anything.

A pickle is a program for a small stack machine. Python's own machine calls whatever the program names; the one here works through
the same instructions (`pickletools`), but calls nothing: it knows a few names, those that plain arrays are stored under, and puts
the array together itself.
"""

import io
import math
import re
from collections.abc import Callable
from mmap import ACCESS_READ, mmap
from pathlib import Path
from pickletools import genops
from typing import IO, Any, NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray

Array = NDArray[Any]
KEYS = (str, bytes, int)
VALUES = (str, bytes, bytearray, int, float, type(None), np.generic, np.ndarray)
_NUMBERS = re.compile(r"[?]|[biufc]\d+")  # numpy's names of types of numbers
_PUSHED = {
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
    *("STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
}
_NEW: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_TUPLE": tuple,
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
}
_ASIDE = {"PROTO", "FRAME"}
_MADE_BY_CALLS = {"NEWOBJ", "NEWOBJ_EX", "OBJ", "INST", "PERSID", "BINPERSID", "EXT1", "EXT2", "EXT4"}


class Refused(ValueError):
    """What a pickle names or asks for that is no data, on one line."""


class Name(NamedTuple):
    """A name that a pickle may hold: it stands for itself, and is nothing that could be called."""

    module: str
    name: str


class Unfilled(NamedTuple):
    """An array or type of numbers, of which the instruction that follows says the rest."""

    fill: Callable[..., Any]
    memo: list[int]  # where the machine remembers it


def read_pickled(file: Path) -> Any:
    """What a pickle holds, of any protocol: bytes, texts, numbers, None, tuples, lists and dicts of them, and arrays of numbers.

    A torch tensor is given as an array, bfloat16 as float32; arrays may be read-only. Nothing in the file is run. Raises
    ValueError, which names what was found, for a file that holds anything else, or cannot be read.
    """
    try:
        with file.open("rb") as opened, mmap(opened.fileno(), 0, access=ACCESS_READ) as content:
            return _checked(_Machine().run(content))
    except Refused as error:
        raise ValueError(
            f"{file}: received a pickle with {error}; nothing of it was run. Expected bytes, texts, numbers and arrays alone: "
            "do not open it with other tools, and get the data from where it was made"
        ) from error
    except (OSError, ValueError, TypeError, KeyError, IndexError, OverflowError, RuntimeError, MemoryError) as error:
        said = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise ValueError(f"{file}: received no whole pickle ({said}); copy or make it again") from error


def _checked(result: Any) -> Any:
    """The result, of which every part is data. Raises Refused. Parts that occur often are looked at once."""
    waiting, seen = [result], set[int]()
    while waiting:
        value = waiting.pop()
        if isinstance(value, VALUES):
            continue
        if isinstance(value, Name | Unfilled) or not isinstance(value, tuple | list | dict):
            raise Refused(_described(value))
        if id(value) not in seen:
            seen.add(id(value))
            waiting.extend(value.values() if isinstance(value, dict) else value)
    return result


def _described(value: Any) -> str:
    """For a message."""
    if isinstance(value, Name):
        return f"{value.module}.{value.name}, which may run any code"
    return (
        "an array or type that is never filled"
        if isinstance(value, Unfilled)
        else f"a {type(value).__name__} where data belongs"
    )


class _Machine:
    """One pickle's stack, marks and memory."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.marks: list[list[Any]] = []  # what lay on the stack below each open mark
        self.memo: dict[int, Any] = {}

    def run(self, content: mmap) -> Any:
        """To the first STOP; what lies behind it is not looked at. Raises Refused, and whatever a broken program leads to."""
        for opcode, argument, _ in genops(cast(IO[bytes], content)):
            if opcode.name == "STOP":
                break
            if opcode.name in _PUSHED:
                self.stack.append(argument)
            elif opcode.name in _NEW:
                self.stack.append(_NEW[opcode.name]())
            elif opcode.name in _MADE_BY_CALLS:
                named = f" of {'.'.join(argument.split())}" if isinstance(argument, str) else ""
                raise Refused(f"an object that is made by a call ({opcode.name}{named}), which may run any code")
            elif opcode.name not in _ASIDE:
                step = getattr(self, f"_{opcode.name.lower()}", None)
                if step is None:
                    raise Refused(f"the instruction {opcode.name}, which plain data has no use for")
                step(argument)
        return self.stack.pop()

    def _mark(self, _: None) -> None:
        self.marks.append(self.stack)
        self.stack = []

    def _above(self) -> list[Any]:
        """What was put above the last mark, which is closed."""
        above, self.stack = self.stack, self.marks.pop()
        return above

    def _pop(self, _: None) -> None:
        if self.stack:
            self.stack.pop()
        else:
            self._above()

    def _pop_mark(self, _: None) -> None:
        self._above()

    def _dup(self, _: None) -> None:
        self.stack.append(self.stack[-1])

    def _tuple(self, _: None) -> None:
        made = tuple(self._above())
        self.stack.append(made)

    def _tuple1(self, _: None) -> None:
        self._last(1)

    def _tuple2(self, _: None) -> None:
        self._last(2)

    def _tuple3(self, _: None) -> None:
        self._last(3)

    def _last(self, count: int) -> None:
        if len(self.stack) < count:
            raise IndexError("the stack is too short for a tuple")
        self.stack[-count:] = [tuple(self.stack[-count:])]

    def _list(self, _: None) -> None:
        made = self._above()
        self.stack.append(made)

    def _append(self, _: None) -> None:
        self._extend([self.stack.pop()])

    def _appends(self, _: None) -> None:
        self._extend(self._above())

    def _extend(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if not isinstance(target, list):
            raise Refused(f"items appended to {_described(target)}")
        target.extend(items)

    def _dict(self, _: None) -> None:
        items = self._above()
        self.stack.append({})
        self._update(items)

    def _setitem(self, _: None) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._update([key, value])

    def _setitems(self, _: None) -> None:
        self._update(self._above())

    def _update(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if not isinstance(target, dict):
            raise Refused(f"entries set in {_described(target)}")
        for key, value in zip(items[::2], items[1::2], strict=True):
            if not isinstance(key, KEYS):  # a tuple in tuples without end would overflow the stack of hash()
                raise Refused(f"a {type(key).__name__} as the key of a dict")
            target[key] = value

    def _put(self, at: int) -> None:
        self.memo[at] = self.stack[-1]
        if isinstance(self.stack[-1], Unfilled):
            self.stack[-1].memo.append(at)

    _binput = _long_binput = _put

    def _memoize(self, _: None) -> None:
        self._put(len(self.memo))

    def _get(self, at: int) -> None:
        self.stack.append(self.memo[at])

    _binget = _long_binget = _get

    def _global(self, argument: str) -> None:
        self._name(*argument.split(" ", 1))

    def _stack_global(self, _: None) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        self._name(str(module), str(name))

    def _name(self, module: str, name: str) -> None:
        found = Name(module.replace("numpy._core", "numpy.core"), name)
        if found not in _MAKERS and found != _NDARRAY:
            raise Refused(_described(Name(module, name)))
        self.stack.append(found)

    def _reduce(self, _: None) -> None:
        """Where Python's machine would call what the pickle names."""
        arguments, name = self.stack.pop(), self.stack.pop()
        if not isinstance(name, Name) or not isinstance(arguments, tuple) or name not in _MAKERS:
            raise Refused(f"a call of {_described(name)}")
        self.stack.append(_MAKERS[name](*arguments))

    def _build(self, _: None) -> None:
        """Where Python's machine would give an object its state, or let it take it by a method of its own."""
        state, made = self.stack.pop(), self.stack.pop()
        if not isinstance(made, Unfilled):
            raise Refused(f"a state for {_described(made)}")
        filled = made.fill(*state)
        self.memo.update(dict.fromkeys(made.memo, filled))
        self.stack.append(filled)


def _text(value: Any) -> Any:
    """Python 2's texts are bytes."""
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _dtype(name: Any, *_: object) -> Unfilled:
    """numpy.dtype("f4", False, True), but for its byte order.

    Raises Refused for anything but numbers: objects would be pickles in the pickle.
    """
    text = _text(name)
    if not isinstance(text, str) or not _NUMBERS.fullmatch(text):
        raise Refused(f"an array of numpy type {text!r}, and not of numbers")

    def ordered(_version: Any, order: Any, sub: Any, names: Any, fields: Any, *_: object) -> np.dtype[Any]:
        if any(part is not None for part in (sub, names, fields)):
            raise Refused("an array of a compound numpy type, and not of numbers")
        return np.dtype(text).newbyteorder(_text(order))

    return Unfilled(ordered, [])


def _reconstruct(*_: object) -> Unfilled:
    """numpy's empty array, for a state to fill."""

    def filled(_version: Any, shape: Any, dtype: Any, by_columns: Any, content: Any) -> Array:
        return _array(content, dtype, shape, "F" if by_columns else "C")

    return Unfilled(filled, [])


def _array(content: Any, dtype: Any, shape: Any, order: Any) -> Array:
    """Of raw numbers. Raises Refused, or ValueError where they do not fill the shape."""
    if isinstance(content, str):  # as Python 2 wrote bytes
        content = content.encode("latin-1")
    if not isinstance(dtype, np.dtype) or not isinstance(content, bytes | bytearray):
        raise Refused("an array of which the numbers are no bytes")
    return np.frombuffer(content, dtype).reshape(_counts(shape), order="F" if order == "F" else "C")


def _scalar(dtype: Any, content: Any) -> Any:
    """numpy's numbers outside of arrays."""
    return _array(content, dtype, (), "C")[()]


def _counts(shape: Any) -> tuple[int, ...]:
    """Raises Refused for anything but counts."""
    if not isinstance(shape, tuple) or not all(isinstance(n, int) and n >= 0 for n in shape):
        raise Refused(f"an array of shape {shape!r:.60}")
    return shape


def _storage(content: Any) -> Any:
    """A tensor's numbers: a file of PyTorch's in the pickle, read for its data alone. A typed storage."""
    if not isinstance(content, bytes):
        raise Refused("a tensor of which the numbers are no bytes")
    try:
        return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # PyTorch's reader raises of any kind for what is no file of its own
        raise Refused(f"a tensor that is more than data ({' '.join(str(error).split())[:120]})") from error


def _tensor(storage: Any, offset: int, size: Any, stride: Any, *_: object) -> Array:
    """torch._utils._rebuild_tensor_v2. Raises Refused, or RuntimeError where the numbers do not reach."""
    if not isinstance(storage, torch.storage.TypedStorage):
        raise Refused(f"a tensor in {_described(storage)}")
    flat = torch.empty(0, dtype=storage.dtype).set_(storage._untyped_storage)
    if math.prod(_counts(size)) > flat.numel():  # with a stride of 0 a few bytes could ask for all the memory there is
        raise Refused(f"a tensor of shape {size} in {flat.numel()} numbers")
    numbers = flat.as_strided(_counts(size), _counts(stride), offset).contiguous()
    return (numbers.float() if numbers.dtype == torch.bfloat16 else numbers).numpy()


def _bytes(text: Any = "", encoding: Any = "latin1") -> bytes:
    """As protocols before the third write bytes."""
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise Refused(f"bytes out of {_described(text)}")
    return text.encode("latin-1")


def _hooks(*_: object) -> dict[str, Any]:
    """A tensor's backward hooks, an empty OrderedDict."""
    return {}


_NDARRAY = Name("numpy", "ndarray")
_MAKERS: dict[Name, Callable[..., Any]] = {
    Name("numpy", "dtype"): _dtype,
    Name("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    Name("numpy.core.multiarray", "scalar"): _scalar,
    Name("numpy.core.numeric", "_frombuffer"): _array,
    Name("torch._utils", "_rebuild_tensor_v2"): _tensor,
    Name("torch.storage", "_load_from_bytes"): _storage,
    Name("collections", "OrderedDict"): _hooks,
    Name("_codecs", "encode"): _bytes,
    Name("__builtin__", "bytes"): _bytes,
    Name("builtins", "bytes"): _bytes,
}
