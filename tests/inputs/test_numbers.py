"""Every number that a command takes: what is none is refused, whatever Python would make of it."""

from collections.abc import Iterator
from pkgutil import resolve_name

import click
import pytest

from harness.cli import COMMANDS
from harness.commands.options import Number, Whole
from harness.core.errors import UseError
from harness.core.signature import leaves
from harness.declare.numbers import LARGEST, LARGEST_SEED, misread
from harness.declare.settings import Settings
from harness.declare.spec import resolve

RANGES = (click.IntRange, click.FloatRange)
NONE = ("1_000", "0x10", "many", "", "1e3x", "٣", [1], {"a": 1}, float("nan"), float("inf"))
NUMBERS = sorted(key for key, field in leaves(Settings).items() if misread(key, field, "many") is not None)
WHOLE = [key for key in NUMBERS if misread(key, leaves(Settings)[key], 10**30) is not None]


def test_most_settings_are_numbers() -> None:
    assert len(NUMBERS) > 60
    assert {"train.steps", "train.lr", "data.height", "condition.padding"} <= {*NUMBERS}
    assert "data.path" not in NUMBERS


@pytest.mark.parametrize("key", NUMBERS)
def test_what_is_no_number_is_none(key: str) -> None:
    for value in NONE:
        with pytest.raises(UseError, match=key.replace(".", r"\.")):
            resolve(Settings, [("command line", {key: value})])
    with pytest.raises(UseError, match="number"):
        resolve(Settings, [("command line", {key: True})])


@pytest.mark.parametrize("key", WHOLE)
def test_a_whole_number_has_bounds(key: str) -> None:
    for value in (10**30, -(10**30), 0.5):
        with pytest.raises(UseError):
            resolve(Settings, [("command line", {key: value})])


def test_a_seed_may_be_larger_than_what_counts() -> None:
    found = resolve(Settings, [("command line", {"train.seed": LARGEST_SEED, "generate.seed": LARGEST + 1})]).settings
    assert (found.train.seed, found.generate.seed) == (LARGEST_SEED, LARGEST + 1)
    assert resolve(Settings, [("command line", {"train.seed": 5.0})]).settings.train.seed == 5


def commands() -> Iterator[tuple[str, click.Command]]:
    """By name, those of groups too."""
    for name, target in COMMANDS.items():
        command: click.Command = resolve_name(target)
        yield name, command
        yield from command.commands.items() if isinstance(command, click.Group) else ()


def options() -> list[tuple[str, click.Option]]:
    """Every option of every command that takes a number."""
    found = [(name, one) for name, command in commands() for one in command.params]
    return [(name, one) for name, one in found if isinstance(one, click.Option) and isinstance(one.type, RANGES)]


def test_every_option_that_takes_a_number_has_bounds() -> None:
    assert len(options()) > 15
    for name, option in options():
        assert isinstance(option.type, Whole | Number), (name, option.name)
        assert option.type.max is not None, (name, option.name)
