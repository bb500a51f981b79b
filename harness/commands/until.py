"""`harness run --until decided`: seeds are added while a row is undecided."""

import sys
from collections.abc import Callable, Mapping
from typing import Any

from harness.commands.session import Session
from harness.core.errors import UseError
from harness.declare.request import FIRST_LOOK
from harness.declare.spec import parse_seeds
from harness.plan.kinds import REPORT
from harness.results.decided import undecided

AT_MOST = 5  # seeds


def run_until(options: Mapping[str, Any], at_most: int, carry_out: Callable[[Session], int]) -> int:
    """Run with the seeds that were asked for, two at least, and with one more each time that a row is undecided, up to `at_most`.

    Each look may err in its share of 5 % (`ReportInfo.alpha`). The same command goes on at the last look whose report is there.
    Returns the exit code. Raises UseError for more seeds than `at_most`.
    """
    from reports.statistics.bootstrap import FEWEST  # it loads scipy

    asked = parse_seeds(options["seeds"]) if options.get("seeds") else ()
    if len(asked) > at_most:
        raise UseError(
            f"--seeds {options['seeds']}: {len(asked)} seeds, but --at-most-seeds {at_most}; give fewer, or allow more"
        )
    numbers = (*asked, *(seed for seed in range(at_most + len(asked)) if seed not in asked))[:at_most]
    count = _last_look(options, numbers, max(len(asked), FIRST_LOOK))
    while True:
        session = _look(options, numbers, count)
        if code := carry_out(session):
            return code
        left = undecided(session.pipeline, session.store)
        told = f"undecided: {'; '.join(left)}" if left else "every row is decided"
        print(
            f"look {count - FIRST_LOOK + 1} of at most {at_most - FIRST_LOOK + 1}, {count} seeds: {told}",
            file=sys.stderr,
        )
        if left and max(left.values()) < FEWEST:
            print(f"no number of seeds decides films of fewer than {FEWEST} samples", file=sys.stderr)
            return 0
        if not left or count == at_most:
            return 0
        count += 1


def _look(options: Mapping[str, Any], numbers: tuple[int, ...], count: int) -> Session:
    seeds = "".join(f"{seed}," for seed in numbers[:count])
    return Session.open(**{**options, "seeds": seeds, "at_most_seeds": len(numbers)})


def _last_look(options: Mapping[str, Any], numbers: tuple[int, ...], first: int) -> int:
    """How many seeds the last look had that left a report; those of the first where none did."""
    for count in range(len(numbers), first, -1):
        session = _look(options, numbers, count)
        if session.store.done(REPORT.name, session.pipeline.report):
            return count
    return first
