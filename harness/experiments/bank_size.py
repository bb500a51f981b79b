"""The paper's ablation of the bank's capacity Z (Table 8)."""

from collections.abc import Iterator

from harness.declare.spec import Variant, experiment


@experiment(baseline="Z_500", tracks=("consistent-50s",), compare_to="svi-8")
def bank_size() -> Iterator[Variant]:
    """How many past errors must a slot of the bank keep?"""
    for capacity in (1, 10, 100, 500, 1000, 2000):
        yield Variant(f"Z_{capacity}", {"bank.capacity": capacity})
