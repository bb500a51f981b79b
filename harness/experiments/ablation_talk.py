"""Whether a film keeps in step with its sound (SVI-Talk), and what error recycling has to do with it."""

from collections.abc import Iterator

from harness.declare.spec import Variant, experiment

# No variant is trained on another's sound, or on none: these are controls of what films follow, with one set of weights.
CONTROLS = (
    Variant("another_signal", {"generate.signal": "another"}),
    Variant("no_signal", {"generate.signal": "none"}),
)


@experiment(
    tracks=("consistent-250s",),
    settings={"condition.signal": "audio"},
    trivial=False,
    compare_to="svi-2",
    yes_if=("another_signal", "worse"),  # scored by the film's own sound: by the end it must tell them apart
    published="SVI-Talk does: Sync-C is 6.1, that of MultiTalk 1.3 and of Wan 2.1 .2 (arXiv 2510.09212, Table 2). Which error "
    "does it was not tried.",
)
def ablation_talk() -> Iterator[Variant]:
    """Does a film keep in step with its sound for minutes?"""
    yield Variant("base", {"train.enabled": False})
    yield Variant("lora_only", {"injection.p_clean": 1.0})
    yield Variant("full")
    yield Variant("no_e_img", {"injection.p_img": 0.0})
    yield from CONTROLS
