"""The paper's ablation of the LoRA's strength at test time (Table 7): one training, a film for each strength."""

from collections.abc import Iterator

from harness.declare.spec import Variant, experiment


@experiment(
    baseline="alpha_1",
    tracks=("consistent-50s",),
    compare_to="svi-7",
    yes_if=("alpha_0.8", "worse"),
    published="No: subject consistency is 92.2 at alpha .2, 97.5 at .4, 99.6 at .8 and 98.5 at 1; imaging quality is 77.3 "
    "to 78.1 throughout (arXiv 2510.09212, Table 7).",
)
def lora_alpha() -> Iterator[Variant]:
    """Do films need the fine-tuning at its full strength?"""
    yield Variant("base", {"train.enabled": False})
    for alpha in (0.2, 0.4, 0.8, 1.0):
        yield Variant(f"alpha_{alpha:g}", {"generate.alpha": alpha})
