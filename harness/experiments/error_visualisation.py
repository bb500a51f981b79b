"""What the errors look like, before and after training, and injected into a condition (the paper's Fig. 6)."""

from collections.abc import Iterator

from harness.declare.spec import Variant, experiment


@experiment(
    baseline="full",
    tracks=("consistent-50s",),
    trivial=False,
    published="Pictures of injected errors, no figures (arXiv 2510.09212, Fig. 6).",
)
def error_visualisation() -> Iterator[Variant]:
    """Do injected errors look like drift, and do the model's own errors change by training on them?"""
    yield Variant("base", {"train.enabled": False})
    yield Variant("full", {"train.show_errors": True})
