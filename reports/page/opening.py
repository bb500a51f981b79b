"""What the page opens with: the films that play at once, what each variant is, and how much there is of everything."""

from collections.abc import Sequence
from pathlib import Path

from reports.figures.sheet import START, TRUE, UNTRAINED, tiles
from reports.page.data_uri import image_uri
from reports.page.films import SampleFilms
from reports.statistics.info import ReportInfo
from reports.statistics.view import TrackView
from reports.tables.answer import differences
from reports.tables.numbers import plain

PLAYING = 3
"""Variants in the strip, at most; the true film or the start image stands beside them."""
REPEATS = {
    "copy_image": "the start image, again and again",
    "copy_clips": "the first clip of the model before fine-tuning, again and again",
    "ping_pong": "the first clip of the model before fine-tuning, forwards and backwards",
    "recode": "the codec alone: a still clip of the last frame, encoded and decoded, again and again",
}
"""What the trivial baselines show, by generate.method."""


def strip(view: TrackView, films: Sequence[SampleFilms]) -> list[tuple[str, str]]:
    """Name and a picture of the end of each film of the first sample to be played at once, the baseline behind the other variants.

    These are the model before fine-tuning, the variant that decides the question, and the baseline; then what differs most from it.
    """
    info = view.info
    if not films or not films[0].films:
        return []
    there = dict(films[0].films)
    asked = info.yes_if[0] if info.yes_if else info.baseline
    wanted = [UNTRAINED, asked, *differences(view)["variant"], *info.compared]
    others = [name for name in dict.fromkeys(wanted) if name in there and name != info.baseline][: PLAYING - 1]
    names = [*(name for name in info.compared if name in others), *([info.baseline] if info.baseline in there else [])]
    pictures = {name: Path(path) for name, path in info.frames.get(view.track, {}).items()}
    if TRUE in there:
        names.append(TRUE)
        pictures[TRUE] = Path(info.truth[view.track])
    shown = [(name, image_uri(tiles(pictures[name])[0][-1]) if name in pictures else "") for name in names]
    return shown + ([(START, films[0].start)] if films[0].start else [])


def variant_lines(info: ReportInfo) -> list[tuple[str, str, str]]:
    """Of each variant its name, in which settings it differs from the baseline, and what these mean."""
    lines = []
    usual = {**info.settings.get(info.baseline, {}), **info.variants[info.baseline]}
    for name in info.rows:
        if name == info.baseline:
            own = [f"{key} = {_shown(value)}" for key, value in info.variants[name].items()]
            lines.append((name, "; ".join(own), "the baseline: all others are compared with it"))
            continue
        differing = {key: value for key, value in info.variants[name].items() if repr(usual.get(key)) != repr(value)}
        beside = {key: f" ({info.baseline}: {_shown(usual[key])})" if key in usual else "" for key in differing}
        told = [f"{key} = {_shown(value)}{beside[key]}" for key, value in differing.items()]
        repeated = REPEATS.get(str(differing.get("generate.method")))
        meant = [repeated] if repeated else dict.fromkeys(filter(None, map(info.meanings.get, differing)))
        lines.append((name, "; ".join(told) or f"the settings of {info.baseline}", "; ".join(meant)))
    return lines


def facts(info: ReportInfo, views: Sequence[TrackView]) -> list[tuple[str, str]]:
    """What was run, and how much of it."""
    seeds = ", ".join(map(str, info.seeds))
    films = ", ".join(_films(view) for view in views)
    return [
        ("Profile", info.profile),
        ("Backbone", info.backbone),
        ("Baseline", info.baseline),
        ("Variants", str(len(info.variants))),
        ("Seeds", f"{len(info.seeds)} (seed{'s' * (len(info.seeds) > 1)} {seeds})"),
        ("Films of each variant and seed", films),
    ]


def _films(view: TrackView) -> str:
    samples = view.scored["sample"].nunique()
    length = f" of {view.seconds:g} s" if view.seconds else ""
    return f"{samples}{length} ({view.track})"


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else plain(value)
