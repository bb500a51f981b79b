"""Recipes: values laid over a profile. `svi-tiny` and those of declare/family.py are whole, `paper` and `code` a layer.

A later recipe wins over an earlier one.
"""

from dataclasses import dataclass, field
from typing import Any

from harness.core.registry import Registry
from harness.declare.family import FAMILY, rows, side_rows


@dataclass(frozen=True)
class Recipe:
    """Dotted settings and where they come from; a member of the family has a row of sources, and figures that are no setting."""

    about: str
    values: dict[str, Any]
    sources: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


RECIPES: Registry[Recipe] = Registry("recipe")

_TINY: dict[str, Any] = {
    "condition.motion_frames": 1,
    "condition.p_motion": 1.0,
    "condition.padding": "repeat",
    "injection.p_vid": 0.9,
    "injection.p_img": 0.9,
    "injection.p_noi": 0.01,
    "injection.p_clean": 0.2,
    "injection.img_run": 1,
    "injection.img_spread": "tile",
    "bank.capacity": 64,
    "bank.warmup": 20,
    "train.adapter": "full",
    "train.steps": 3000,
    "train.batch": 16,
    "train.lr": 1.5e-3,
    "train.schedule": "cosine",
    "generate.steps": 8,
    "generate.shift": 3.0,
    "generate.guidance": 1.0,
}
RECIPES.add(
    "svi-tiny",
    Recipe("Film-like error recycling on the embedded world (docs/toy-world.md says how its values were found)", _TINY),
)
RECIPES.add(
    "svi-small",
    Recipe(
        "the same by LoRA, on the larger embedded world",
        {**_TINY, "train.adapter": "lora", "train.rank": 64, "train.alpha": 64, "train.steps": 5000, "train.lr": 2e-3},
    ),
)


def _add(name: str, about: str, found: dict[str, tuple[Any, str]], notes: tuple[str, ...] = ()) -> None:
    values = {key: value for key, (value, _) in found.items()}
    RECIPES.add(name, Recipe(about, values, {key: source for key, (_, source) in found.items()}, notes))


for _side, _whose in (("paper", "the paper's"), ("code", "the authors' code's")):
    _add(_side, f"{_whose} side of the rows where the sources disagree, as SVI-Film has them", side_rows(_side))

for _name, _member in FAMILY.items():
    _add(_name, _member.about, rows(_name, "code"), _member.notes)
    for _side in ("paper", "code"):
        _add(f"{_name}/{_side}", f"{_name} on the side of the {_side}", rows(_name, _side), _member.notes)
