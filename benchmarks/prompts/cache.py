"""What was paid for once: whole storylines and painted images, by everything that decides them."""

import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.atomic import write_whole
from benchmarks.prompts.endpoint import EndpointPainter
from benchmarks.prompts.engine import Engine, JudgedReply, Storyline, write_storyline
from benchmarks.prompts.picture import VIEW_SIDE, Picture
from benchmarks.prompts.replies import Fault
from benchmarks.prompts.storyline import TEMPLATE, StorylineRequest


class Cache:
    """Records as `<sha256 of their key>.json` in a folder.

    Raises:
        ValueError: the folder cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ValueError(
                f"cache: {folder} cannot be made ({error.strerror}), expected a writable folder"
            ) from error

    def find(self, key: dict[str, Any]) -> dict[str, Any] | None:
        """The record that was kept under `key`; None where there is none, or none that can be read."""
        try:
            record = json.loads(self._path(key).read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return None
        return record["value"] if isinstance(record, dict) and isinstance(record.get("value"), dict) else None

    def keep(self, key: dict[str, Any], value: dict[str, Any]) -> None:
        """Keep `value` under `key`: the file appears whole or not at all. Raises ValueError: it cannot be written."""
        path = self._path(key)
        try:
            write_whole(path, json.dumps({"key": key, "value": value}, indent=1).encode())
        except OSError as error:
            raise ValueError(
                f"cache: {path} cannot be written ({error.strerror}), expected a writable folder"
            ) from error

    def _path(self, key: dict[str, Any]) -> Path:
        text = json.dumps(key, sort_keys=True)
        return self._folder / f"{hashlib.sha256(text.encode()).hexdigest()}.json"


def storyline(
    cache: Cache,
    engine: Engine,
    image: Picture,
    request: StorylineRequest,
    retries: int = 2,
    say: Callable[[str], None] = lambda _: None,
) -> tuple[Storyline, bool]:
    """The storyline, and whether it was kept from before; what failed is not kept, so that it is asked for again.

    Raises:
        ValueError: as `write_storyline`, or the cache cannot be written.
    """
    key = {
        "image": image.sha256,
        "view": VIEW_SIDE,
        "template": TEMPLATE,
        "request": request.text(),
        "engine": engine.describe(),
    }
    known = _known(cache.find(key), request)
    if known is not None:
        return known, True
    written = write_storyline(engine, image, request, retries, say)
    cache.keep(key, {"date": written.date, "attempts": [asdict(attempt) for attempt in written.attempts]})
    return written, False


def painted(cache: Cache, painter: EndpointPainter, keyword: str) -> Picture:
    """The painter's image of `keyword`, from before where there is one. Raises ValueError: as `EndpointPainter.paint`."""
    source = {**painter.describe(), "keyword": keyword}
    known = cache.find(source)
    name = f"the image of {keyword!r} from {source['endpoint']}"
    if known is not None:
        try:
            return Picture.decoded(base64.b64decode(known["base64"]), source, name)
        except (KeyError, TypeError, ValueError):
            pass  # damaged: painted again
    picture = Picture.decoded(painter.paint(keyword), source, name)
    cache.keep(source, {"base64": base64.b64encode(picture.data).decode()})
    return picture


def _known(record: dict[str, Any] | None, request: StorylineRequest) -> Storyline | None:
    """A kept storyline, read again from its last reply; None where that gives none."""
    try:
        attempts = tuple(JudgedReply(**attempt) for attempt in record["attempts"]) if record else ()
        return Storyline(request.read(attempts[-1].reply), attempts, str(record["date"])) if record else None
    except (KeyError, IndexError, TypeError, AttributeError, Fault):
        return None
