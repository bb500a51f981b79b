"""What a run is called: its experiment's name, and behind it what of the declaration was overridden."""

import hashlib
import re
from collections.abc import Collection, Iterator
from pathlib import PurePath

from harness.core.names import check_name
from harness.core.signature import flat
from harness.declare.files import of_file
from harness.declare.profiles import DEFAULT
from harness.declare.request import Request
from harness.declare.settings import Settings

LONG = 60  # letters of a name that people still read
DIGITS = 8
# Settings that say where a file is, not what is in it: no part of a signature, but what they name is.
FILES = ("backbone.weights", "data.path", "eval.path", "score.reference", "score.audio")


def check_run_name(name: str) -> str:
    """The name, which is safe as a part of a path. Raises UseError."""
    return check_name("a run", name, also="=")


def run_name(request: Request, tracks: Collection[str], seeds: Collection[int]) -> str:
    """The experiment's name alone where the request has all of these tracks and seeds, and overrides nothing.

    Such as ablation_eimg-full-train.steps=50. Where that is too long, a digest stands for the last parts; where letters of
    another script cannot be in a path, it stands behind what is left.
    """
    given = list(_parts(request, tracks, seeds))
    parts = [re.sub(r"[^A-Za-z0-9_.=-]+", "_", part) for part in given]
    whole = "-".join(given)
    digest = hashlib.sha256(whole.encode(errors="surrogatepass")).hexdigest()[:DIGITS]
    name = "-".join(parts if whole.isascii() else [*parts, digest])
    while len(name) > LONG and len(parts) > 1:
        parts.pop()
        name = "-".join([*parts, digest])
    return name


def counted_overrides(request: Request) -> dict[str, object]:
    """The settings of the command line that change a result: not how often it is logged, nor where to.

    However they were typed: in the order of their names, and VIDEOS/ is VIDEOS.
    """
    counted = {*flat(Settings(), "identity"), *FILES}
    given = {key: value for key, value in sorted(request.overrides.items()) if key in counted}
    return {
        key: str(PurePath(value)) if key in FILES and isinstance(value, str) else value for key, value in given.items()
    }


def _parts(request: Request, tracks: Collection[str], seeds: Collection[int]) -> Iterator[str]:
    experiment = request.experiment
    yield experiment.name
    yield from (request.profile,) if request.profile != DEFAULT else ()
    yield from (recipe.replace("/", "-") for recipe in request.recipes)
    if request.only is not None:
        yield from (variant.name for variant in experiment.variants)
    if not set(tracks) <= set(experiment.tracks):
        yield from experiment.tracks
    if not set(seeds) <= set(experiment.seeds):
        yield f"seeds={'_'.join(map(str, experiment.seeds))}"
    yield from (f"{key}={_short(key, value)}" for key, value in counted_overrides(request).items())


def _short(key: str, value: object) -> str:
    """The value; of a path its last part, of FILE.py:NAME the name."""
    text = PurePath(value).name if key in FILES and isinstance(value, str) else str(value)
    return ",".join(part.rpartition(":")[2] if of_file(part) else part for part in text.split(","))
