"""The paper's ablation of the bank's capacity Z (Table 8)."""

from collections.abc import Iterator

from harness.declare.spec import Variant, experiment


@experiment(
    baseline="Z_500",
    tracks=("consistent-50s",),
    compare_to="svi-8",
    published="500: imaging quality is 57.0, 53.0 with Z 1, 55.3 with 100 and 54.6 with 2000; subject consistency is 67.4 to 69.3 "
    "throughout (arXiv 2510.09212, Table 8).",
)
def bank_size() -> Iterator[Variant]:
    """How many past errors must a slot of the bank keep?"""
    for capacity in (1, 10, 100, 500, 1000, 2000):
        yield Variant(f"Z_{capacity}", {"bank.capacity": capacity})
