"""What a new film may start from at once: a scene of the embedded world, or a sample that comes with the harness."""

from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from benchmarks.samples import read_prompts
from harness.desk.shelf import Shelf
from harness.plan.model import Model
from svi.data.worlds import WORLDS

SAMPLE, PROMPTS, SEED = "hot_air_balloon", 3, 5


class Example(NamedTuple):
    """An image, and the prompts of its first clips."""

    image: Path
    prompts: tuple[str, ...]


def example(model: Model, shelf: Shelf) -> Example:
    """For this model; a scene is drawn into the shelf's folder."""
    if not model.embedded:
        folder = Path(str(files("benchmarks") / "bundled" / SAMPLE))
        return Example(folder / "frame.jpg", tuple(read_prompts(folder / "prompt.txt"))[:PROMPTS])
    data, rng = model.settings.data, np.random.default_rng(SEED)
    world = WORLDS[data.world]
    story = world.storyline(world.draw_scene(rng, data.height, data.width), PROMPTS, rng)
    shelf.root.mkdir(exist_ok=True)
    file = shelf.root / f"example-{data.world}.png"
    Image.fromarray(world.render(story[:1])[0]).save(file)
    return Example(file, tuple(scene.prompt for scene in story))
