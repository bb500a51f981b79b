"""The parts of an examination, by name: each writes what it found into a folder, from where the next process reads it."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import torch
from safetensors.torch import load_file, save_file

from svi.card.made import DTYPES, Dtype, Made
from svi.card.process import DEVICE, ROWS

WRONG = "wrong-{}.json"
INNER = 256  # channels of the small Wan: two heads of 128, Wan's own


def run(part: str, out: Path, what: Sequence[str]) -> None:
    """`part`: device, processor, card, ways, compiled, together or size. `what`: the folder of the small Wan, which the processor
    writes, and for the card what the processor made; or the profile and the work."""
    out.mkdir(parents=True, exist_ok=True)
    if part == "device":
        (out / DEVICE).write_text(json.dumps(device()))
    elif part == "processor":
        from svi.card.wan_folder import write_wan_folder

        write_wan_folder(Path(what[0]), inner=INNER)
        _make(Path(what[0]), out)
    elif part == "card":
        from svi.card.compare import compared

        _make(Path(what[0]), out)
        _write(compared(_read_made(out), _read_made(Path(what[1]))), out)
    elif part == "together":
        from svi.card.peers import together

        rows = list(together(Path(what[0]), out))
        if torch.distributed.get_rank() == 0:
            _write(rows, out)
    elif part == "size":
        from svi.card.at_size import timed

        _write(timed(what[0], what[1]), out)
    else:
        from svi.card import ways

        if part == "compiled":
            _write(ways.tried(Path(what[0]), ways.COMPILED), out)
        else:
            _write([*ways.kernels(), *ways.tried(Path(what[0]), ways.WAYS)], out)


def device() -> dict[str, Any]:
    """The card that this process computes on, or its processor: name, memory in bytes, how many there are, CUDA's version."""
    if torch.cuda.is_available():
        about, nccl = torch.cuda.get_device_properties(0), cast(Any, torch.cuda.nccl)
        versions = {
            "CUDA": str(torch.version.cuda),
            "cuDNN": str(cast(Any, torch.backends.cudnn).version()),
            "NCCL": ".".join(map(str, nccl.version())),
            "compute capability": f"{about.major}.{about.minor}",
        }
        cards = torch.cuda.device_count()
        return {"card": about.name, "memory": about.total_memory, "cards": cards, "versions": versions}
    import psutil

    return {"card": "CPU", "memory": psutil.virtual_memory().total, "cards": 0, "versions": {}}


def _make(folder: Path, out: Path) -> None:
    from svi.card.made import made

    for dtype in DTYPES:
        found = made(folder, dtype, out / f"scratch-{dtype}")
        save_file(found.tensors, out / f"{dtype}.safetensors")
        (out / WRONG.format(dtype)).write_text(json.dumps(found.wrong))


def _read_made(out: Path) -> Mapping[Dtype, Made]:
    """What a process made, as far as it came."""
    found: dict[Dtype, Made] = {}
    for dtype in DTYPES:
        tensors, wrong = out / f"{dtype}.safetensors", out / WRONG.format(dtype)
        if wrong.is_file():
            found[dtype] = Made(load_file(tensors), json.loads(wrong.read_text()))
    return found


def _write(rows: Iterable[Any], out: Path) -> None:
    """A line a row, as they come: what ends the process later leaves those before."""
    with (out / ROWS).open("w") as lines:
        for row in rows:
            lines.write(json.dumps(asdict(row)) + "\n")
            lines.flush()
