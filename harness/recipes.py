"""Recipes: values laid over a profile. `svi-tiny` is whole; `paper` and `code` set the rows where the sources disagree.

Sources: [P] arXiv 2510.09212, [C] the authors' v1.0 code. A later recipe wins over an earlier one.
"""

from dataclasses import dataclass
from typing import Any

from harness.registry import Registry


@dataclass(frozen=True)
class Recipe:
    """Dotted settings and where they come from."""

    about: str
    values: dict[str, Any]


RECIPES: Registry[Recipe] = Registry("recipe")

RECIPES.add(
    "svi-tiny",
    Recipe(
        "Film-like error recycling on the embedded world (docs/toy-world.md says how its values were found)",
        {
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
        },
    ),
)

RECIPES.add(
    "paper",
    Recipe(
        "the paper's side of the rows where paper, code and notes disagree (SVI-Film; not the frame rate)",
        {
            "train.lr": 2e-5,
            "injection.p_vid": 0.9,
            "injection.p_img": 0.9,
            "injection.p_noi": 0.01,
            "injection.p_clean": 0.5,
            "injection.img_run": 1,
            "bank.warmup": 20,
            "bank.p_clean_update": 1.0,
            "condition.p_motion": 0.95,
            "flow.t_sampling": "uniform",
            "flow.slot_grid": "inference",
            "flow.loss_weight": "none",
            "flow.truth": "clean",
            "generate.handoff": "pixel",
        },
    ),
)

RECIPES.add(
    "code",
    Recipe(
        "the authors' code's side of the same rows",
        {
            "train.lr": 1e-4,
            "injection.p_vid": 0.9,
            "injection.p_img": 0.9,
            "injection.p_noi": 0.01,
            "injection.p_clean": 0.5,
            "injection.img_run": 3,
            "bank.warmup": 50,
            "bank.p_clean_update": 0.1,
            "condition.p_motion": 0.9,
            "flow.t_sampling": "shifted",
            "flow.slot_grid": "inference",
            "flow.loss_weight": "bell",
            "flow.truth": "integration",
            "generate.handoff": "pixel",
        },
    ),
)
