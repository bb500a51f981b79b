"""How often each error is injected: one probability at a time, away from the recipe's."""

from collections.abc import Iterator

from harness.declare.spec import Variant, experiment


@experiment(
    baseline="full",
    tracks=("consistent-50s",),
    published="No figures: the paper injects E_vid and E_img with .9, E_noi with .01 and nothing with .5 (arXiv 2510.09212); the "
    "authors' notes beside their code advise a lower share of nothing where a batch has less than 64 clips.",
)
def injection_probability() -> Iterator[Variant]:
    """How often must each error be injected, and how often nothing, for drift to stop?"""
    yield Variant("full")  # every recipe but the notes' has p_vid = p_img = .9, p_noi = .01
    for p in (0.0, 0.25, 0.5):
        yield Variant(f"p_img_{p:g}", {"injection.p_img": p})
    for p in (0.0, 0.5):
        yield Variant(f"p_vid_{p:g}", {"injection.p_vid": p})
    for p in (0.0, 0.5):
        yield Variant(f"p_noi_{p:g}", {"injection.p_noi": p})
    yield Variant("all_0.5", {f"injection.{p}": 0.5 for p in ("p_vid", "p_img", "p_noi")})
    for p in (0.0, 0.2, 0.5, 0.8):  # one of them is the recipe's own, and shares its stages
        yield Variant(f"p_clean_{p:g}", {"injection.p_clean": p})
