"""The paper's main ablation (Table 4), with the control that it lacks."""

from collections.abc import Iterator

from harness.declare.spec import Variant, experiment


@experiment(
    baseline="full", tracks=("consistent-50s", "creative-50s"), compare_to="svi-4", yes_if=("no_e_img", "worse")
)
def ablation_eimg() -> Iterator[Variant]:
    """Is the conditioning-frame error E_img what stops drift?"""
    yield Variant("base", {"train.enabled": False})
    yield Variant("lora_only", {"injection.p_clean": 1.0})
    yield Variant("full")
    yield Variant("no_e_img", {"injection.p_img": 0.0})
    yield Variant("no_e_vid", {"injection.p_vid": 0.0})
    yield Variant("no_e_noi", {"injection.p_noi": 0.0})
