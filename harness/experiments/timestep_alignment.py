"""From which timestep's slot of the bank errors are drawn: E_vid and E_noi from that of the sample, E_img from any (the paper)."""

from collections.abc import Iterator

from harness.declare.spec import Variant, experiment

HALF = 24  # the last of the 25 noisier of 50 slots


@experiment(
    baseline="full",
    tracks=("consistent-50s",),
    published="No comparison: the paper draws E_vid and E_noi of the sample's own timestep and E_img of any (arXiv 2510.09212).",
)
def timestep_alignment() -> Iterator[Variant]:
    """Must an injected error be one that the model made at the sample's own timestep?"""
    yield Variant("full")
    yield Variant("vid_noi_any", {"injection.vid_noi_from": "slots"})
    yield Variant("img_own", {"injection.img_from": "slot"})
    yield Variant("img_noisy", {"injection.img_last_slot": HALF})
    yield Variant("img_clean", {"injection.img_first_slot": HALF + 1})
