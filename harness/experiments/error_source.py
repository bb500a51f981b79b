"""The paper's ablation of where injected errors come from (Table 6), with the controls that it lacks."""

from collections.abc import Iterator

from harness.declare.spec import Variant, experiment


@experiment(
    baseline="self_generated",
    tracks=("consistent-50s",),
    compare_to="svi-6",
    yes_if=("hand_crafted", "worse"),
    published="The model's own: imaging quality is 57.0, 45.2 with hand-crafted errors and 39.5 with both; subject consistency is "
    "69.2 to 69.3 with any (arXiv 2510.09212, Table 6).",
)
def error_source() -> Iterator[Variant]:
    """Must injected errors be the model's own, or do hand-crafted ones of the same size stop drift as well?"""
    yield Variant("base", {"train.enabled": False})
    yield Variant("lora_only", {"injection.p_clean": 1.0})
    yield Variant("self_generated", {"injection.source": "self"})
    yield Variant("hand_crafted", {"injection.source": "handcrafted"})
    yield Variant("both", {"injection.source": "both"})
