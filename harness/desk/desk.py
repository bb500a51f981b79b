"""The desk: carries out what a director asks for. One clip is made at a time; whatever fails leaves its film as it was."""

import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from harness.core.artifacts import TAKES
from harness.core.errors import UseError
from harness.core.job import Job
from harness.core.signature import canonical
from harness.core.store import Store
from harness.declare.spec import Scalar
from harness.desk.gauge import gauge, probed
from harness.desk.making import Making, Take, prompts_of
from harness.desk.playing import Playing
from harness.desk.shelf import Shelf
from harness.plan.directed import PROMPTS, SETTINGS, DirectedClip, DirectedFilm
from harness.plan.kinds import FILM
from harness.plan.shots import Setup, Shot, Shots, Start
from harness.stages.shots import Studio, join, parts_of, script_of
from svi.backbones.wrapped import bare
from svi.data.picture import open_upright
from svi.generation.takes import Link, Takes, names, seed_of

EXPORT, IMAGE = "export", "start.png"
PIXELS = 50_000_000  # of an image
Steps = Callable[[int, int], None]
"""Is told how many of a clip's evaluations are done, and of how many."""


class Asked(NamedTuple):
    """A clip that is wanted: after which take (none: the image), of which prompt, seed (none: a free one) and settings."""

    before: str | None
    prompt: str
    seed: int | None
    own: dict[str, Scalar]
    again: bool = False


class Desk:
    """Films of one setup in one store."""

    def __init__(self, setup: Setup, store: Store) -> None:
        """Raises UseError for a setup that cannot work."""
        self.store, self.setup = store, setup
        self.shots, self.shelf, self.takes = Shots(setup, store), Shelf(store.root), Takes(store.root / TAKES)
        self.key = canonical([setup.profile, list(setup.recipes), dict(setup.overrides), list(setup.loras)])
        self._playing, self._model = Playing(self.takes, self.fps), threading.Lock()
        self._studio: Studio | None = None
        self._shots = dict[str, Shot]()

    # Films

    def begin(self, title: str, image: Path, fit: Any) -> str:
        """A new film from an image. Returns its id. Raises UseError for what is no image."""
        try:
            picture = open_upright(image)
        except ValueError as error:
            raise UseError(f"the image: {error}") from error
        if picture.width * picture.height > PIXELS:
            raise UseError(
                f"the image has {picture.width} x {picture.height} pixels; expected at most {PIXELS}: make it smaller"
            )
        base = tuple(self.shots.base.values())
        making = Making(title=title.strip()[:200], setup=self.key, image=IMAGE, fit=fit, base=base)
        return self.shelf.add(making, lambda file: picture.save(file))

    def films(self) -> Iterator[tuple[str, Making]]:
        return self.shelf.films(self.key)

    # Clips

    def make(self, film: str, asked: Asked, seen: int, steps: Steps = lambda done, total: None) -> Making:
        """Make a clip, and end the film with it. Raises UseError for what cannot be made; the film is then as it was.

        Raises ChangedElsewhere where it has another revision than was seen.
        """
        making = self.shelf.change(film, lambda now: now, seen)
        links, shots = self._chain(film, making, asked)
        wanted = names(links)
        with self._model:
            begun = time.monotonic()
            for clip, (name, shot) in enumerate(zip(wanted, shots, strict=True), start=1):
                if name not in self.takes:  # an earlier one may be lost
                    with self._counted(shot, steps):
                        self.studio(shot).shoot(shot.settings, links[:clip], self.takes)
            take = Take(
                name=wanted[-1],
                before=asked.before,
                root=links[-1].root,
                prompt=asked.prompt,
                seed=links[-1].seed,
                own=asked.own,
                gauge=self._gauge(shots, wanted),
                seconds=time.monotonic() - begun,
            )
        return self.shelf.change(film, lambda now: now.with_take(take, seen, again=asked.again))

    def _chain(self, film: str, making: Making, asked: Asked) -> tuple[list[Link], list[Shot]]:
        """The links of a film that ends with what is asked for, and what makes each."""
        if not prompts_of(asked.prompt):
            raise UseError("there is no prompt: write what the next clip shows, one clip a line")
        before = making.chain(asked.before)
        if before:
            self.shots.check_follows(asked.own, before[-1].own)
        usual = seed_of(len(before), self.shots.model.settings.generate)
        seed = making.free_seed(asked.before, asked.prompt, usual) if asked.seed is None else asked.seed
        shots = [self.shot(film, making, take.own) for take in before] + [self.shot(film, making, asked.own)]
        links = [Link(take.root, take.prompt, take.seed) for take in before]
        if [shot.root for shot in shots[:-1]] != [link.root for link in links]:
            raise UseError(
                "model, LoRAs or this program's version are others than when these clips were made; begin a new film, or bring "
                "those back"
            )
        return [*links, Link(shots[-1].root, asked.prompt, seed)], shots

    def shot(self, film: str, making: Making, own: dict[str, Scalar]) -> Shot:
        """What makes a clip of this film with these settings, planned once. Raises UseError for such as cannot work."""
        key = f"{film} {canonical(own)}"
        if key not in self._shots:
            self._shots[key] = self.shots.shot(Start(self.shelf.folder(film) / making.image, making.fit), own)
        return self._shots[key]

    def studio(self, shot: Shot) -> Studio:
        """The opened model; under its lock."""
        if self._studio is None:
            inputs: dict[str, Any] = {role: self.store.find(found) for role, found in self.shots.base.items()}
            job = Job(FILM.name, self.store.root, shot.settings, inputs, lambda *_: None)
            self._studio = Studio(job)
        return self._studio

    @contextmanager
    def _counted(self, shot: Shot, steps: Steps) -> Iterator[None]:
        """Tell how often the transformers have been asked, of how often a clip asks them."""
        studio = self.studio(shot)
        generate = studio.maker(shot.settings).settings
        done, total = 0, generate.steps * (2 if generate.guided else 1)

        def count(*_: object) -> None:
            nonlocal done
            done += 1
            steps(min(done, total), total)

        steps(0, total)
        hooks = [bare(model).register_forward_hook(count) for model in studio.models.values()]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def _gauge(self, shots: list[Shot], wanted: list[str]) -> dict[str, float | None]:
        """Of the last of these clips, as a film shows it that ends there."""
        parts = parts_of([shot.settings for shot in shots[-3:]])  # a first clip begins otherwise
        fps = self.fps
        clip = self.takes.frames(wanted[-1])[parts[-1]]
        if len(wanted) == 1:
            return gauge(clip, fps)
        before = self.takes.frames(wanted[-2])[parts[-2]]
        first = self.takes.frames(wanted[0])[:1] if len(wanted) > 2 else None
        return gauge(clip, fps, first, before)

    @property
    def fps(self) -> int:
        settings = self.shots.model.settings
        return settings.generate.film_fps(settings.data)

    def probe(self, film: str, making: Making) -> Making:
        """With gain and eps, measured on the film's first clip and kept with it. Raises UseError where there is none."""
        if not making.film:
            raise UseError("gain and eps are measured on the film's first clip: make it first")
        first = making.film[0]
        shot = self.shot(film, making, first.own)
        with self._model:
            maker = self.studio(shot).maker(shot.settings)
            try:
                found = probed(maker, script_of(shot.settings, [first.prompt]))
            except ValueError as error:
                raise UseError(str(error)) from error
        return self.shelf.change(film, lambda now: now.measured(first.name, found))

    # What can be watched

    def watched(self, film: str, making: Making, end: str) -> list[Path]:
        """Files that are, one after the other, a film as an mp4 that ends with this take. Raises UseError for no such take."""
        chain = making.chain(end)
        return self._playing.film([take.name for take in chain], parts_of(self._made_with(film, making, chain)))

    def seconds(self, film: str, making: Making) -> float:
        """How long the film is."""
        parts = parts_of(self._made_with(film, making, making.film))
        frames: int = sum(part.stop - part.start for part in parts)
        return frames / self.fps

    def _made_with(self, film: str, making: Making, chain: Sequence[Take]) -> list[dict[str, Any]]:
        return [self.shot(film, making, take.own).settings for take in chain]

    def export(self, film: str, making: Making) -> list[Path]:
        """The film, its prompts, a file that `harness generate --replay` makes it from again, and its image. Raises UseError where
        there is no clip."""
        if not making.film:
            raise UseError("there is nothing to export: make a clip first")
        folder = self.shelf.folder(film) / EXPORT
        folder.mkdir(exist_ok=True)
        video = folder / f"{slug(making.title)}.mp4"
        chain = making.film
        join(video, self._made_with(film, making, chain), [take.name for take in chain], self.takes)
        (folder / PROMPTS).write_text("".join(f"{take.prompt}\n" for take in making.film), encoding="utf-8")
        shutil.copyfile(self.shelf.folder(film) / making.image, folder / making.image)
        self.directed(making).write(folder / SETTINGS)
        for old in folder.glob("*.mp4"):
            if old != video:
                old.unlink()
        return [video, folder / PROMPTS, folder / SETTINGS, folder / making.image]

    def directed(self, making: Making) -> DirectedFilm:
        """All that the film was made from."""
        return DirectedFilm(
            profile=self.setup.profile,
            recipes=list(self.setup.recipes),
            overrides=dict(self.setup.overrides),
            loras=list(self.setup.loras),
            image=making.image,
            fit=making.fit,
            clips=[
                DirectedClip(prompt=take.prompt, seed=take.seed, own=take.own, take=take.name) for take in making.film
            ],
        )


def slug(title: str) -> str:
    """A title as part of a file's name: letters and digits of ASCII alone."""
    return "-".join(re.findall("[A-Za-z0-9]+", title))[:60].lower() or "film"


def one_line(error: BaseException) -> str:
    """What failed, in a line for people."""
    text = " ".join(str(error).split())[:500]
    return text if isinstance(error, UseError) and text else f"{type(error).__name__}: {text}"
