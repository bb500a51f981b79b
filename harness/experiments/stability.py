"""Quality against length, 800 to 4,800 frames at 16 fps (the paper's Fig. 5), from one film of 300 s a variant."""

from collections.abc import Iterator

from harness.declare.spec import Variant, experiment


@experiment(baseline="full", tracks=("consistent-300s",))
def stability() -> Iterator[Variant]:
    """Up to which length does quality hold?"""
    yield Variant("base", {"train.enabled": False})
    yield Variant("lora_only", {"injection.p_clean": 1.0})
    yield Variant("full")
