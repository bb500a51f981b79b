"""A power cut: what was written and not flushed since is lost, and the names of files survive, as on a journalling file system."""

from pathlib import Path


def cut_power(journal: Path) -> None:
    """Put zeros where the journal of shim.c has writes that no later flush of their file covers.

    Files are known by their paths, which renames change; what was unlinked or made anew is forgotten.
    """
    open_: dict[str, list[tuple[int, int]]] = {}
    for line in journal.read_text(errors="surrogateescape").splitlines():
        kind, one, other, at, length = line.split("\t")
        if kind == "write":
            open_.setdefault(one, []).append((int(at), int(length)))
        elif kind in ("sync", "unlink", "make"):
            open_.pop(one, None)
        elif kind == "rename":
            _rename(open_, one, other)
    for path, ranges in open_.items():
        _zero(Path(path), ranges)


def _rename(open_: dict[str, list[tuple[int, int]]], one: str, other: str) -> None:
    for path in [path for path in open_ if path == other]:
        del open_[path]
    for path in [path for path in open_ if path == one or path.startswith(f"{one}/")]:
        open_[other + path[len(one) :]] = open_.pop(path)


def _zero(path: Path, ranges: list[tuple[int, int]]) -> None:
    if not path.is_file():
        return
    size = path.stat().st_size
    with path.open("r+b") as file:
        for at, length in ranges:
            if (here := max(0, min(length, size - at))) > 0:
                file.seek(at)
                file.write(bytes(here))
