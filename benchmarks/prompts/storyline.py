"""A storyline: what the model is asked for, and what its prompts must be."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.prompts.replies import Fault, parse_reply
from benchmarks.track import PAPER_CLIP_SECONDS

TEMPLATE = "storyline 1"  # rises whenever the words of the request, or of what follows a fault, change
MAX_PROMPTS = 200
MAX_CHARACTERS = (
    1500  # Wan's text encoder reads 512 tokens: about 1,900 characters of English, fewer of other languages
)
MIN_LETTERS = 8  # fewer are a placeholder such as "..." or "prompt 1"; eight Chinese letters can be a sentence
MAX_SUBJECT = 200
_NAMED = 6  # faults named in one message


@dataclass(frozen=True)
class StorylineRequest:
    """`n` prompts that continue an image, one a clip of 5 s; `subject`: words on what it shows, where there are any.

    Raises:
        ValueError: `n` is not from 1 to 200, or the subject is too long.
    """

    n: int
    subject: str = ""

    def __post_init__(self) -> None:
        if not 1 <= self.n <= MAX_PROMPTS:
            raise ValueError(f"number of prompts: received {self.n}, expected 1 to {MAX_PROMPTS}")
        if len(self.subject) > MAX_SUBJECT:
            raise ValueError(f"keyword: received {len(self.subject)} characters, expected at most {MAX_SUBJECT}")

    def text(self) -> str:
        """What the model is asked, beside the image."""
        seconds = f"{PAPER_CLIP_SECONDS:g}"
        shots = f"{self.n} consecutive shots" if self.n > 1 else "single shot"
        subject = f" The film is about: {' '.join(self.subject.split())}." if self.subject.strip() else ""
        return (
            f"The image is the first frame of a film of {self.n * PAPER_CLIP_SECONDS:g} seconds.{subject} "
            f"Write the film: one prompt for each of its {shots} of {seconds} seconds, in order, for a model "
            "that turns an image and a prompt into video.\n"
            "- The first shot starts from exactly what the image shows. Every later shot starts from the last frame of "
            "the shot before.\n"
            "- Each event is caused by what happened before it and leads to what comes next. No jump in time or place.\n"
            "- Each prompt stands alone, because the video model reads no other: it names the subject, its looks, the "
            "place and the light again, in the same words, and refers to no other prompt.\n"
            f"- Each prompt tells what moves, how, and what the camera does: one continuous action that fits in {seconds} "
            "seconds. No cuts, no text in the picture.\n"
            f"- 30 to 80 words a prompt, never more than {MAX_CHARACTERS} characters, and no two alike.\n"
            f"{self._form()}"
        )

    def correction(self, fault: str) -> str:
        """What the model is told after a reply that cannot be used."""
        return f"This reply cannot be used: {fault}. Write the film's prompts again. {self._form()}"

    def read(self, reply: str) -> tuple[str, ...]:
        """The prompts of a reply. Raises Fault: it does not parse, or they are not what was asked for."""
        prompts = parse_reply(reply)
        faults = _faults(prompts, self.n)
        if faults:
            more = f"; and {len(faults) - _NAMED} more faults" if len(faults) > _NAMED else ""
            raise Fault("; ".join(faults[:_NAMED]) + more)
        return tuple(prompts)

    def _form(self) -> str:
        strings = f"{self.n} strings" if self.n > 1 else "one string"
        return f"Answer with a JSON list of exactly {strings} and nothing else."


def _faults(prompts: Sequence[str], n: int) -> list[str]:
    faults = [] if len(prompts) == n else [f"received {count(len(prompts))}, expected exactly {n}"]
    first: dict[str, int] = {}
    for number, prompt in enumerate(prompts, 1):
        letters = sum(map(str.isalpha, prompt))
        if not prompt.strip():
            faults.append(f"prompt {number} is empty")
        elif letters < MIN_LETTERS:
            faults.append(f"prompt {number} is {prompt[:40]!r}, expected a description of a shot")
        elif len(prompt) > MAX_CHARACTERS:
            faults.append(f"prompt {number} has {len(prompt):,} characters, expected at most {MAX_CHARACTERS:,}")
        elif "\0" in prompt or re.search("[\ud800-\udfff]", prompt):
            faults.append(f"prompt {number} has characters that no text file can hold")
        elif (before := first.setdefault(" ".join(prompt.casefold().split()), number)) != number:
            faults.append(f"prompts {before} and {number} are the same")
    return faults


def count(n: int) -> str:
    """In words: 1 prompt, 2 prompts."""
    return "1 prompt" if n == 1 else f"{n} prompts"
