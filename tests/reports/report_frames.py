"""Small results frames for the tests of reports: a few clips and variants, numbers chosen or drawn once."""

import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from reports.statistics.frame import COLUMNS, FILM, PER_FILM, PREFIX, WINDOW
from reports.statistics.info import ReportInfo
from reports.statistics.view import ReportView, TrackView

VARIANTS: dict[str, dict[str, object]] = {
    "base": {"train.steps": 0},
    "full": {},
    "no_e_img": {"injection.p_img": 0.0},
    "no_e_vid": {"injection.p_vid": 0.0},
}
TRACKS = ("consistent-50s", "creative-50s")
LATE = {"base": 16.0, "full": 30.0, "no_e_img": 20.0, "no_e_vid": 30.0}
GAIN_EPS = {"base": (0.95, 0.046), "full": (0.2, 0.17), "no_e_img": (0.94, 0.04), "no_e_vid": (0.19, 0.15)}
KINDS = {
    "background_psnr": ("higher", "dB"),
    "colour_drift": ("lower", "0..1"),
    "motion": ("none", "0..1"),
    "ssim": ("higher", "index"),
    "gain": ("lower", "ratio"),
    "eps": ("lower", "latent"),
    "fvd": ("lower", "FVD"),
    "subject_consistency": ("higher", "0..1"),
    "background_consistency": ("higher", "0..1"),
    "dynamic_degree": ("higher", "0..1"),
    "imaging_quality": ("higher", "0..1"),
    "aesthetic_quality": ("higher", "0..1"),
    "motion_smoothness": ("higher", "0..1"),
}
VBENCH = tuple(KINDS)[-6:]
MADE = {"suite": "native 2", "weights": "", "fps": 8.0, "resolution": "16x16", "samples": "0123456789ab"}
MADE |= {"track_version": 1, "compared_with": ""}


def info(untrained: Collection[str] = (), **changes: Any) -> ReportInfo:
    """An experiment with four variants on two tracks, without films; all but the `untrained` have trainings of their own."""
    settings: dict[str, Any] = {
        "experiment": "ablation_eimg",
        "question": "Is E_img the error that stops drift?",
        "profile": "tiny",
        "backbone": "toy-wan",
        "baseline": "full",
        "variants": VARIANTS,
        "tracks": list(TRACKS),
        "seeds": [0, 1],
        "compare_to": ("svi-4",),
        "caption": "A toy world says which mechanism matters in it, and nothing about size elsewhere.",
        "provenance": {"git commit": "0123abc"},
        "reproduce": "harness run ablation_eimg",
        "videos": {},
        "frames": {},
        "costs": {"Train": "2 min", "together": "2 min"},
        "fps": 8.0,
        "clip_seconds": 0.5,
    }
    settings |= changes
    trained = [name for name in settings["variants"] if name not in untrained and settings.get("trained", True)]
    settings.setdefault("trainings", {name: {seed: f"{name} {seed}" for seed in settings["seeds"]} for name in trained})
    return ReportInfo(**settings)


Values = Sequence[float] | npt.NDArray[np.float64]
Columns = dict[str, list[Any]]


def rows(variant: str, metric: str, curve: Values, **changes: Any) -> pd.DataFrame:
    """One film's rows of one metric: a value a clip; for gain, eps and FVD one value."""
    return together([_rows(variant, metric, curve, **changes)])


def together(parts: Iterable[Columns]) -> pd.DataFrame:
    """Rows of many films at once: a frame a film would take a hundred times as long."""
    parts = list(parts)
    return pd.DataFrame({name: [*itertools.chain.from_iterable(part[name] for part in parts)] for name in COLUMNS})


def _rows(variant: str, metric: str, curve: Values, **changes: Any) -> Columns:
    direction, unit = KINDS[metric]
    film = metric in ("gain", "eps", "fvd")
    constant = {"experiment": "ablation_eimg", "variant": variant, "track": TRACKS[0], "seed": 0, "sample": "a"}
    constant |= {"metric": metric, "direction": direction, "unit": unit, "version": "1", "status": "ok", "reason": ""}
    constant |= {"view": FILM if film else WINDOW, **MADE}
    varying = {"clip": [PER_FILM] if film else range(len(curve)), "value": np.asarray(curve, dtype=float)}
    given = constant | varying | changes
    return {name: list(np.broadcast_to(np.asarray(given[name], dtype=object), len(curve))) for name in COLUMNS}


def whole(variant: str, metric: str, value: float, curve: Sequence[float], **changes: Any) -> pd.DataFrame:
    """One film's rows of a metric of the whole film that has curves too; the prefix view is the mean so far."""
    return together(_whole(variant, metric, value, curve, **changes))


def _whole(variant: str, metric: str, value: float, curve: Sequence[float], **changes: Any) -> Iterator[Columns]:
    so_far = np.cumsum(curve) / np.arange(1, len(curve) + 1)
    yield _rows(variant, metric, [value], view=FILM, clip=PER_FILM, **changes)
    yield _rows(variant, metric, curve, **changes)
    yield _rows(variant, metric, so_far, view=PREFIX, **changes)


def skipped(variant: str, metric: str, reason: str, **changes: Any) -> pd.DataFrame:
    """One film's row of a metric that was not scored."""
    return together([_skipped(variant, metric, reason, **changes)])


def _skipped(variant: str, metric: str, reason: str, **changes: Any) -> Columns:
    return _rows(variant, metric, [np.nan], status="skipped", reason=reason, clip=PER_FILM, view=FILM, **changes)


def study(
    variants: Mapping[str, float] = LATE, seeds: Sequence[int] = (0, 1), tracks: Sequence[str] = TRACKS, clips: int = 20
) -> pd.DataFrame:
    """A whole study: PSNR falls from 31 dB to the variant's late value; SSIM is skipped for base."""
    return _study(tuple(variants.items()), tuple(seeds), tuple(tracks), clips).copy()


@cache
def _study(
    variants: tuple[tuple[str, float], ...], seeds: tuple[int, ...], tracks: tuple[str, ...], clips: int
) -> pd.DataFrame:
    generator, parts = np.random.default_rng(0), []
    fall = 1 - np.exp(-np.arange(clips) / 3)
    for track in tracks:
        for variant, late in variants:
            for seed, sample in [(seed, sample) for seed in seeds for sample in "abcdef"]:
                where: dict[str, Any] = {"seed": seed, "sample": sample, "track": track}
                psnr = 31 + (late - 31) * fall + generator.normal(0, 0.3, clips)
                gain, eps = GAIN_EPS.get(variant, (0.5, 0.1))
                parts += [
                    _rows(variant, "background_psnr", psnr, **where),
                    _rows(variant, "colour_drift", (31 - psnr).clip(0) / 100, **where),
                    _rows(variant, "motion", np.full(clips, 0.03), **where),
                    _rows(variant, "gain", [gain + generator.normal(0, 0.005)], **where),
                    _rows(variant, "eps", [eps + generator.normal(0, 0.002)], **where),
                    _skipped(variant, "ssim", "no true film is stored", **where)
                    if variant == "base"
                    else _rows(variant, "ssim", psnr / 40, **where),
                ]
    return together(parts)


@cache
def study_report() -> ReportView:
    """The whole study, made once for all tests: not to be written to."""
    return ReportView.of(study(), info())


def study_view() -> TrackView:
    """Its first track."""
    return study_report().tracks[0]


def study_summary() -> pd.DataFrame:
    """Its summary, a copy of its own each time."""
    return study_report().summary.copy()


def report(frame: pd.DataFrame, **changes: Any) -> ReportView:
    """A frame with what goes with `study`."""
    return ReportView.of(frame, info(**changes))


def view(frame: pd.DataFrame, **changes: Any) -> TrackView:
    """Its first track."""
    return report(frame, **changes).tracks[0]


SCORES = {"base": (0.80, 0.4), "full": (0.97, 0.9), "copy_image": (1.0, 0.0)}


def judged(
    scores: Mapping[str, tuple[float, float]] = SCORES, seeds: Sequence[int] = (0, 1), clips: int = 10
) -> pd.DataFrame:
    """A study scored by VBench: `scores` has each variant's consistency at the end of the film and its dynamic degree."""
    return _judged(tuple(scores.items()), tuple(seeds), clips).copy()


@cache
def _judged(scores: tuple[tuple[str, tuple[float, float]], ...], seeds: tuple[int, ...], clips: int) -> pd.DataFrame:
    parts, generator = [], np.random.default_rng(1)
    for variant, (end, moves) in scores:
        for seed, (index, sample) in [(seed, pair) for seed in seeds for pair in enumerate("abcdef")]:
            where: dict[str, Any] = {"seed": seed, "sample": sample, "weights": "0a1b2c3d4e5f"}
            for metric in VBENCH:
                curve = np.linspace(1.0, end, clips) - generator.uniform(0, 0.01, clips) * (end < 1)
                if metric == "dynamic_degree":
                    curve = np.full(clips, float(index < 6 * moves))
                parts.extend(_whole(variant, metric, float(curve.mean()), list(curve), **where))
    return together(parts)


def judged_info(**changes: Any) -> ReportInfo:
    """What goes with `judged`: copy_image is a trivial baseline, clips add 5 s."""
    settings: dict[str, Any] = {"variants": {"copy_image": {}, "base": {}, "full": {}}, "trivial": ("copy_image",)}
    settings |= {"tracks": [TRACKS[0]], "clip_seconds": 5.0, "fps": 16.0, "compare_to": ("svi-1",)}
    return info(**(settings | changes))


@cache
def judged_report() -> ReportView:
    """The study scored by VBench, made once for all tests: not to be written to."""
    return ReportView.of(judged(), judged_info())


def judged_view(frame: pd.DataFrame | None = None, **changes: Any) -> TrackView:
    """Its one track, or that of another frame."""
    if frame is None and not changes:
        return judged_report().tracks[0]
    return ReportView.of(judged() if frame is None else frame, judged_info(**changes)).tracks[0]
