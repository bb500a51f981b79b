"""The films of a store that are in the making: each is a folder, read and changed whole, by any number of desks at once."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from secrets import token_hex

from filelock import FileLock
from pydantic import ValidationError

from harness.core.artifacts import DESK, MAKING, TAKEN
from harness.core.atomic import replacing, write_json
from harness.core.errors import UseError
from harness.desk.making import Making


class ChangedElsewhere(UseError):
    """Somebody else, such as another tab, has changed the film since it was looked at."""


class Shelf:
    """Films by their ids, 16 hexadecimal digits."""

    def __init__(self, store: Path) -> None:
        self.root = store / DESK

    def add(self, making: Making, image: Callable[[Path], None]) -> str:
        """A new film; `image` writes its image to the path it is given. Returns its id. Raises UseError, OSError."""
        film = token_hex(8)
        folder = self.root / film
        folder.mkdir(parents=True)
        image(folder / making.image)
        self._write(film, making)
        return film

    def folder(self, film: str) -> Path:
        """Raises UseError for what is no id of a film here."""
        if not re.fullmatch("[0-9a-f]{16}", film) or not (self.root / film / MAKING).is_file():
            raise UseError(
                f"film {film[:16]!r}: there is no such film here; choose one of the list, or begin a new one"
            )
        return self.root / film

    def read(self, film: str) -> Making:
        """Raises UseError for a film that is not there or damaged."""
        file = self.folder(film) / MAKING
        try:
            return Making.model_validate_json(file.read_text(encoding="utf-8"))
        except (OSError, ValidationError, UnicodeDecodeError) as error:
            raise UseError(f"{file} cannot be read; move its folder away. Its takes are kept ({error})") from error

    def films(self, setup: str) -> Iterator[tuple[str, Making]]:
        """Those of one setup, the last changed first; damaged ones are left out."""
        files = sorted(self.root.glob(f"*/{MAKING}"), key=lambda file: file.stat().st_mtime, reverse=True)
        for file in files:
            try:
                making = self.read(file.parent.name)
            except UseError:
                continue
            if making.setup == setup:
                yield file.parent.name, making

    def change(self, film: str, act: Callable[[Making], Making], seen: int | None = None) -> Making:
        """The film after `act`; where that raises, nothing has changed. Raises ChangedElsewhere where the film has another revision
        than was seen."""
        with FileLock(self.folder(film) / ".lock"):
            making = self.read(film)
            if seen is not None and making.revision != seen:
                raise ChangedElsewhere(
                    "this film was changed in another tab; it is shown as it is now: look, and press again"
                )
            changed = act(making)
            if changed != making:
                self._write(film, changed)
            return changed

    def _write(self, film: str, making: Making) -> None:
        write_json(self.root / film / TAKEN, [take.name for take in making.takes])
        with replacing(self.root / film / MAKING) as fresh:
            fresh.write_text(making.model_dump_json(indent=1), encoding="utf-8")
