"""`harness generate --replay`: a film that was made at the desk, made once more."""

from pathlib import Path

from harness.commands.film_plan import Planned, known
from harness.core.artifacts import TAKES
from harness.core.errors import UseError
from harness.core.store import Store
from harness.plan.directed import DirectedFilm
from harness.plan.shots import Clip, Shots, Start
from svi.generation.takes import Link, Takes, names


def replayed(file: Path, store: Store) -> Planned:
    """Raises UseError for a file that no desk wrote, and where the film would not be the same bit for bit."""
    wanted = DirectedFilm.read(file)
    shots, start = Shots(wanted.setup, store), Start(file.absolute().parent / wanted.image, wanted.fit)
    clips = [Clip(shots.shot(start, clip.own), clip.prompt, clip.seed) for clip in wanted.clips]
    found = names([Link(clip.shot.root, clip.prompt, clip.seed) for clip in clips])
    for number, (name, clip) in enumerate(zip(found, wanted.clips, strict=True), start=1):
        if name != clip.take:
            raise UseError(
                f"{file}: clip {number} would not be the same: the file was changed, or model, LoRAs, image or this program's "
                "version are others than when it was made; bring those back, or open a new film with `harness desk`"
            )
    takes = Takes(store.root / TAKES)
    missing = sum(name not in takes for name in found)
    film = shots.film(clips, found, takes.folder, missing)
    lines = tuple(known(len(found) - missing, len(found)))
    return Planned(shots.graph, film, shots.model.embedded, lines)
