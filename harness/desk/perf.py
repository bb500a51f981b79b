"""python -m harness.desk.perf: what a film of the desk costs beside the calls of its denoiser, in one run."""

import tempfile
import time
from pathlib import Path

import click
import torch
from torch import nn

from benchmarks.track import n_clips
from harness.core.store import Store
from harness.declare.spec import parse_overrides
from harness.desk.desk import Asked, Desk
from harness.desk.example import example
from harness.plan.shots import Setup
from harness.run.worker import run_job


class Stopwatch:
    """Seconds within the forward passes of a model."""

    def __init__(self, model: nn.Module) -> None:
        self.seconds, self._since = 0.0, 0.0
        model.register_forward_pre_hook(lambda *_: self._begin())
        model.register_forward_hook(lambda *_: self._end())

    def _begin(self) -> None:
        self._since = self._now()

    def _end(self) -> None:
        self.seconds += self._now() - self._since

    @staticmethod
    def _now() -> float:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        return time.perf_counter()


@click.command()
@click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--seconds", default=250.0, show_default=True, help="of film")
@click.option("--profile", default="tiny", show_default=True)
def main(overrides: tuple[str, ...], seconds: float, profile: str) -> None:
    """Make a film clip by clip as the page does, each clip scored and the film ready to be watched, and say where the time goes."""
    with tempfile.TemporaryDirectory() as folder:
        desk = Desk(Setup(profile, (), parse_overrides(overrides), ()), Store(Path(folder)))
        for node in desk.shots.graph:
            run_job(folder, node.fields(), {})
        start = example(desk.shots.model, desk.shelf)
        film, own, settings = desk.begin("", start.image, "crop"), desk.shots.own(), desk.shots.model.settings
        watches = [
            Stopwatch(model) for model in desk.studio(desk.shot(film, desk.shelf.read(film), own)).models.values()
        ]
        clips = n_clips(seconds, desk.fps, settings.data.clip_frames, settings.condition.overlap)
        begun, made = time.perf_counter(), 0.0
        for _ in range(clips):
            making = desk.shelf.read(film)
            now = time.perf_counter()
            making = desk.make(film, Asked(making.head, start.prompts[0], None, own), making.revision)
            made += time.perf_counter() - now
            desk.watched(film, making, str(making.head))
        whole, inside = time.perf_counter() - begun, sum(watch.seconds for watch in watches)
    click.echo(
        f"{clips} clips, {seconds:g} s of film: {whole:.1f} s, of which {inside:.1f} s within the denoiser's calls"
    )
    click.echo(
        f"beside them: {100 * (whole / inside - 1):.1f} %, {(whole - inside) / clips * 1000:.0f} ms a clip "
        f"({(whole - made) / clips * 1000:.0f} of them to have the film watched)"
    )


if __name__ == "__main__":
    main()
