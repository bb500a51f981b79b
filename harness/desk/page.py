"""The page: what a director sees and presses, with Gradio. All that it does is asked of the desk."""

import logging
import queue
import threading
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from functools import wraps
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from harness.core.errors import UseError
from harness.desk import show
from harness.desk.beginning import Beginning
from harness.desk.desk import Asked, Desk, one_line
from harness.desk.knobs import Knobs, seed_in, settings_in
from harness.desk.look import CSS, HEAD, PICK, theme
from harness.desk.making import Making, more_to_come, prompts_of
from harness.desk.record import Recorder
from harness.desk.shelf import ChangedElsewhere
from harness.plan.image_fit import Fit

__all__ = ["CSS", "HEAD", "page", "theme"]
LOOK = 0.2  # seconds between looks at a clip that is made
NEW = "a new film"
WAYS = ("next", "all", "again")
WAITING = "The clip waits for its turn; the model is opened."
log = logging.getLogger(__name__)
Shown = dict[Any, Any]
"""What components are to show, by component."""


@dataclass
class Tab:
    """What one tab looks at: a film, the revision that it was seen at, the take that was chosen."""

    film: str = ""
    seen: int = 0
    chosen: str | None = None


def page(desk: Desk, recorder: Recorder) -> gr.Blocks:
    """The page over a desk, whose films are recorded."""
    blocks = gr.Blocks(title="harness desk", analytics_enabled=False, fill_width=True, delete_cache=(86400, 86400))
    with blocks:
        Page(desk, recorder).wire(blocks)
    return blocks


class Page:
    """Its components, in the order in which they stand there, and what happens when one is used."""

    def __init__(self, desk: Desk, recorder: Recorder) -> None:
        self.desk, self.stopping, self.recorder = desk, set[str](), recorder
        profile = escape(desk.setup.profile)
        gr.HTML(
            f"<header><b>harness desk</b><span>one film, clip by clip · {profile}</span></header>", elem_classes="top"
        )
        with gr.Row(elem_classes="desk"):
            with gr.Column(scale=3, min_width=270):
                self.films = gr.Dropdown([(NEW, "")], value="", label="Film", elem_id="films")
                self.beginning = Beginning(desk)
                prompts = "\n".join(self.beginning.usual.prompts)
                self.prompts = gr.Textbox(prompts, label="Prompts to come: one clip a line", lines=5, max_lines=12,
                    info="The next clip shows the first line. Change them at any time.", elem_id="prompts")  # fmt: skip
            with gr.Column(scale=5, min_width=380):
                self.player = gr.HTML(elem_id="player")
                self.status = gr.HTML(elem_id="status")
                with gr.Row(elem_classes="main"):
                    self.next = gr.Button("▶ Next clip", variant="primary", scale=3, elem_id="next")
                    self.all = gr.Button("▶▶ All prompts", scale=2, elem_id="all")
                    self.stop = gr.Button("■ Stop", scale=1, interactive=False, elem_id="stop")
                with gr.Row(elem_classes="acts"):
                    self.again = gr.Button("↻ AGAIN", elem_id="again", min_width=90)
                    self.cut = gr.Button("✂ CUT", elem_id="cut", min_width=90)
                    self.branch = gr.Button("⤷ BRANCH", elem_id="branch", min_width=90)
                    self.undo = gr.Button("↶ Undo", elem_id="undo", min_width=90)
                    self.export = gr.Button("⤓ Export", elem_id="export", min_width=90)
                self.choice = gr.HTML(elem_id="choice")
                self.tree = gr.HTML(elem_id="tree", js_on_load=PICK)
                self.files = gr.File(label="Exported", visible=False, file_count="multiple", elem_id="files")
            with gr.Column(scale=3, min_width=270):
                self.gauge = gr.HTML(elem_id="gauge")
                self.measure = gr.Button("Measure gain and eps", size="sm", elem_id="measure")
                self.knobs = Knobs(desk.shots.own())
        self.tab = gr.State(Tab())
        self.acts = [self.next, self.all, self.again, self.cut, self.branch, self.undo, self.export, self.measure]
        self.all_shown = [self.tab, self.films, *self.beginning.parts, self.prompts, self.player, self.status, self.choice,
            self.tree, self.gauge, self.knobs.seed, self.files, self.stop, *self.knobs.own, *self.acts]  # fmt: skip

    def wire(self, blocks: gr.Blocks) -> None:
        quiet: dict[str, Any] = {"outputs": self.all_shown, "show_progress": "hidden", "api_visibility": "private"}
        beside: dict[str, Any] = {**quiet, "concurrency_limit": 16}
        edge = self._edge
        blocks.load(edge(self.open_last), [self.tab], **beside)
        self.films.input(edge(self.open), [self.tab, self.films], **beside)
        self.beginning.wire(beside)
        begin = self.beginning
        given = [self.tab, begin.image, begin.title, begin.fit, self.prompts, self.knobs.seed, *self.knobs.own]
        for way, button in zip(WAYS, (self.next, self.all, self.again), strict=True):
            button.click(edge(self._shooting(way)), given, **beside)
        self.tree.click(edge(self.choose), [self.tab], **beside)
        for name, button in (("cut", self.cut), ("branch", self.branch), ("undo", self.undo)):
            button.click(edge(self._acting(name)), [self.tab], **beside)
        self.export.click(edge(self.exported), [self.tab], **beside)
        self.measure.click(edge(self.measured), [self.tab], **beside)
        self.stop.click(self.stopped, [self.tab], **{**beside, "outputs": [self.status]})
        self.prompts.input(self.told, [self.tab, self.prompts], None, show_progress="hidden", trigger_mode="always_last",
            queue=False, api_visibility="private")  # fmt: skip

    # What is shown

    def view(self, tab: Tab, said: str = "", kind: str = "", *, clips: bool = True) -> Shown:
        """All of the film that the tab looks at, as it is now; the settings of its last clip where `clips` has changed."""
        making = self.desk.shelf.read(tab.film) if tab.film else None
        tab.seen = making.revision if making else 0
        if making is not None and tab.chosen not in [take.name for take in making.takes]:
            tab.chosen = making.head
        shown = self._film(tab, making) | self._buttons(making, busy=False)
        shown[self.status] = show.status(said or self._hint(making), kind=kind)
        if clips:
            shown |= self.knobs.shown(making.film[-1].own if making is not None and making.film else None)
        return shown

    def _film(self, tab: Tab, making: Making | None) -> Shown:
        seconds = self.desk.seconds(tab.film, making) if making else 0.0
        shown: Shown = {
            self.tab: tab,
            self.films: gr.update(choices=self._choices(), value=tab.film),
            self.player: show.player(tab.film, making, seconds),
            self.tree: show.tree(making, tab.chosen),
            self.gauge: show.gauge(making.film if making else ()),
            self.choice: self._chosen(tab, making),
            **self.beginning.shown(tab.film, making),
        }
        if prompts := self.beginning.usual.prompts if making is None else making.prompts:
            shown[self.prompts] = "\n".join(prompts)
        return shown

    def _buttons(self, making: Making | None, *, busy: bool) -> Shown:
        """What can be pressed."""
        film = bool(making and making.film)
        can = dict.fromkeys(self.acts, not busy and film)
        can |= {self.next: not busy, self.all: not busy, self.undo: not busy and bool(making and making.past)}
        return {button: gr.update(interactive=one) for button, one in can.items()} | {
            self.stop: gr.update(interactive=busy)
        }

    def _choices(self) -> list[tuple[str, str]]:
        films = [
            (f"{making.title or 'untitled'} · {len(making.film)} clips · {film[:4]}", film)
            for film, making in self.desk.films()
        ]
        return [(NEW, ""), *films]

    def _chosen(self, tab: Tab, making: Making | None) -> str:
        if making is None or tab.chosen is None:
            return ""
        take = making.take(tab.chosen)
        clip = len(making.chain(take.name))
        on = take.name in [one.name for one in making.film]
        cut = "CUT ends the film after it" if on and take.name != making.head else ""
        branch = "" if take.name == making.head else "BRANCH goes on from it"
        what = "; ".join(one for one in (f"AGAIN makes clip {clip} with another seed", cut, branch) if one)
        return f"<div class='choice'>Chosen: <b>clip {clip}</b>, seed {take.seed}. {what}.</div>"

    def _hint(self, making: Making | None) -> str:
        if making is None or not making.film:
            return "Press ▶ Next clip to begin."
        return "▶ Next clip goes on. Click a take below to choose it for AGAIN, CUT or BRANCH."

    def _refused(self, tab: Tab, why: str) -> Shown:
        """Why nothing was made; what a person has filled in stays."""
        if not tab.film:
            films = gr.update(choices=self._choices(), value="")
            return self._buttons(None, busy=False) | {self.films: films, self.status: show.status(why, kind="bad")}
        return self.view(tab, why, "bad", clips=False)

    def _edge(self, act: Callable[..., Shown | Iterator[Shown]]) -> Callable[..., Iterator[Shown]]:
        """What a person does in a tab: whatever fails is said in a line, and all can be pressed again."""

        @wraps(act)
        def acted(tab: Tab, *given: Any) -> Iterator[Shown]:
            try:
                shown = act(tab, *given)
                if isinstance(shown, dict):
                    yield shown
                else:
                    yield from shown
            except Exception as error:
                yield self._failed(tab, error)

        return acted

    def _failed(self, tab: Tab, error: Exception) -> Shown:
        if not isinstance(error, UseError):
            log.error("the desk failed", exc_info=error)
        try:
            return self._refused(tab, one_line(error))
        except Exception:  # the film itself cannot be shown: others can be chosen
            return self.view(Tab(), one_line(error), "bad")

    # What is done

    def open_last(self, tab: Tab) -> Shown:
        """The film that was worked on last, in a new tab."""
        if not tab.film:
            tab = Tab(next((film for film, _ in self.desk.films()), ""))
        return self.view(tab)

    def open(self, _: Tab, film: str) -> Shown:
        """Another film, or none yet."""
        return self.view(Tab(film))

    def choose(self, tab: Tab, event: gr.EventData) -> Shown:
        """A take of the tree."""
        take = str((event._data or {}).get("take", ""))
        if not tab.film:
            return self.view(tab)
        tab.chosen = take
        seen, shown = tab.seen, self.view(tab, clips=False)
        tab.seen = seen  # what else has changed was not looked at yet
        return shown

    def _acting(self, name: str) -> Callable[[Tab], Shown]:
        def act(tab: Tab) -> Shown:
            """CUT, BRANCH and undo."""
            acts: dict[str, Callable[[Making], Making]] = {
                "cut": lambda making: making.cut(tab.chosen or ""),
                "branch": lambda making: making.branch(tab.chosen or ""),
                "undo": Making.undone,
            }
            said = {
                "cut": "CUT: the film ends here; what came after stays in the tree.",
                "branch": "The film goes on from here.",
            }
            self.desk.shelf.change(tab.film, acts[name], tab.seen)
            tab.chosen = None
            return self.view(tab, said.get(name, "Undone."), "good")

        return act

    def _shooting(self, way: str) -> Callable[..., Iterator[Shown]]:
        def shoot(
            tab: Tab, image: str | None, title: str, fit: Fit, prompts: str, seed: str, *own: Any
        ) -> Iterator[Shown]:
            """The next clip, one a prompt, or the chosen one again."""
            self.stopping.discard(tab.film)
            try:
                wanted = prompts_of(prompts)
                if not tab.film:
                    if image is None:
                        raise UseError("a film begins with an image: drop one at the left")
                    if not wanted:
                        raise UseError("there is no prompt: write what the first clip shows, at the left")
                    tab = Tab(self.desk.begin(title, Path(image), fit))
                making = self.desk.shelf.change(tab.film, lambda now: now.told(wanted), tab.seen)
                settings, number = settings_in(own), seed_in(seed)
            except UseError as error:
                yield self._refused(tab, str(error))
                return
            more = True
            while more and tab.film not in self.stopping:
                to_come = making.prompts
                yield self._buttons(making, busy=True) | {self.tab: tab}
                failed = yield from self._made(tab, way, number, settings)
                if failed:
                    yield self._refused(tab, failed)
                    return
                tab.chosen = None
                making = self.desk.shelf.read(tab.film)
                self.recorder.film(tab.film)
                yield self.view(tab, clips=False) | {self.knobs.seed: ""}
                number = None  # of the first clip alone
                shown = making.film[-1].prompt if making.film else ""
                more = way == "all" and more_to_come(to_come, making.prompts, shown)

        return shoot

    def _asked(self, tab: Tab, way: str, seed: int | None, own: dict[str, Any]) -> Asked:
        """Of the film as it is now."""
        making = self.desk.shelf.read(tab.film)
        if way == "again":
            take = making.take(tab.chosen or making.head or "")
            return Asked(take.before, take.prompt, seed, own, again=True)
        return Asked(making.head, making.prompts[0] if making.prompts else "", seed, own)

    def _made(self, tab: Tab, way: str, seed: int | None, own: dict[str, Any]) -> Generator[Shown, None, str]:
        """Make a clip beside, and show how far it is. Returns why it was not made."""
        told: queue.SimpleQueue[tuple[int, int]] = queue.SimpleQueue()
        failed = list[str]()

        def work() -> None:
            try:
                self.desk.make(tab.film, self._asked(tab, way, seed, own), tab.seen, lambda *at: told.put(at))
            except ChangedElsewhere as error:
                failed.append(str(error))
            except Exception as error:  # whatever fails, the page and the film stay as they were
                if not isinstance(error, UseError):
                    log.exception("a clip failed")
                failed.append(f"The clip was not made, and the film is as it was: {one_line(error)}")

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        begun, shown = None, ""
        while thread.is_alive():
            thread.join(LOOK)
            at = None
            while not told.empty():
                at = told.get()
            if at is not None:
                begun = begun or time.monotonic()
            line = show.status(*_far(at, begun)) if at else shown if begun else show.status(WAITING)
            if line != shown:
                shown = line
                yield {self.status: line}
        return failed[0] if failed else ""

    def stopped(self, tab: Tab) -> str:
        """After the clip that is being made."""
        self.stopping.add(tab.film)
        return show.status("Stops after this clip.")

    def told(self, tab: Tab, prompts: str) -> None:
        """Prompts that are changed while clips are made are those of the next one."""
        if tab.film:
            try:
                wanted = prompts_of(prompts)
                self.desk.shelf.change(tab.film, lambda now: now.told(wanted))
            except UseError:
                return  # said when the next clip is asked for

    def measured(self, tab: Tab) -> Iterator[Shown]:
        """Gain and eps, by the probe that forecasts use."""
        making = self.desk.shelf.read(tab.film)
        yield self._buttons(making, busy=True) | {
            self.status: show.status("Gain and eps are measured: two clips' time.")
        }
        self.desk.probe(tab.film, making)
        self.recorder.film(tab.film)
        yield self.view(tab, "Measured on the first clip.", "good", clips=False)

    def exported(self, tab: Tab) -> Shown:
        """Files of the film."""
        files = self.desk.export(tab.film, self.desk.shelf.read(tab.film))
        self.recorder.film(tab.film, exported=True)
        said = f"Exported. harness generate again.mp4 --replay {files[2]} makes it once more, bit for bit."
        return self.view(tab, said, "good", clips=False) | {
            self.files: gr.update(value=[str(one) for one in files], visible=True)
        }


def _far(at: tuple[int, int], begun: float | None) -> tuple[str, float]:
    """How far a clip is, in words and as a share."""
    done, total = at
    left = (time.monotonic() - (begun or 0.0)) * (total - done) / done if done else None
    return f"The clip is made: {done} of {total}" + (f", {left:.0f} s left" if left is not None else ""), done / total
