"""`harness run --until decided`: seeds are added while a row is undecided."""

import sys
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Self

from harness.commands.session import Session
from harness.core.errors import UseError
from harness.declare.request import FIRST_LOOK
from harness.declare.spec import parse_seeds
from harness.plan.kinds import REPORT
from harness.results.decided import undecided

AT_MOST = 5  # seeds


class Looks(NamedTuple):
    """The looks of one command: at the first `first` of these seeds, and at one more each time, up to all of them."""

    options: Mapping[str, Any]
    seeds: tuple[int, ...]
    first: int

    @classmethod
    def planned(cls, options: Mapping[str, Any], at_most: int) -> Self:
        """From the seeds that were asked for, two at least, to `at_most`. Raises UseError for more seeds than these."""
        asked = parse_seeds(options["seeds"]) if options.get("seeds") else ()
        if len(asked) > at_most:
            raise UseError(
                f"--seeds {options['seeds']}: {len(asked)} seeds, but --at-most-seeds {at_most}; give fewer, or allow more"
            )
        more = (seed for seed in range(at_most + len(asked)) if seed not in asked)
        return cls(options, (*asked, *more)[:at_most], max(len(asked), FIRST_LOOK))

    def at(self, count: int) -> dict[str, Any]:
        """The options of the look at so many seeds, as `Session.open` takes them."""
        seeds = "".join(f"{seed}," for seed in self.seeds[:count])
        return {**self.options, "seeds": seeds, "at_most_seeds": len(self.seeds), "first_look": self.first}

    def name(self, count: int) -> str:
        """look 2 of at most 4, 3 seeds."""
        return f"look {count - self.first + 1} of at most {len(self.seeds) - self.first + 1}, {count} seeds"

    def reached(self) -> int:
        """How many seeds the last look had that left a report; those of the first where none did."""
        for count in range(len(self.seeds), self.first, -1):
            session = Session.open(**self.at(count))
            if session.store.done(REPORT.name, session.pipeline.report):
                return count
        return self.first


def run_until(looks: Looks, carry_out: Callable[[Session], int]) -> int:
    """Run look after look while a row is undecided. The same command goes on at the last look whose report is there.

    Each look may err in its share of 5 % (`ReportInfo.alpha`). Returns the exit code.
    """
    from reports.statistics.bootstrap import FEWEST  # it loads scipy

    count = looks.reached()
    while True:
        session = Session.open(**looks.at(count))
        if code := carry_out(session):
            return code
        left = undecided(session.pipeline, session.store)
        told = f"undecided: {'; '.join(left)}" if left else "every row is decided"
        print(f"{looks.name(count)}: {told}", file=sys.stderr)
        if left and max(left.values()) < FEWEST:
            print(f"no number of seeds decides rows that share fewer than {FEWEST} scored samples", file=sys.stderr)
            return 0
        if not left or count == len(looks.seeds):
            return 0
        count += 1
