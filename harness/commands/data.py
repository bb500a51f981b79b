"""`harness data`: training samples with sound or skeletons, of videos or of what the authors keep theirs in."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.commands.options import Whole
from harness.core.errors import UseError
from harness.core.text import duration, table

if TYPE_CHECKING:
    from svi.preparation.prepare import Outcome
    from svi.preparation.source import Source

_SHOWN, _FIRST = 20, 3  # of the skipped: in the table, and in a refusal
SOURCE = click.argument("source", type=click.Path(path_type=Path), metavar="DIR")
TARGET = click.argument("target", type=click.Path(path_type=Path), metavar="OUT")


@click.group()
def data() -> None:
    """Training samples with sound or skeletons, of videos or the authors' files; cut short, the same command goes on."""


@data.command()
@SOURCE
@TARGET
@click.option("--wav2vec2", type=click.Path(path_type=Path), help="model folder that listens to videos' sound")
def talk(source: Path, target: Path, wav2vec2: Path | None) -> None:
    """Talking people, with their sound.

    DIR holds videos with sound (or NAME.wav beside NAME.mp4), or the authors' folders of frame_data.pkl and audio_embedding.pkl.
    OUT gets a folder a sample, with a video at 25 fps, the sound, and what wav2vec2 makes of it.
    """
    for line in make_talk(source, target, wav2vec2):
        click.echo(line)


@data.command()
@SOURCE
@TARGET
@click.option(
    "--fps", type=Whole(most=1000), default=25, show_default=True, help="of frames in pickles, which do not say"
)
def dance(source: Path, target: Path, fps: int) -> None:
    """Dancing people, with their skeletons.

    DIR holds a folder a sample: video.mp4 with dwpose.mp4 (or key points), or the authors' frame_data.pkl and dw_pose pickle. OUT
    gets a folder a sample, with two videos of as many pictures.
    """
    for line in make_dance(source, target, fps):
        click.echo(line)


def make_talk(source: Path, target: Path, wav2vec2: Path | None) -> list[str]:
    """Write the samples; what was made and what was skipped, a line each. Raises UseError where there is nothing to make."""
    from svi.preparation.talk import talk_sources

    try:
        return _prepared(*talk_sources(source, wav2vec2), target)
    except (ValueError, OSError) as error:
        raise UseError(str(error)) from error


def make_dance(source: Path, target: Path, fps: int) -> list[str]:
    """Write the samples; what was made and what was skipped, a line each. Raises UseError where there is nothing to make."""
    from svi.preparation.dance import dance_sources

    try:
        return _prepared(*dance_sources(source, Fraction(fps)), target)
    except (ValueError, OSError) as error:
        raise UseError(str(error)) from error


def _prepared(sources: Sequence["Source"], lacking: Sequence[tuple[str, str]], target: Path) -> list[str]:
    """Raises UseError where no sample came of it, ValueError and OSError as `prepare` does."""
    from svi.preparation.prepare import SKIPPED, prepare

    if inside := [one.files[0] for one in sources if target.resolve() in one.files[0].resolve().parents]:
        raise UseError(
            f"{target}: received a folder that holds {inside[0]}, expected another one than that of the sources"
        )
    outcome = prepare(sources, lacking, target, _tell)
    lines = _lines(outcome, target, target / SKIPPED)
    if not outcome.samples:
        why = "; ".join(f"{name}: {what}" for name, what in outcome.skipped[:_FIRST])
        more = f"; and {len(outcome.skipped) - _FIRST} more" if len(outcome.skipped) > _FIRST else ""
        raise UseError(
            f"no sample could be made ({why}{more}); expected whole sources, as `harness data --help` names them"
        )
    return lines


def _tell(done: int, of: int, name: str, what: str) -> None:
    click.echo(f"{f'{done}/{of}':>9}  {name}: {what}", err=True)


def _lines(outcome: "Outcome", target: Path, file: Path) -> list[str]:
    """What there is now, what was cut, and a table of what was skipped."""
    samples = outcome.samples
    seconds = sum(made.seconds for made in samples.values())
    now = f"{len(outcome.made)} made now, {len(outcome.kept)} there already"
    lines = [f"{target}: {len(samples)} sample{'s' if len(samples) != 1 else ''}, {duration(seconds)} ({now})"]
    if noted := [name for name, made in samples.items() if made.note]:
        listed = ", ".join(noted[:_SHOWN]) + (", ..." if len(noted) > _SHOWN else "")
        lines.append(f"{len(noted)} with a note: {listed}")
    lines.append(f"{len(outcome.skipped)} skipped" + (f", listed in {file}:" if outcome.skipped else ""))
    if outcome.skipped:
        lines += table([("sample", "why"), *outcome.skipped[:_SHOWN]])
    if samples:
        lines.append(f"train on them: data.path={target}")
    return lines
