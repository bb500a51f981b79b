"""E_img without the others: the authors say that small models may do better so (their development log)."""

from collections.abc import Iterator

from harness.declare.spec import Variant, experiment


@experiment(
    baseline="full",
    tracks=("consistent-50s",),
    yes_if=("only_e_img", "better"),
    published="The authors' notes beside their code say that small models may do better so, without figures.",
)
def only_e_img() -> Iterator[Variant]:
    """Does E_img alone stop drift better than all three errors together?"""
    yield Variant("base", {"train.enabled": False})
    yield Variant("lora_only", {"injection.p_clean": 1.0})
    yield Variant("full")
    yield Variant("only_e_img", {"injection.p_vid": 0.0, "injection.p_noi": 0.0})
    yield Variant("only_e_img_last", {"injection.p_vid": 0.0, "injection.p_noi": 0.0, "injection.img_pick": "last"})
