"""Whether a film keeps to its skeleton (SVI-Dance), and what error recycling has to do with it."""

from collections.abc import Iterator

from harness.declare.spec import Variant, experiment
from harness.experiments.ablation_talk import CONTROLS


@experiment(
    tracks=("consistent-50s",),
    settings={"condition.signal": "pose"},
    trivial=False,
    compare_to="svi-3",
    yes_if=("another_signal", "worse"),  # scored by the film's own skeleton
    published="SVI-Dance does: PSNR is 20.0, that of UniAnimate-DiT 19.0 and of Wan 2.1 12.1 (arXiv 2510.09212, "
    "Table 3). Which error does it was not tried.",
)
def ablation_dance() -> Iterator[Variant]:
    """Does a film keep to its skeleton to the end?"""
    yield Variant("base", {"train.enabled": False})
    yield Variant("lora_only", {"injection.p_clean": 1.0})
    yield Variant("full")
    yield Variant("no_e_img", {"injection.p_img": 0.0})
    yield from CONTROLS
