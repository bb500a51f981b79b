"""Whose error is put back into the image that a clip starts from: users fear that an error of other footage does harm.

So few clips that each has errors of its own in the bank: four of each of the embedded world's prompts, seen over and over.
"""

from collections.abc import Iterator

from harness.declare.spec import Variant, experiment


@experiment(
    baseline="any",
    tracks=("consistent-50s",),
    settings={"train.clips": 768},
    published="Nothing: users of the authors' code ask it, and have no answer.",
)
def error_domain() -> Iterator[Variant]:
    """Must an injected E_img be an error of the clip itself, or of its scene, or does any serve, even with its pixels shuffled?"""
    yield Variant("lora_only", {"injection.p_clean": 1.0})
    for domain in ("any", "scene", "clip", "shuffled"):
        yield Variant(domain, {"injection.img_domain": domain})
