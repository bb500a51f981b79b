"""The settings of the next clip, as the page has them: seed, guidance, steps, padding, motion frames."""

from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr

from harness.core.errors import UseError
from harness.declare.numbers import LARGEST_SEED
from harness.plan.shots import OWN

DIGITS = 100  # of a number that is read at all: Python refuses thousands
PADDING = ("zeros", "repeat", "reference")


class Knobs:
    """Their components; `own` in the order of `harness.plan.shots.OWN`."""

    def __init__(self, usual: Mapping[str, Any]) -> None:
        self.usual = usual
        gr.HTML("<h3>The next clip is made with</h3>")
        with gr.Row():
            self.seed = gr.Textbox(
                "", label="Seed", placeholder="free one", max_length=20, elem_id="seed", min_width=110
            )
            motion = gr.Number(usual["condition.motion_frames"], label="Motion frames", precision=0, minimum=1,
                elem_id="motion", min_width=110)  # fmt: skip
        with gr.Row():
            guidance = gr.Number(usual["generate.guidance"], label="Guidance", minimum=0, step=0.5, elem_id="guidance",
                min_width=110)  # fmt: skip
            steps = gr.Number(usual["generate.steps"], label="Steps", precision=0, minimum=1, elem_id="steps",
                min_width=110)  # fmt: skip
        self._padding = gr.Dropdown([*PADDING], value=str(usual["condition.padding"]), label="Padding",
            allow_custom_value=True, elem_id="padding")  # fmt: skip
        self.own = [guidance, steps, self._padding, motion]

    def shown(self, values: Mapping[str, Any] | None) -> dict[Any, Any]:
        """What they show for a clip's settings; None: the usual ones."""
        values = values or self.usual
        return {
            part: str(values[key]) if part is self._padding else values[key]
            for part, key in zip(self.own, OWN, strict=True)
        }


def settings_in(own: Sequence[Any]) -> dict[str, Any]:
    """What was filled in, by the names of settings. Raises UseError for one that was not."""
    guidance, steps, padding, motion = own
    if guidance is None or steps is None or motion is None or not padding:
        raise UseError("guidance, steps, padding and motion frames are to be filled in, at the right")
    return {
        "generate.guidance": float(guidance),
        "generate.steps": int(steps),
        "condition.padding": int(padding) if str(padding).isdecimal() else str(padding),
        "condition.motion_frames": int(motion),
    }


def seed_in(text: str) -> int | None:
    """None: a free one. Raises UseError for what is no seed."""
    if not text.strip():
        return None
    if not text.strip().isdecimal() or len(text) > DIGITS or int(text) > LARGEST_SEED:
        raise UseError(
            f"seed {text[:30]!r}: expected a whole number from 0 to {LARGEST_SEED}, or nothing for a free one"
        )
    return int(text)
