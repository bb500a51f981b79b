"""A desk over the small embedded model, and takes that nobody made."""

from pathlib import Path

from PIL import Image

from harness.core.store import Store
from harness.declare.spec import parse_overrides
from harness.desk.desk import Asked, Desk
from harness.desk.making import Making, Take
from harness.plan.shots import Setup
from tests.harness.finished import copied
from tests.harness.small import SMALL

PROMPT = "red disc slowly east sand stripes"


def desk_of(store: Path) -> Desk:
    """Over a copy of a finished experiment's store, whose base model is there."""
    return Desk(Setup("tiny", (), parse_overrides(SMALL), ()), Store(copied(store) if not store.exists() else store))


def begun(desk: Desk, folder: Path) -> str:
    """The id of a new film."""
    Image.new("RGB", (90, 160), (200, 40, 90)).save(folder / "start.png")
    return desk.begin("A film", folder / "start.png", "crop")


def shot(desk: Desk, film: str, prompt: str = PROMPT, seed: int | None = None, **own: object) -> Making:
    """With one clip more."""
    making = desk.shelf.read(film)
    return desk.make(film, Asked(making.head, prompt, seed, asked(desk, **own)), making.revision)


def asked(desk: Desk, **own: object) -> dict[str, object]:
    """The settings of a clip, some of them others than usual (by their last names)."""
    return {key: own.get(key.rpartition(".")[2], value) for key, value in desk.shots.own().items()}


def take(name: str, before: str | None = None, prompt: str = "a", seed: int = 0) -> Take:
    return Take(name=name, before=before, root="r", prompt=prompt, seed=seed, own={})
