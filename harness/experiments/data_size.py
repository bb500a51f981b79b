"""How many clips to fine-tune on, at equal steps; the base model has seen all of them."""

from collections.abc import Iterator

from harness.declare.spec import Variant, experiment


@experiment(baseline="all", tracks=("consistent-50s",))
def data_size() -> Iterator[Variant]:
    """How many training clips does error recycling need?"""
    yield Variant("base", {"train.enabled": False})
    for clips in (16, 64, 256, 1024):
        yield Variant(f"clips_{clips}", {"train.clips": clips})
    yield Variant("all")
