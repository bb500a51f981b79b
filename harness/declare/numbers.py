"""What a number may be, for every setting and option: written in digits, and of a size that a machine can mean."""

from collections.abc import Hashable
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Literal, Union, cast, get_args, get_origin

from pydantic import Field
from pydantic.fields import FieldInfo

LARGEST = 10**9  # of any whole number that counts something
MOST_FILMS = 100_000  # a track (generate.samples)
LARGEST_SEED = 2**53 - 1  # of a seed: what JSON, tables and databases all hold exactly
MOST_SEEDS, MOST_VARIANTS = 1_000, 10_000  # of an experiment: each of their products is a training
SEED = "seed"  # the last part of a setting's name that is one
Seed = Annotated[int, Field(strict=True, ge=0, le=LARGEST_SEED)]


def misread(key: str, field: FieldInfo, value: object) -> str | None:
    """What is expected instead of a value that would be read as a number though it is none, is beyond all bounds, or names no file.

    None for any other: pydantic, which takes true for 1 and "1_000" for 1000, judges the rest.
    """
    kinds, words = _of(cast(Hashable, field.annotation))
    if isinstance(value, str) and "\0" in value:
        return "text without a NUL in it"
    numeric = int in kinds or float in kinds
    whole = " or ".join([*map(repr, words), "a whole number" if float not in kinds else "a number"])
    if isinstance(value, bool):
        return whole if numeric and bool not in kinds else None
    if isinstance(value, str) and numeric and str not in kinds and value not in words:
        return f"{whole}, in digits alone"
    most = LARGEST_SEED if key.rpartition(".")[2] == SEED else LARGEST
    if isinstance(value, int) and int in kinds and abs(value) > most:
        return f"{whole} of at most {most}"
    return None


@cache
def _of(annotation: Hashable) -> tuple[frozenset[type], tuple[str, ...]]:
    """The types that an annotation takes, and the words that its literals are."""
    origin, inside = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _of(inside[0])
    if origin is Literal:
        texts = tuple(one for one in inside if isinstance(one, str))
        return frozenset(type(one) for one in inside if not isinstance(one, str)), texts
    if origin in (Union, UnionType):
        parts = [_of(one) for one in inside if one is not NoneType]
        return frozenset().union(*(kinds for kinds, _ in parts)), tuple(word for _, words in parts for word in words)
    return (frozenset({annotation}) if isinstance(annotation, type) else frozenset()), ()
