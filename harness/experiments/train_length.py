"""How long to fine-tune: users report that thousands of steps overfit. Each length is a training with a schedule of its own."""

from collections.abc import Iterator

from harness.declare.spec import Variant, experiment


@experiment(
    baseline="steps_3000",
    tracks=("consistent-50s",),
    published="No figures: users of the authors' code report that thousands of steps overfit.",
)
def train_length() -> Iterator[Variant]:
    """How many steps of error recycling does it take to stop drift, and do more do harm?"""
    yield Variant("base", {"train.enabled": False})
    for steps in (250, 500, 1000, 2000, 3000, 8000):
        yield Variant(f"steps_{steps}", {"train.steps": steps})
