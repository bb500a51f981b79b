"""A finished run, from Python: `harness.load(NAME)`."""

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.films.info import FilmInfo
from harness.core.errors import UseError
from harness.core.job import Job
from harness.core.signature import leaves
from harness.core.store import Store, default_store, is_store
from harness.declare.settings import Settings
from harness.results.frame import results_frame
from harness.results.info import settings_read
from harness.results.reports import report_job
from harness.results.spent import spent

if TYPE_CHECKING:
    import pandas as pd


def load(name: str, store: str | Path | None = None) -> "Results":
    """The results of a run: its name, or that of its experiment where this has one run alone.

    `store`: the folder where it was kept; none: HARNESS_STORE, else ./runs. Raises UseError where there is no such run.
    """
    root = Path(store).expanduser() if store is not None else default_store()
    if not is_store(root):
        raise UseError(
            f"{root.absolute()} is no store; expected the folder that `harness run {name}` kept its results in"
        )
    return Results(name, report_job(Store(root), name))


class Results:
    """What a run made: scores and films as pandas' frames, and the settings that they were made with."""

    def __init__(self, name: str, job: Job) -> None:
        """Of the report's job; everything is read when it is first asked for."""
        self.name, self._job = name, job
        self.question: str = job.settings["question"]
        self.variants = tuple(job.settings["variants"])
        self.folder = job.folder
        """The report's: its page, tables and figures."""

    def __repr__(self) -> str:
        about = self._job.settings
        tracks, seeds = ", ".join(about["tracks"]), ", ".join(map(str, about["seeds"]))
        return f"{self.name}: {', '.join(self.variants)}; tracks {tracks}; seeds {seeds}; {self.folder}"

    @cached_property
    def frames(self) -> "pd.DataFrame":
        """Every score, a row each: by variant, track, seed, sample, metric, view and clip (-1: of the whole film)."""
        from reports.statistics.frame import typed

        return typed(results_frame(self._job))

    @cached_property
    def films(self) -> "pd.DataFrame":
        """Every film, a row each: variant, track, seed, sample, its prompts, and `video`, the path of its mp4."""
        import pandas as pd

        rows = [
            {
                "variant": variant,
                "track": track,
                "seed": seed,
                "sample": film.name,
                "prompts": film.prompts,
                "video": folder / film.video,
            }
            for (variant, seed, track), folder in zip(
                self._job.settings["rows"], self._job.inputs["generate"], strict=True
            )
            for film in FilmInfo.read(folder).samples
        ]
        return pd.DataFrame(rows)

    @cached_property
    def costs(self) -> "pd.DataFrame":
        """What each variant cost (reports/statistics/spending.py), means over seeds and tracks; NaN where nothing counted."""
        import pandas as pd

        return pd.DataFrame.from_dict(spent(self._job), orient="index")

    @cached_property
    def settings(self) -> "pd.DataFrame":
        """The settings that the stages of each variant read: a row a setting, a column a variant; None where none read it."""
        import pandas as pd

        read = settings_read(self._job, self._job.settings["tracks"])
        known = [key for key in leaves(Settings) if any(key in values for values in read.values())]
        columns = {variant: [values.get(key) for key in known] for variant, values in read.items()}
        return pd.DataFrame(columns, index=pd.Index(known, name="setting"), dtype=object)
