"""The built-in sweeps. Directions are given, since to look them up would load torch for `harness list`."""

from sweeps.space import Choice, Float, Int
from sweeps.sweep import Objective, Sweep

_PROBABILITIES = {
    "injection.p_vid": Float(0.0, 1.0),
    "injection.p_img": Float(0.0, 1.0),
    "injection.p_noi": Float(0.0, 1.0),
    "injection.p_clean": Float(0.0, 0.9),
}
_PAPER = {"injection.p_vid": 0.9, "injection.p_img": 0.9, "injection.p_noi": 0.01, "injection.p_clean": 0.5}
_KNOWN = (
    _PAPER,  # and the code's Film
    {**_PAPER, "injection.p_clean": 0.2},  # the code's other members
    {"injection.p_vid": 0.5, "injection.p_img": 0.5, "injection.p_noi": 0.5, "injection.p_clean": 0.5},  # the notes
)

INJECTION = Sweep(
    question="How often should each error be injected?",
    space=_PROBABILITIES,
    known=_KNOWN,
    track="consistent-50s",
    objectives=(Objective("placed_psnr", "maximize"),),
)

# Fidelity alone rewards standing still. Motion is what neighbouring frames differ by, so flicker counts as well.
INJECTION_FRONT = Sweep(
    question="How often should each error be injected, for films that stay true and still move?",
    space=_PROBABILITIES,
    known=_KNOWN,
    track="consistent-50s",
    objectives=(Objective("placed_psnr", "maximize"), Objective("motion", "maximize")),
)

BANK = Sweep(
    question="How should the bank keep its errors?",
    space={
        "bank.capacity": Int(1, 2000, log=True),
        "bank.replacement": Choice("l2", "random", "fifo"),
        "bank.p_clean_update": Float(0.0, 1.0),
    },
    known=(
        {"bank.capacity": 500, "bank.replacement": "l2", "bank.p_clean_update": 0.1},  # the code
        {"bank.capacity": 500, "bank.replacement": "l2", "bank.p_clean_update": 1.0},  # the notes
    ),
    track="consistent-50s",
    objectives=(Objective("placed_psnr", "maximize"),),
)
