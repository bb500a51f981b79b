"""One seed for every clip of a film, or a new one a clip, of the base model and of the fine-tuned one."""

from collections.abc import Iterator

from harness.declare.spec import Variant, experiment


@experiment(
    baseline="varied",
    tracks=("consistent-50s", "creative-50s"),
    yes_if=("fixed", "worse"),
    published="The authors say yes beside their code, without figures; theirs has seed 42 i for clip i.",
)
def seeds_per_clip() -> Iterator[Variant]:
    """Does a fixed seed over clips accumulate artefacts, as the authors say?"""
    for name, stride in (("fixed", 0), ("varied", 42)):
        yield Variant(f"base_{name}", {"train.enabled": False, "generate.seed_stride": stride})
        yield Variant(name, {"generate.seed_stride": stride})
