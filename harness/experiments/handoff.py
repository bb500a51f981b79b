"""Handing on pixels or latents, of the base model and of the fine-tuned one."""

from collections.abc import Iterator

from harness.declare.spec import Variant, experiment


@experiment(
    baseline="pixel",
    tracks=("consistent-50s", "creative-50s"),
    yes_if=("latent", "different"),
    published="No comparison: the authors' version 1 hands on decoded frames, their 2.0 Pro latents; their notes say that bf16 and "
    "a tiled VAE leave artefacts on still backgrounds.",
)
def handoff() -> Iterator[Variant]:
    """Does it matter whether a clip hands on decoded frames, encoded again, or its last latents?"""
    for how in ("pixel", "latent"):
        yield Variant(f"base_{how}", {"train.enabled": False, "generate.handoff": how})
        yield Variant(how, {"generate.handoff": how})
