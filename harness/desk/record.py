"""Films in MLflow: a run each, which begins with its first clip and is told of every clip as it comes."""

import logging
import threading
import time
from typing import Self

from harness.core.provenance import facts
from harness.core.signature import canonical
from harness.desk.desk import EXPORT, Desk
from harness.desk.gauge import DIALS
from harness.desk.making import Making, Take
from harness.tracking import RunInfo, Tracker, resolve_uri

EXPERIMENT = "desk"
log = logging.getLogger(__name__)


class Recorder:
    """Tells MLflow of a desk's films, beside whatever else goes on; when it ends, so do their runs."""

    def __init__(self, desk: Desk) -> None:
        self._desk, self._turn = desk, threading.Lock()
        self._tracker: Tracker | None = None
        self._told = dict[str, set[str]]()  # takes, by the run of their film

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._turn:
            if self._tracker is not None:
                for run in self._told:
                    self._tracker.finish(run, "FINISHED")
                self._tracker.close(wait_s=10.0)

    def film(self, film: str, *, exported: bool = False) -> None:
        """As it stands now: takes that are new, gain and eps, what it is made from; with its files where they were exported. What
        fails is logged: the film goes on."""
        try:
            self._film(film, exported)
        except Exception:
            log.exception("MLflow was not told of a film")

    def _film(self, film: str, exported: bool) -> None:
        making = self._desk.shelf.read(film)
        with self._turn:
            tracker = self._tracker = self._tracker or self._opened()
            run = tracker.parent(film, _info(self._desk, film, making))
            told = self._told.setdefault(run, set())
            for take in making.takes:
                if take.name not in told:
                    points = {f"gauge/{name}": [point] for name, point in _points(making, take).items()}
                    tracker.curve(run, f"take {take.name}", points, identity=take.name, measured=time.time())
                    told.add(take.name)
            if making.film and (found := _known(making.film[0].probed)):
                points = {name: [(0, value)] for name, value in found.items()}
                tracker.curve(run, "probe", points, identity=canonical(found), measured=time.time())
            if exported:
                tracker.artifact(run, "export", self._desk.shelf.folder(film) / EXPORT, "film")
                tracker.finish(run, "FINISHED")

    def _opened(self) -> Tracker:
        root = self._desk.store.root
        uri = resolve_uri(self._desk.shots.model.settings.tracking.uri, root)
        return Tracker(uri, root, EXPERIMENT, log.warning)


def _info(desk: Desk, film: str, making: Making) -> RunInfo:
    settings = desk.setup
    prompts = "\n".join(f"    {number}. {take.prompt}" for number, take in enumerate(making.film, start=1))
    return RunInfo(
        name=making.title or f"film {film[:4]}",
        params={
            "profile": settings.profile,
            "recipes": ",".join(settings.recipes),
            "fit": making.fit,
            **settings.overrides,
        },
        config={"film": desk.directed(making).model_dump(mode="json"), "made_with": facts()},
        tags={"profile": settings.profile, "clips": str(len(making.film)), "takes": str(len(making.takes))},
        description=f"A film of `harness desk`: {len(making.film)} clips of {len(making.takes)} takes.\n\n{prompts}",
    )


def _points(making: Making, take: Take) -> dict[str, tuple[int, float]]:
    """The gauge's numbers of a take, at its place in the film that ends with it."""
    clip = len(making.chain(take.name)) - 1
    dials = {dial.metric: take.gauge.get(dial.metric) for dial in DIALS}
    return {name: (clip, value) for name, value in _known(dials).items()}


def _known(values: dict[str, float | None]) -> dict[str, float]:
    return {name: value for name, value in values.items() if value is not None}
