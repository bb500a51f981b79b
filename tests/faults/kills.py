"""SIGKILL at random moments of whole commands, each begun in a store that holds some of the stages already."""

import random
import time
from dataclasses import dataclass
from pathlib import Path

from tests.faults.command import RUN, Command, run, under_way
from tests.faults.reference import Reference
from tests.faults.store import whole


@dataclass(frozen=True)
class Kill:
    """One: how many stages were done before, when it came (seconds of the command's processor time), what was under way then, and
    what was wrong afterwards."""

    seed: int
    number: int
    done: int
    moment: float
    during: str
    wrong: str | None


class Kills:
    """How many stages are done is drawn first, so that each kind is met as often; then when, uniform over the time until the next
    one is finished. It is processor time, which a busy machine does not stretch."""

    def __init__(self, reference: Reference, seed: int) -> None:
        self._reference, self._seed = reference, seed
        self._known: dict[int, float] = {}

    def one(self, number: int) -> Kill:
        """Number so and so of this seed; which stages are done, and when it comes, are the same each time."""
        draw = random.Random(f"{self._seed} {number}")
        done, share = draw.randint(0, len(self._reference.stages)), draw.random()
        moment = share * self._lasts(done)
        while (root := self._killed(done, moment)) is None:
            moment *= 0.9
        during, wrong = under_way(root), None
        try:
            whole(root.parent)
            wrong = self._reference.wrong(root, run(*RUN, store=root))
        except (AssertionError, TimeoutError) as error:
            wrong = str(error)
        return Kill(self._seed, number, done, round(moment, 3), during, wrong)

    def _killed(self, done: int, moment: float) -> Path | None:
        """The store that the command left; None where it was quicker this time, and ended before."""
        root = self._reference.store("killed", done)
        command = Command(*RUN, store=root)
        while command.spent() < moment:
            time.sleep(0.002)
        return root if command.kill().code < 0 else None

    def _lasts(self, done: int) -> float:
        """Until the next stage is finished in an undisturbed command; where none is left, until it ends."""
        if done not in self._known:
            root, stages = self._reference.store("timed", done), self._reference.stages
            following = root / stages[done] if done < len(stages) else None
            command = Command(*RUN, store=root)
            while (spent := command.spent()) < float("inf") and not (following and following.exists()):
                self._known[done] = spent
                time.sleep(0.002)
            command.kill()
        return self._known[done]
