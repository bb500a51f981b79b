"""Declaring an ablation, and resolving what one variant of it runs with."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import islice
from types import MappingProxyType
from typing import Any, Generic, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator, model_validator
from pydantic.dataclasses import dataclass as validated_dataclass

from benchmarks.track import Track
from harness.core.credentials import conceal, shown
from harness.core.errors import UseError
from harness.core.names import check_name
from harness.core.registry import Registry, nearest, suggestion
from harness.core.signature import leaves
from harness.declare.files import dotted, load_declared, problems_text
from harness.declare.numbers import LARGEST_SEED, MOST_SEEDS, MOST_VARIANTS, Seed, misread
from harness.declare.tracks import OwnTrack, by_name, track_of
from svi.settings import COPY_CLIPS, COPY_IMAGE, PING_PONG

Scalar = bool | int | float | str | None
M = TypeVar("M", bound=BaseModel)
T = TypeVar("T")
SEEDS = ("train.seed", "generate.seed")  # settings that an experiment's seeds stand for
SECRET = "tracking.uri"  # the setting whose value may hold a password


def _concealed(key: str, value: Scalar) -> Scalar:
    """The value as it may be told and stored."""
    return conceal(value) if key == SECRET and isinstance(value, str) else value


@validated_dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Variant:
    """One row of an ablation: what it sets on top of everything else, dotted."""

    name: str
    set: dict[str, Scalar] = field(default_factory=dict)

    @field_validator("name")
    @classmethod
    def _plain(cls, name: str) -> str:
        return check_name("a variant", name)

    @field_validator("set")
    @classmethod
    def _untold(cls, values: dict[str, Scalar]) -> dict[str, Scalar]:
        return {key: _concealed(key, value) for key, value in values.items()}


# They cannot drift, and lead on consistency: no table of a track without them (svi/generation/trivial.py).
TRIVIAL = tuple(Variant(name, {"generate.method": name}) for name in (COPY_IMAGE, COPY_CLIPS, PING_PONG))


class Experiment(BaseModel):
    """A question, and the variants, tracks and seeds that answer it. Deltas are taken against `baseline`.

    `settings` hold for all its variants, unless the command line or a variant sets them. `tracks` are names; whoever makes one may
    give a value or FILE.py:NAME instead, which then is one of `own_tracks`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    question: str
    variants: tuple[Variant, ...]
    baseline: str
    tracks: tuple[str, ...]
    own_tracks: dict[str, OwnTrack] = {}
    seeds: tuple[Seed, ...] = (0,)
    compare_to: str | None = None
    yes_if: tuple[str, Literal["worse", "better", "different"]] | None = None
    orderings: str | None = None
    published: str = ""
    settings: dict[str, Scalar] = {}

    @model_validator(mode="before")
    @classmethod
    def _named(cls, values: dict[str, Any]) -> dict[str, Any]:
        names, own = by_name(values.get("tracks", ()), values.get("own_tracks", {}))
        return {**values, "tracks": names, "own_tracks": own}

    @field_validator("name")
    @classmethod
    def _plain(cls, name: str) -> str:
        return check_name("an experiment", name)

    @field_validator("settings")
    @classmethod
    def _untold(cls, values: dict[str, Scalar]) -> dict[str, Scalar]:
        return {key: _concealed(key, value) for key, value in values.items()}

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = [variant.name for variant in self.variants]
        if not self.question:
            raise UseError(f"experiment {self.name} has no docstring; expected its question there")
        for what, values in (("variants", names), ("tracks", self.tracks), ("seeds", self.seeds)):
            if not values:
                raise UseError(f"experiment {self.name} has no {what}; expected at least one")
            if twice := [str(value) for value, count in Counter(values).items() if count > 1]:
                raise UseError(f"experiment {self.name} has {what} twice: {', '.join(twice)}; expected each once")
        for what, sets in (
            ("its settings", self.settings),
            *((f"variant {one.name}", one.set) for one in self.variants),
        ):
            if seeds := [key for key in SEEDS if key in sets]:
                raise UseError(f"experiment {self.name} has {seeds[0]} in {what}; seeds are declared: seeds=(0, 1)")
        for what, count, most in (("variants", len(names), MOST_VARIANTS), ("seeds", len(self.seeds), MOST_SEEDS)):
            if count > most:
                raise UseError(f"experiment {self.name} has {count} {what}; expected at most {most}")
        if self.baseline not in names:
            raise UseError(
                f"{self.name} has no variant {self.baseline!r} as baseline: {suggestion(self.baseline, names)}"
            )
        return self

    def track(self, name: str) -> Track:
        """One of its tracks. Raises UseError for a name that is none."""
        return self.own_tracks[name].track if name in self.own_tracks else track_of(name)


def experiment(
    *,
    baseline: str = "full",
    tracks: Sequence[str | Track],
    seeds: Sequence[int] = (0,),
    compare_to: str | None = None,
    yes_if: tuple[str, str] | None = None,
    orderings: str | None = None,
    published: str = "",
    trivial: bool = True,
    settings: Mapping[str, Scalar] = MappingProxyType({}),
) -> Callable[[Callable[[], Iterator[Variant]]], Experiment]:
    """Make an Experiment of a function that yields Variants; its docstring is the question. Raises UseError.

    `tracks`: names, FILE.py:NAME, or values (benchmarks.track.Track).

    `yes_if`: the variant that decides a question of yes or no, and how it must end beside the baseline for a yes: "worse",
    "better" or "different".
    `orderings`: a list of published orderings (reports/tables/orderings.csv) that the report holds the films against.
    `published`: what others published of the question, in a sentence with its source; `harness results` has it beside the answer.
    `trivial` adds the variants that any method must be held against: copy_image, copy_clips and ping_pong. `settings` hold for
    all variants, unless the command line or a variant sets them.
    """

    def declare(function: Callable[[], Iterator[Variant]]) -> Experiment:
        for name, value in (("tracks", tracks), ("seeds", seeds)):
            if isinstance(value, str | int):
                raise UseError(
                    f"experiment {function.__name__}: {name} is {value!r}, expected several in brackets: {name}=({value!r},)"
                )
        question = " ".join((function.__doc__ or "").split())
        about: dict[str, object] = {"baseline": baseline, "tracks": tuple(tracks), "seeds": tuple(seeds)}
        about |= {"compare_to": compare_to, "settings": dict(settings), "yes_if": yes_if, "orderings": orderings}
        about["published"] = " ".join(published.split())
        variants = tuple(islice(function(), MOST_VARIANTS + 1))  # a generator may have no end
        if yes_if and yes_if[0] == baseline:
            raise UseError(
                f"experiment {function.__name__}: yes_if names {baseline!r}, the baseline itself; name the variant that decides"
            )
        if yes_if and yes_if[0] not in (names := [variant.name for variant in variants]):
            raise UseError(
                f"experiment {function.__name__}: yes_if names {yes_if[0]!r}: {suggestion(yes_if[0], names)}"
            )
        if trivial and variants:
            _check_names(function.__name__, variants)
            variants = (*variants, *TRIVIAL)
        try:
            return Experiment.model_validate(
                {"name": function.__name__, "question": question, "variants": variants, **about}
            )
        except ValidationError as error:
            raise UseError(f"experiment {function.__name__}: {problems_text(error)}") from error

    return declare


def _check_names(experiment: str, variants: Sequence[object]) -> None:
    added = [variant.name for variant in TRIVIAL]
    taken = [variant.name for variant in variants if isinstance(variant, Variant) and variant.name in added]
    if taken:
        raise UseError(
            f"experiment {experiment} has a variant {taken[0]!r}, which is added to every experiment: rename it, or declare "
            "@experiment(..., trivial=False)"
        )


def load_experiment(reference: str, registry: Registry[Experiment]) -> Experiment:
    """A registered experiment by its name, or one of a user's file by "path/to/file.py:name". Raises UseError."""
    return load_declared(reference, registry, Experiment, "decorate a function with @experiment")


def parse_overrides(texts: Sequence[str]) -> dict[str, Scalar]:
    """Dotted settings of "key=value" texts; a value is a JSON scalar, or else the text itself. Raises UseError.

    Credentials of a tracking URI are concealed here, so that nothing made of the settings can tell them.
    """
    values: dict[str, Scalar] = {}
    for text in texts:
        key, equals, value = (part.strip() for part in text.partition("="))
        if not equals or not key:
            raise UseError(f"cannot read {shown(text)!r}; expected key=value, for example train.steps=100")
        if key in values:
            raise UseError(
                f"{key} is set twice on the command line, also to {_concealed(key, value)!r}; expected it once"
            )
        values[key] = _concealed(key, _parse(value))
    return values


@dataclass(frozen=True)
class Resolved(Generic[M]):
    """Validated settings, and for each dotted key the layer that its value comes from ("default" where none set it)."""

    settings: M
    origin: dict[str, str]


def resolve(model_class: type[M], layers: Sequence[tuple[str, Mapping[str, object]]]) -> Resolved[M]:
    """Lay dotted settings over the defaults, later layers over earlier ones.

    Raises UseError for an unknown key or a wrong value, naming the layer that it comes from.
    """
    known = leaves(model_class)
    values: dict[str, object] = {}
    origin = dict.fromkeys(known, "default")
    for layer, settings in layers:
        for key, value in settings.items():
            if key not in known:
                raise UseError(_unknown_text(key, layer, list(known)))
            values[key], origin[key] = value, layer
    misreadings = {key: why for key, value in values.items() if (why := misread(key, known[key], value))}
    faults = [f"{key}={values[key]!r} ({origin[key]}): expected {why}" for key, why in misreadings.items()]
    try:
        read = model_class.model_validate(
            _nest({key: value for key, value in values.items() if key not in misreadings})
        )
    except ValidationError as error:
        raise UseError("; ".join([*faults, _wrong_text(error, values, origin)])) from error
    if faults:
        raise UseError("; ".join(faults))
    return Resolved(read, origin)


def check_no_clash(command_line: Mapping[str, object], variants: Sequence[Variant]) -> None:
    """Raises UseError when the command line sets a key that a variant sets: its row would not be what it is called."""
    for key, value in command_line.items():
        if owners := [variant.name for variant in variants if key in variant.set]:
            raise UseError(
                f"{key}={value} on the command line, but it is what {', '.join(owners)} sets; leave it out, "
                "choose other variants with --only, or declare an experiment of your own"
            )


def parse_seeds(text: str) -> tuple[int, ...]:
    """`3` is three seeds: 0, 1 and 2; `0,5,7` is those; `5,` is seed 5 alone. Raises UseError."""
    listed = [part.strip() for part in text.split(",") if part.strip()]
    # A text of more digits than any seed has is no number here: int() refuses thousands of them.
    plain = all(part.isascii() and part.isdigit() and len(part) <= len(str(LARGEST_SEED)) for part in listed)
    given = [int(part) for part in listed] if plain else []
    several = "," in text
    if several:
        fits = bool(given) and max(given) <= LARGEST_SEED and len(set(given)) == len(given) <= MOST_SEEDS
    else:
        fits = len(given) == 1 and 1 <= given[0] <= MOST_SEEDS
    if not fits:
        raise UseError(
            f"--seeds {text!r}; expected how many (3 for seeds 0, 1, 2), at most {MOST_SEEDS}, or different seeds from 0 to "
            f"{LARGEST_SEED} (0,5,7)"
        )
    return tuple(given) if several else tuple(range(given[0]))


def select(experiment: Experiment, patterns: str) -> Experiment:
    """Only the variants whose name matches one of the comma-separated patterns; the first replaces a lost baseline."""
    names = matching(patterns, [variant.name for variant in experiment.variants], f"variant of {experiment.name}")
    kept = tuple(variant for variant in experiment.variants if variant.name in names)
    baseline = experiment.baseline if experiment.baseline in names else names[0]
    return experiment.model_copy(update={"variants": kept, "baseline": baseline})


def matching(patterns: str, names: Iterable[str], what: str) -> list[str]:
    """The names that match one of the comma-separated shell patterns. Raises UseError for a pattern that none matches."""
    known = list(names)
    wanted = [pattern.strip() for pattern in patterns.split(",") if pattern.strip()]
    for pattern in wanted or [patterns]:
        if not any(fnmatchcase(name, pattern) for name in known):
            raise UseError(f"no {what} matches {pattern!r}: {suggestion(pattern, known)}")
    return [name for name in known if any(fnmatchcase(name, pattern) for pattern in wanted)]


def _parse(text: str) -> Scalar:
    words: dict[str, Scalar] = {"None": None, "True": True, "False": False}
    if text in words:
        return words[text]
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return value if value is None or isinstance(value, bool | int | float | str) else text


def typed(overrides: Mapping[str, object]) -> list[str]:
    """As `parse_overrides` reads them: text that would be read as a number, say, in quotes of its own."""

    def written(value: object) -> str:
        text = str(value)
        return text if _parse(text.strip()) == value else json.dumps(value, ensure_ascii=False)

    return [f"{key}={written(value)}" for key, value in overrides.items()]


def _nest(values: Mapping[str, object]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for key, value in values.items():
        *sections, name = key.split(".")
        inner = nested
        for section in sections:
            inner = inner.setdefault(section, {})
        inner[name] = value
    return nested


def _unknown_text(key: str, layer: str, known: list[str]) -> str:
    section, _, name = key.rpartition(".")
    sections = dict.fromkeys(k.partition(".")[0] for k in known)
    inside = [k.removeprefix(f"{section}.") for k in known if k.rpartition(".")[0] == section]
    same = [k for k in known if k.rpartition(".")[2] == name]
    guesses = nearest(key, same) or same
    guesses = guesses or [f"{section}.{guess}" for guess in nearest(name, inside)] or nearest(key, known)
    listed = f"{section} has: {', '.join(inside)}" if section and inside else f"sections: {', '.join(sections)}"
    guess = f"did you mean {' or '.join(guesses[:3])}? " if guesses else ""
    return f"unknown setting {key!r} ({layer}): {guess}{listed}"


def _wrong_text(error: ValidationError, values: Mapping[str, object], origin: Mapping[str, str]) -> str:
    """One sentence a setting; a union reports each of its branches, which are joined by "or"."""
    expected: dict[str, list[str]] = {}
    for problem in error.errors():
        # A location may go on past the field, into a branch of its union.
        location = problem["loc"]
        prefixes = [dotted(location[:n]) for n in range(1, len(location) + 1)]
        key = next((prefix for prefix in prefixes if prefix in origin), dotted(location))
        message = problem["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
        expected.setdefault(key, []).append(message)
    for key, messages in expected.items():
        if messages == ["a valid string"] and isinstance(values.get(key), int | float):
            messages[:] = [
                f"text; what looks like a number needs quotes of its own: {key}='{json.dumps(str(values[key]))}'"
            ]
    return "; ".join(
        f"{key}={values[key]!r} ({origin[key]}): expected {' or '.join(dict.fromkeys(messages))}"
        if key in values
        else f"{key or 'settings'}: {' or '.join(dict.fromkeys(messages))}"
        for key, messages in expected.items()
    )
