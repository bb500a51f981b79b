"""Settings that differ by kind of stage: "gpu,big,score=cpu" is cpu for scores, and gpu,big for all others."""

import re

from harness.core.errors import UseError
from harness.core.registry import suggestion

KINDS = (
    "backbone", "data", "train", "forecast", "rollout", "generate", "true_films", "film", "told", "errors", "score",
    "video_scores", "report",
)  # fmt: skip
BEGINS = re.compile(rf"(?:^|,)\s*({'|'.join(KINDS)})\s*=")


def of_kind(value: str, kind: str) -> str | None:
    """What a value says of a kind: behind KIND=, else what stands before the first of these; None where it says nothing.

    A kind's name and an equals sign begin a part at the start and behind a comma; so commas and equals signs of a part are its own.
    """
    others, *parts = BEGINS.split(value)
    named = dict(zip(parts[::2], parts[1::2], strict=True))
    return named.get(kind, others).strip() or None


def number(key: str, value: int | str | None, kind: str, positive: bool) -> int | None:
    """The number for a kind. Raises UseError for another word, and for a 0 that must be positive."""
    if value is None or isinstance(value, int):
        return value
    for name in re.findall(r"(\w+)\s*=", value):
        _check(name, key, value)
    if (found := of_kind(value, kind)) is None:
        return None
    if not found.isdecimal() or (positive and not int(found)):
        raise UseError(f"{key}={value}: expected a number, or kinds with numbers such as train=2880,generate=600")
    return int(found)


def name(key: str, value: str | None, kind: str) -> str | None:
    """A name for a kind, or several by commas. Raises UseError for an equals sign that belongs to no kind."""
    if value is None:
        return None
    for other in ("", *KINDS):
        part = of_kind(value, other) or ""
        if "=" in part:
            _check(part.partition("=")[0].rpartition(",")[2].strip(), key, value)
    return of_kind(value, kind)


def _check(kind: str, key: str, value: str) -> None:
    if kind not in KINDS:
        raise UseError(f"{key}={value}: no stage is of the kind {kind!r}; {suggestion(kind, KINDS)}")
