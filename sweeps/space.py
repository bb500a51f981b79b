"""The dimensions of a search: numbers between two ends, whole numbers, and choices."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.core.errors import UseError
from harness.declare.spec import Scalar

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution


@dataclass(frozen=True)
class Float:
    """Numbers from `low` to `high`, on a logarithmic scale if `log`. Raises UseError for an empty range."""

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        _check_ends(self, self.low, self.high, self.log)

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}{', logarithmic' if self.log else ''}"

    @property
    def distribution(self) -> "BaseDistribution":
        from optuna.distributions import FloatDistribution

        return FloatDistribution(self.low, self.high, log=self.log)

    def corners(self) -> Iterator[Scalar]:
        """Values that the settings must take for the whole dimension to be allowed."""
        yield from (self.low, self.high)


@dataclass(frozen=True)
class Int:
    """Whole numbers from `low` to `high`, on a logarithmic scale if `log`. Raises UseError for an empty range."""

    low: int
    high: int
    log: bool = False

    def __post_init__(self) -> None:
        if not (isinstance(self.low, int) and isinstance(self.high, int)):
            raise UseError(f"{self}: expected whole numbers; Float takes others")
        _check_ends(self, self.low, self.high, self.log)

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}{', logarithmic' if self.log else ''}"

    @property
    def distribution(self) -> "BaseDistribution":
        from optuna.distributions import IntDistribution

        return IntDistribution(self.low, self.high, log=self.log)

    def corners(self) -> Iterator[Scalar]:
        """Values that the settings must take for the whole dimension to be allowed."""
        yield from (self.low, self.high)


class Choice:
    """One of some values, which need no order: Choice("l2", "random"), Choice(True, False). Raises UseError for fewer than two."""

    def __init__(self, *values: Scalar) -> None:
        if len(values) < 2 or len({repr(value) for value in values}) < len(values):
            raise UseError(f"Choice{values}: expected two different values or more")
        if wrong := [value for value in values if not isinstance(value, bool | int | float | str | None)]:
            raise UseError(f"Choice of {wrong[0]!r}: expected text, numbers, True, False or None")
        self.values = values

    def __repr__(self) -> str:
        return f"Choice({', '.join(map(repr, self.values))})"

    def __str__(self) -> str:
        return " or ".join(map(str, self.values))

    @property
    def distribution(self) -> "BaseDistribution":
        from optuna.distributions import CategoricalDistribution

        return CategoricalDistribution(self.values)

    def corners(self) -> Iterator[Scalar]:
        """Values that the settings must take for the whole dimension to be allowed."""
        yield from self.values


Dimension = Float | Int | Choice


def contains(dimension: Dimension, value: Scalar) -> bool:
    """Whether the value lies in the dimension."""
    if isinstance(dimension, Choice):
        return any(value == known and isinstance(value, bool) == isinstance(known, bool) for known in dimension.values)
    whole = isinstance(value, int) and not isinstance(value, bool)
    return (whole or (isinstance(dimension, Float) and isinstance(value, float))) and (
        dimension.low <= value <= dimension.high  # type: ignore[operator]
    )


def _check_ends(dimension: object, low: float, high: float, log: bool) -> None:
    if not low < high:
        raise UseError(f"{dimension}: expected low below high")
    if log and low <= 0:
        raise UseError(f"{dimension}: a logarithmic scale needs low above 0")
