"""What is called a difference, and that a card which computes something else does not pass."""

import torch

from svi.card.compare import Check, compared, distance, last_line
from svi.card.made import Dtype, Made


def two(changed: float = 0.0, coarse: float = 0.0) -> dict[Dtype, Made]:
    """A result, off by so much of its length; in bfloat16 by another such length besides."""
    exact = torch.ones(100)
    wrong = torch.ones(100) * (1 + changed)
    return {
        "float32": Made({"forward": wrong}),
        "bfloat16": Made({"forward": exact * (1 + changed + coarse)}),
    }


def states(card: dict[Dtype, Made], processor: dict[Dtype, Made]) -> list[str]:
    return [check.state for check in compared(card, processor)]


def test_within_the_tolerance_passes_and_beyond_it_fails() -> None:
    assert states(two(), two()) == ["passed", "passed"]
    assert states(two(changed=5e-5), two()) == ["passed", "passed"]
    assert states(two(changed=5e-2), two()) == ["failed", "failed"]


def test_bfloat16_may_lose_twice_what_the_processor_loses() -> None:
    assert states(two(coarse=0.05), two(coarse=0.03)) == ["passed", "passed"]
    assert states(two(coarse=0.09), two(coarse=0.03)) == ["passed", "failed"]


def test_no_number_and_another_size_are_infinitely_far() -> None:
    assert distance(torch.tensor([float("nan")]), torch.ones(1)) == float("inf")
    assert distance(torch.ones(2), torch.ones(1)) == float("inf")
    assert distance(torch.zeros(3), torch.zeros(3)) == 0.0


def test_what_a_card_could_not_do_has_failed() -> None:
    card = two()
    card["float32"] = Made({}, {"forward": "Traceback\n  File x\nRuntimeError: no kernel image is available\n"})
    first, second = compared(card, two())
    assert first == Check("forward", "failed", "float32", note="RuntimeError: no kernel image is available")
    assert second.state == "passed"
    assert last_line("") == "nothing was said"
