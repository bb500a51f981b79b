"""What a film begins with, as the page has it: its image, its title, and how an image of another shape is fitted."""

from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from harness.core.errors import UseError
from harness.desk.desk import Desk
from harness.desk.example import example
from harness.desk.making import Making
from harness.plan.image_fit import Fit
from harness.plan.shots import Start


class Beginning:
    """Its components, which a film that has begun fixes; `usual`: an image and prompts that are there at once."""

    def __init__(self, desk: Desk) -> None:
        self._desk, self.usual = desk, example(desk.shots.model, desk.shelf)
        self._said = dict[Start, str]()
        self.image = gr.Image(str(self.usual.image), type="filepath", label="Start image", height=170, elem_id="image",
            sources=["upload"], buttons=[])  # fmt: skip
        with gr.Row():
            self.title = gr.Textbox("", label="Title", placeholder="untitled", max_length=200, elem_id="title")
            self.fit = gr.Radio([*desk.shots.fits], value="crop", label="Fit", elem_id="fit")
        self.lost = gr.HTML(elem_id="lost")
        self.parts = [self.image, self.title, self.fit, self.lost]

    def wire(self, how: dict[str, Any]) -> None:
        """What is said changes with the image and how it is fitted."""
        listen: tuple[Callable[..., Any], ...] = (self.image.upload, self.image.clear, self.fit.input)
        for changed in listen:
            changed(self.said, [self.image, self.fit], **{**how, "outputs": [self.lost]})

    def shown(self, film: str, making: Making | None) -> dict[Any, Any]:
        """Of a film, or before there is one."""
        begun = making is not None
        image = self.usual.image if making is None else self._desk.shelf.folder(film) / making.image
        fit: Fit = "crop" if making is None else making.fit
        return {
            self.image: gr.update(value=str(image), interactive=not begun),
            self.title: gr.update(value=making.title if making else "", interactive=not begun),
            self.fit: gr.update(value=fit, interactive=not begun),
            self.lost: self.said(str(image), fit),
        }

    def said(self, image: str | None, fit: Fit) -> str:
        """What the film will not show of the image."""
        if image is None:
            return ""
        start = Start(Path(image), fit)
        if start not in self._said:
            try:
                self._said[start] = self._desk.shots.lost(start)
            except UseError as error:
                self._said[start] = str(error)
        return f"<div class='choice'>{escape(self._said[start])}</div>"
