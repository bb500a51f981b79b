"""Engines write the replies; `write_storyline` asks one until its reply is a storyline, and tells it what was wrong."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

from benchmarks.prompts.picture import Picture
from benchmarks.prompts.replies import Fault
from benchmarks.prompts.storyline import StorylineRequest, count

SHOWN = 400  # characters of a reply in an error
_FED_BACK = 4000  # characters of a faulty reply that the model is shown again


@dataclass(frozen=True)
class Message:
    """One turn of the conversation; the image belongs to the first."""

    role: Literal["user", "assistant"]
    text: str


@dataclass(frozen=True)
class Reply:
    """A model's words; `finished` is false where a limit cut them off; `details`: what the engine says of this reply."""

    text: str
    finished: bool = True
    details: Mapping[str, Any] = field(default_factory=dict)


class Engine(Protocol):
    """A multimodal model, wherever it runs."""

    def describe(self) -> dict[str, Any]:
        """Provenance, as JSON: everything that decides a reply, no secrets, and `name` for messages."""
        ...

    def reply(self, messages: Sequence[Message], image: Picture, attempt: int) -> Reply:
        """The model's next turn; the seed of attempt k (from 0) is the engine's own plus k.

        Raises:
            ValueError: the model cannot be loaded or reached, or answers in a way that asking again will not mend.
        """
        ...


@dataclass(frozen=True)
class JudgedReply:
    """A reply, and what was wrong with it; None: nothing."""

    reply: str
    fault: str | None
    details: Mapping[str, Any]


@dataclass(frozen=True)
class Storyline:
    """The prompts, and how they came about; `date`: when the last reply came, in UTC."""

    prompts: tuple[str, ...]
    attempts: tuple[JudgedReply, ...]
    date: str


def write_storyline(
    engine: Engine,
    image: Picture,
    request: StorylineRequest,
    retries: int = 2,
    say: Callable[[str], None] = lambda _: None,
) -> Storyline:
    """Ask for the storyline, and up to `retries` times again with the fault of the reply before; `say` is told of each.

    Raises:
        ValueError: no reply could be used (names the last fault and shows the text received), or the engine's own.
    """
    messages = [Message("user", request.text())]
    attempts: list[JudgedReply] = []
    for attempt in range(retries + 1):
        reply = engine.reply(messages, image, attempt)
        try:
            prompts = _read(request, reply)
        except Fault as error:
            fault = str(error)
        else:
            attempts.append(JudgedReply(reply.text, None, reply.details))
            return Storyline(prompts, tuple(attempts), datetime.now(UTC).isoformat(timespec="seconds"))
        say(f"reply {attempt + 1} of at most {retries + 1} cannot be used: {fault}")
        attempts.append(JudgedReply(reply.text, fault, reply.details))
        # An empty turn is refused by some chat templates.
        messages += [
            Message("assistant", reply.text[:_FED_BACK] or "(nothing)"),
            Message("user", request.correction(fault)),
        ]
    tried = "one reply" if retries == 0 else f"{retries + 1} replies"
    raise ValueError(
        f"storyline: received {tried} of {engine.describe()['name']} that cannot be used, expected {count(request.n)}; "
        f"the last: {attempts[-1].fault}; its text: {excerpt(attempts[-1].reply)}; "
        "set another seed, more retries, or take a larger model"
    )


def excerpt(text: str, most: int = SHOWN) -> str:
    """The beginning of text from elsewhere, quoted, in printable characters only."""
    quoted = repr(text[:most])
    return f"{quoted} and {len(text) - most:,} characters more" if len(text) > most else quoted


def _read(request: StorylineRequest, reply: Reply) -> tuple[str, ...]:
    if not reply.finished:
        raise Fault(f"the reply was cut off after {len(reply.text):,} characters, expected it whole and shorter")
    return request.read(reply.text)
