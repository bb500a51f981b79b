"""Draws the bundled pictures: `python -m benchmarks.bundled.draw OUT` writes OUT/<name>/frame.jpg and its prompt.txt.

The pictures are drawn from numbers alone, so that anybody may use them; seeds make them the same every time.
"""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.bundled import land, sea
from benchmarks.bundled.paint import Floats, finished

QUALITY = 88
PICTURES: dict[str, Callable[[], Floats]] = {
    picture.__name__: picture for picture in (sea.sailing_boat, land.hot_air_balloon, sea.lighthouse, land.red_fox)
}


def main(arguments: list[str]) -> int:
    """`arguments`: the folder to fill. Returns the exit code."""
    if len(arguments) != 1:
        print("usage: python -m benchmarks.bundled.draw OUT", file=sys.stderr)
        return 2
    for name, picture in PICTURES.items():
        folder = Path(arguments[0]) / name
        folder.mkdir(parents=True, exist_ok=True)
        finished(picture()).save(folder / "frame.jpg", quality=QUALITY)
        story = Path(__file__).with_name(name) / "prompt.txt"
        if story.resolve() != (folder / "prompt.txt").resolve():
            shutil.copyfile(story, folder / "prompt.txt")
        print(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
