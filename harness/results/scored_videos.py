"""What a store knows of videos that any method made and `harness score` scored."""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from harness.core.atomic import write_json
from harness.core.errors import UseError
from harness.core.names import check_name
from harness.core.store import Store
from harness.plan.kinds import VIDEO_SCORES

if TYPE_CHECKING:
    import pandas as pd

RECORDS = "scored"  # their experiment in a results frame, and their folder in a store
OTHERS = "videos of other methods, scored as they are"


@dataclass(frozen=True)
class ScoredVideos:
    """Videos that are scored: the signatures of their scores by suite; `by_name`: no list says which samples they are."""

    name: str
    track: str
    videos: str
    scores: dict[str, str]
    command: str
    by_name: bool

    def __post_init__(self) -> None:
        check_scored("a row of scored videos", self.name)
        check_name("a track", self.track)

    def rows(self, store: Store, seed: int = 0) -> "pd.DataFrame":
        """Their rows of the results frame, as a variant of the experiment `scored`; `seed`: whose films they stand beside."""
        from harness.results.frame import joined, score_rows

        keys = {"experiment": RECORDS, "variant": self.name, "track": self.track, "seed": seed}
        return joined(score_rows(store.artifact(VIDEO_SCORES.name, one), **keys) for one in self.scores.values())

    def drifts(self, store: Store, seed: int = 0) -> "pd.DataFrame":
        """Their drift by each published definition."""
        from harness.results.drifts import drifts_of

        keys = (self.name, self.track, seed)
        return drifts_of((keys, store.artifact(VIDEO_SCORES.name, one)) for one in self.scores.values())

    def write(self, store: Store) -> None:
        """Keep it in the store, in place of an earlier one of its name and track."""
        file = store.root / RECORDS / self.track / f"{self.name}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        write_json(file, asdict(self))


def check_scored(what: str, name: str) -> None:
    """Raises UseError for a name that scored videos cannot have."""
    check_name(what, name, also=" +()")


def scored_videos(store: Store) -> list[ScoredVideos]:
    """Everything that was scored, by track and name. Raises UseError for a record that cannot be read."""
    found = [_read(file) for file in sorted((store.root / RECORDS).glob("*/*.json"))]
    return [one for one in found if all(store.done(VIDEO_SCORES.name, score) for score in one.scores.values())]


def _read(file: Path) -> ScoredVideos:
    """The record that a file holds. Raises UseError for one that is damaged."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        if set(found) != {one.name for one in fields(ScoredVideos)} or not isinstance(found["scores"], dict):
            raise ValueError("it is no record of scored videos")
        return ScoredVideos(**found)
    except (ValueError, TypeError, RecursionError) as error:
        raise UseError(f"{file} is damaged ({error}); move it away and score its videos again") from error
