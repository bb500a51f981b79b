"""A film in the making: a tree of takes, the one that the film ends with, and the way back. Knows no page and no model."""

from collections.abc import Sequence
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from harness.core.errors import UseError
from harness.declare.spec import Scalar
from harness.plan.image_fit import Fit

LONGEST = 10_000  # letters of a prompt, and of a title
FORMAT: Literal[1] = 1


class _Plain(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Take(_Plain):
    """A clip that was made: its name among the store's takes, the one before it (none: the image), and what it was made from.

    `gauge` has what the scorers say of it, `seconds` how long it took; `probed` the gain and eps that were measured on it.
    """

    name: str
    before: str | None
    root: str
    prompt: str
    seed: int
    own: dict[str, Scalar]
    gauge: dict[str, float | None] = {}
    probed: dict[str, float | None] = {}
    seconds: float = 0.0


class Step(_Plain):
    """Where the film ended before something was done, and the prompts that were still to come."""

    head: str | None
    prompts: tuple[str, ...]


class Making(_Plain):
    """A film as it stands. Nothing in it changes: what is done to it gives another one, one revision on."""

    format: Literal[1] = FORMAT
    title: str = Field(max_length=LONGEST)
    setup: str
    image: str
    fit: Fit = "crop"
    takes: tuple[Take, ...] = ()
    head: str | None = None
    prompts: tuple[str, ...] = ()
    """Those to come: the next clip is made of the first; the last one stays."""
    past: tuple[Step, ...] = ()
    base: tuple[str, ...] = ()
    """Signatures of the finished stages that its clips are made with: `harness gc` leaves them alone."""
    revision: int = 0

    def take(self, name: str) -> Take:
        """Raises UseError for one that the film does not have."""
        for take in self.takes:
            if take.name == name:
                return take
        raise UseError(f"take {name[:8]}: the film has no such take; choose one of its tree")

    def chain(self, end: str | None) -> tuple[Take, ...]:
        """The clips of a film that ends with this take, first one first."""
        found, known = list[Take](), {take.name: take for take in self.takes}
        while end is not None:
            found.append(known[end] if end in known else self.take(end))
            end = found[-1].before
        return tuple(reversed(found))

    @property
    def film(self) -> tuple[Take, ...]:
        return self.chain(self.head)

    def after(self, name: str | None) -> tuple[Take, ...]:
        """The takes that go on from this one, None: from the image, in the order in which they were made."""
        return tuple(take for take in self.takes if take.before == name)

    def free_seed(self, before: str | None, prompt: str, usual: int) -> int:
        """The usual seed, or another one where the same prompt was taken from there already."""
        taken = [take.seed for take in self.after(before) if take.prompt == prompt]
        return max(taken) + 1 if taken else usual

    # What a director does

    def told(self, prompts: Sequence[str]) -> Self:
        """Other prompts to come: no revision, since the film is the same."""
        return self.model_copy(update={"prompts": tuple(prompts)})

    def with_take(self, take: Take, since: int, *, again: bool = False) -> Self:
        """With a take that was asked for at revision `since`: the film ends with it, unless somebody changed it meanwhile.

        It uses up the first prompt to come if it is of that one, unless that is the last; one taken `again` uses none.
        """
        takes = self.takes if any(one.name == take.name for one in self.takes) else (*self.takes, take)
        if since != self.revision:
            return self._changed(takes=takes)
        used = not again and len(self.prompts) > 1 and self.prompts[0] == take.prompt
        left = self.prompts[1:] if used else self.prompts
        return self._moved(take.name, left, takes)

    def measured(self, name: str, probed: dict[str, float | None]) -> Self:
        """With gain and eps of a take: no revision, since the film is the same. Raises UseError for no such take."""
        known = self.take(name)
        takes = (one if one is not known else one.model_copy(update={"probed": probed}) for one in self.takes)
        return self.model_copy(update={"takes": tuple(takes)})

    def cut(self, name: str) -> Self:
        """The film ends after this clip of it; what came after stays in the tree. Raises UseError for one that it does not show."""
        if name not in [take.name for take in self.film]:
            raise UseError("CUT: the film does not show this take; BRANCH goes on from any take of the tree")
        return self.branch(name)

    def branch(self, name: str) -> Self:
        """The film ends with this take, and the next clip goes on from there. Raises UseError where it does already."""
        if self.take(name).name == self.head:
            raise UseError("the film ends with this clip already: choose an earlier one, or a take of another branch")
        return self._moved(name, self.prompts, self.takes)

    def undone(self) -> Self:
        """As before the last thing that was done; takes stay. Raises UseError where there is nothing to undo."""
        if not self.past:
            raise UseError("there is nothing to undo: this is where the film began")
        step = self.past[-1]
        return self._changed(head=step.head, prompts=step.prompts, past=self.past[:-1])

    def _moved(self, head: str | None, prompts: tuple[str, ...], takes: tuple[Take, ...]) -> Self:
        before = Step(head=self.head, prompts=self.prompts)
        past = self.past if (head, prompts) == (self.head, self.prompts) else (*self.past, before)
        return self._changed(head=head, prompts=prompts, takes=takes, past=past)

    def _changed(self, **values: object) -> Self:
        return self.model_copy(update={**values, "revision": self.revision + 1})


def prompts_of(text: str) -> tuple[str, ...]:
    """One a line, as a file of prompts is read; empty lines are left out. Raises UseError for one that is too long, or that such
    a file would have as a comment."""
    found = tuple(line.strip() for line in text.splitlines() if line.strip())
    for prompt in found:
        if prompt.startswith("#"):
            raise UseError(
                f"prompt {prompt[:40]!r}: a line that begins with # is a comment in prompt.txt; begin it otherwise"
            )
        if len(prompt) > LONGEST:
            raise UseError(f"a prompt of {len(prompt)} letters; expected at most {LONGEST}: shorten {prompt[:40]!r}...")
    return found


def more_to_come(before: Sequence[str], after: Sequence[str], shown: str) -> bool:
    """Whether a clip of `shown` leaves a line of prompts to show.

    `before`: the lines when it was begun; `after`: those of now, since people change them meanwhile. The last one stays when it is
    shown.
    """
    if before[:1] == (shown,) and after == (before[1:] or before):
        return len(before) > 1
    return bool(after) and after != (shown,)
