"""`harness run --until decided`: seeds, and films where asked, are added while a row is undecided."""

import math
import sys
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Self

from harness.commands.session import Session
from harness.core.errors import UseError
from harness.declare.request import FILMS, FIRST_LOOK
from harness.declare.spec import check_no_clash, parse_seeds
from harness.plan.film_count import film_count
from harness.plan.kinds import REPORT
from harness.results.decided import shown_by, undecided

AT_MOST = 5  # seeds


class Look(NamedTuple):
    """How many seeds it has, and which of the numbers of films."""

    seeds: int
    films: int = 0


class Next(NamedTuple):
    """What comes after a look: `left` undecided, another look unless it was the last, and in words why that one."""

    left: Mapping[str, int]
    look: Look | None
    why: str


class Looks(NamedTuple):
    """The looks of one command: at the first `first` of these seeds and the first of these numbers of films, and each time at one
    more of either. Without `films` each look has those of its settings."""

    options: Mapping[str, Any]
    seeds: tuple[int, ...]
    first: int
    films: tuple[int, ...] = ()

    @classmethod
    def planned(cls, options: Mapping[str, Any], at_most: int, films: int | None = None) -> Self:
        """From the seeds that were asked for, two at least, to `at_most`, and from the films of the settings to `films`.

        Raises UseError for more seeds or films than these.
        """
        asked = parse_seeds(options["seeds"]) if options.get("seeds") else ()
        if len(asked) > at_most:
            raise UseError(
                f"--seeds {options['seeds']}: {len(asked)} seeds, but --at-most-seeds {at_most}; give fewer, or allow more"
            )
        more = (seed for seed in range(at_most + len(asked)) if seed not in asked)
        looks = cls(options, (*asked, *more)[:at_most], max(len(asked), FIRST_LOOK))
        if films is None:
            return looks
        largest = Look(len(looks.seeds))  # of --name, fewer seeds than the run of that name has would be refused
        return looks._replace(films=_doubled(looks.open(largest, weights=False), films))

    def at(self, look: Look) -> dict[str, Any]:
        """The options of a look, as `Session.open` takes them."""
        seeds = "".join(f"{seed}," for seed in self.seeds[: look.seeds])
        budget = {"at_most_seeds": len(self.seeds), "first_look": self.first, "films": self.films}
        return {**self.options, **budget, "seeds": seeds, "film_look": look.films}

    def open(self, look: Look, weights: bool = True) -> Session:
        """A look, resolved."""
        return Session.open(**self.at(look), weights=weights)

    def name(self, look: Look) -> str:
        """look 2 of at most 4, 3 seeds; of a command that may add films with their number: 3 seeds of 16 films."""
        most = len(self.seeds) - self.first + max(len(self.films), 1)
        films = f" of {self.films[look.films]} films" if self.films else ""
        return f"look {look.seeds - self.first + look.films + 1} of at most {most}, {look.seeds} seeds{films}"

    def after(self, look: Look) -> list[Look]:
        """Those that may follow: with a seed more, with more films; none after the last."""
        ways = [Look(look.seeds + 1, look.films)] if look.seeds < len(self.seeds) else []
        return [*ways, Look(look.seeds, look.films + 1)] if look.films + 1 < len(self.films) else ways

    def reached(self) -> Look:
        """The last look that left a report; the first where none did."""
        every = [
            Look(seeds, films)
            for seeds in range(self.first, len(self.seeds) + 1)
            for films in range(max(len(self.films), 1))
        ]
        return next((look for look in sorted(every, key=sum, reverse=True) if self._reported(look)), Look(self.first))

    def _reported(self, look: Look) -> bool:
        try:
            session = self.open(look, weights=False)
        except UseError:  # the run of this name went another way, and has more; what else is amiss the first look says
            return False
        return session.store.done(REPORT.name, session.pipeline.report)

    def following(self, look: Look, session: Session) -> Next:
        """What comes after a look whose report is there: the way by which smaller differences are shown."""
        from reports.statistics.bootstrap import FEWEST  # it loads scipy

        left, ways = undecided(session.pipeline, session.store), self.after(look)
        if not left or not ways:
            return Next(left, None, "")
        if max(left.values()) < FEWEST:
            ways = [way for way in ways if way.seeds == look.seeds and max(left.values())]
            if not ways:
                return Next(
                    left, None, f"no number of seeds decides rows that share fewer than {FEWEST} scored samples"
                )
            return Next(left, ways[0], f"seeds do not decide rows of fewer than {FEWEST} scored samples")
        if len(ways) == 1:
            return Next(left, ways[0], "")
        shown = [shown_by(self.open(way, weights=False).pipeline, session.pipeline, session.store) for way in ways]
        if any(map(math.isnan, shown)):
            return Next(left, ways[0], "")
        best, other = sorted(zip(shown, ways, strict=True))
        told = (
            f"{self.added(way, look)} would show differences {factor:.2f} times as large"
            for factor, way in (best, other)
        )
        return Next(left, best[1], "; ".join(told))

    def added(self, way: Look, look: Look) -> str:
        """3 seeds, or 32 films: what a look has more of than the one before."""
        return f"{way.seeds} seeds" if way.seeds > look.seeds else f"{self.films[way.films]} films"


def run_until(looks: Looks, carry_out: Callable[[Session], int]) -> int:
    """Run look after look while a row is undecided. The same command goes on at the last look whose report is there.

    Each look may err in its share of 5 % (`ReportInfo.alpha`). Returns the exit code.
    """
    look = looks.reached()
    while True:
        session = looks.open(look)
        if code := carry_out(session):
            return code
        left, following, why = looks.following(look, session)
        told = f"undecided: {'; '.join(left)}" if left else "every row is decided"
        if following is None:
            print("\n".join([f"{looks.name(look)}: {told}", *filter(None, [why])]), file=sys.stderr)
            return 0
        reason = f" ({why})" if why else ""
        print(f"{looks.name(look)}: {told}; next: {looks.added(following, look)}{reason}", file=sys.stderr)
        look = following


def planned_next(looks: Looks) -> Look:
    """The look that the command would carry out next; the last one where all is decided or nothing is left to add."""
    look = looks.reached()
    session = looks.open(look, weights=False)
    if not session.store.done(REPORT.name, session.pipeline.report):
        return look
    return looks.following(look, session).look or look


def _doubled(session: Session, most: int) -> tuple[int, ...]:
    """The numbers of films from those of the settings on, each twice the one before, up to `most` or as many as there are samples;
    none where there is nothing to add. Raises UseError where that cannot be done."""
    experiment, settings = session.pipeline.request.experiment, session.pipeline.children[0].resolved.settings
    check_no_clash({FILMS: most}, experiment.variants)
    first = settings.generate.samples
    if most < first:
        raise UseError(
            f"--at-most-films {most}: the first look has {first} already (generate.samples); allow more, or begin with "
            f"--limit {most}"
        )
    if settings.data.path is not None and settings.eval.path is None:
        raise UseError(
            f"--at-most-films {most}: films start from what is held back from data.path, and how many that are no plan knows; "
            "leave it out, or give samples: eval.path=FOLDER"
        )
    wanted = settings.model_copy(update={"generate": settings.generate.model_copy(update={"samples": most})})
    there = max(film_count(wanted, experiment.track(track)) for track in experiment.tracks)
    if there <= min(first, most - 1):
        raise UseError(
            f"--at-most-films {most}: there are {there} samples (eval.path), and the first look films all of them; add samples, "
            "or leave it out"
        )
    numbers = [first]
    while numbers[-1] < there:
        numbers.append(min(2 * numbers[-1], there))
    return tuple(numbers) if len(numbers) > 1 else ()
