"""How an image or a video of another shape becomes the beginning of a film, and what is said of it."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from harness.core.errors import UseError
from harness.plan.model import Model
from harness.plan.pipeline import Builder
from svi.data.picture import kept, open_upright, same_shape

Fit = Literal["crop", "pad", "whole"]
"""Its middle; all of it between black bars; or a film of its shape, with about as many pixels as the profile's."""


def fitted(model: Model, size: tuple[int, int], fit: Fit, builder: Builder) -> Model:
    """The model of these settings, or for a film of the shape of such an image. Raises UseError where it cannot make that."""
    if fit != "whole":
        return model
    if model.embedded:
        raise UseError(
            "--fit whole: the embedded model makes films of one size alone; take --fit pad to see the whole image"
        )
    data = model.settings.data
    height, width = same_shape(*size, data.height * data.width, model.multiple)
    changed = data.model_copy(update={"height": height, "width": width})
    return builder.model(model.settings.model_copy(update={"data": changed}))


def lost(given: str, size: tuple[int, int], fit: Fit, model: Model, choose: str = "--fit") -> Iterator[str]:
    """What of an image or video, `given` by that option, the film will not show, or of the film is bars, where that is more than a
    hundredth; `choose`: how another fit is asked for."""
    height, width = size
    data = model.settings.data
    sizes = f"{given} is {width} x {height} pixels, the film {data.width} x {data.height}"
    if fit == "pad":
        shown = (part.stop - part.start for part in kept(data.height, data.width, height, width))
        bars = 1 - math.prod(shown) / (data.height * data.width)
        if bars > 0.01:
            yield f"{sizes}: {100 * bars:.0f} % of it are black bars"
        return
    parts = kept(height, width, data.height, data.width)
    for name, side, part in zip(("rows", "columns"), (height, width), parts, strict=True):
        share = 1 - (part.stop - part.start) / side
        if share > 0.01:
            yield f"{sizes}: {name} {part.start} to {part.stop - 1} of {side} are kept, the other {100 * share:.0f} % are cut"
            yield f"for the whole of it: {choose} {'pad' if model.embedded else f'whole, or {choose} pad'}"


def size_of(file: Path, given: str = "--image") -> tuple[int, int]:
    """Height and width of an image. Raises UseError for none."""
    try:
        width, height = open_upright(file).size
    except ValueError as error:
        raise UseError(f"{given} {error}") from error
    return height, width
