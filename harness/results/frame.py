"""From Score and Generate artifacts to the results frame and what a report must know beside it."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.artifacts import SCORE_INFO, SCORES
from harness.core.job import Job
from harness.core.provenance import facts
from harness.core.text import duration
from harness.declare.profiles import PROFILES

if TYPE_CHECKING:
    import pandas as pd

    from reports.page.films import Link
    from reports.statistics.info import ReportInfo

METHOD, MODEL = "generate.method", "model"
SEEDS = ("train.seed", "generate.seed")  # a variant has films of each of its experiment's
SIGNATURE_DIGITS = 16  # of an artifact's folder
SHOWN_DIGITS = 12  # of a hash, enough to tell any two apart


def results_frame(job: Job) -> "pd.DataFrame":
    """The long frame of a report (statistics/frame.py): a row for each experiment, variant, track, seed, sample, metric, view
    and clip (-1: of the whole film)."""
    return joined(
        score_rows(folder, experiment=job.settings["experiment"], variant=variant, track=track, seed=seed)
        for (variant, seed, track), folder in zip(job.settings["scored"], job.inputs["score"], strict=True)
    )


def joined(blocks: "Iterable[pd.DataFrame]") -> "pd.DataFrame":
    """Rows of several Score artifacts in one frame."""
    import pandas as pd

    return pd.concat(blocks, ignore_index=True)


def score_rows(folder: Path, **keys: object) -> "pd.DataFrame":
    """The rows of one Score artifact; `keys` are its experiment, variant, track and seed."""
    import pandas as pd

    about = json.loads((folder / SCORE_INFO).read_text())
    made_with = {
        "suite": f"{about['suite']} {about['suite_version']}",
        "fps": float(about["fps"]),
        "resolution": about["resolution"],
        "samples": about["samples_hash"][:SHOWN_DIGITS],
        "track_version": about["track_version"],
    }
    with np.load(folder / SCORES) as scores:
        blocks = [
            pd.DataFrame({**keys, **made_with, "metric": metric, **_described(info), **block})
            for metric, info in about["metrics"].items()
            for block in _metric_blocks(metric, about, scores)
        ]
    return joined(blocks)


def _described(metric: Mapping[str, Any]) -> dict[str, str]:
    weights = json.dumps(metric["weights"], sort_keys=True).encode() if metric["weights"] else b""
    digest = hashlib.sha256(weights).hexdigest()[:SHOWN_DIGITS] if weights else ""
    compared_with = metric["compared_with"][:SHOWN_DIGITS]
    fixed = {key: metric[key] for key in ("direction", "unit", "version")}
    return {**fixed, "weights": digest, "compared_with": compared_with}


def _metric_blocks(metric: str, about: Mapping[str, Any], scores: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """A block of columns for each view of a metric, and one for the films that it could not score."""
    names = about["samples"]
    unscored = about["skipped_films"].get(metric, {})
    if metric in about["skipped"]:
        unscored = dict.fromkeys(names, about["skipped"][metric])
    if unscored:
        yield _rows(list(unscored), "film", -1, np.nan, "skipped", list(unscored.values()))
    for key, view in ((metric, None), (f"{metric}@window", "window"), (f"{metric}@prefix", "prefix")):
        if key not in scores or metric in about["skipped"]:
            continue
        values = scores[key]
        films = ["all"] if about["metrics"][metric]["per"] == "set" else names
        kept = [place for place, name in enumerate(films) if name not in unscored]
        if values.ndim == 1:
            note = about["notes"].get(metric, "")
            yield _rows([films[i] for i in kept], view or "film", -1, values[kept], "ok", note)
        else:
            n_clips = values.shape[1]
            clips = np.tile(np.arange(n_clips), len(kept))
            films = np.repeat([films[i] for i in kept], n_clips)
            yield _rows(films, view or "window", clips, values[kept].reshape(-1), "ok", "")


def _rows(sample: Any, view: str, clip: Any, value: Any, status: str, reason: Any) -> dict[str, Any]:
    return {"sample": sample, "view": view, "clip": clip, "value": value, "status": status, "reason": reason}


def film_link(job: Job) -> "Link":
    """Films where the store has them, from a finished report's folder and from reports/NAME, which points to it."""
    from reports.page.films import relative_links

    artifacts = job.inputs["generate"][0].resolve().parents[1]
    return relative_links(artifacts / "report" / "any", artifacts.parent / "reports" / "any")


def report_info(job: Job) -> "ReportInfo":
    """The declaration, the films of the first seed, costs and provenance."""
    from reports.statistics.info import ReportInfo

    settings = job.settings
    videos: dict[str, dict[str, list[str]]] = {}
    frames: dict[str, dict[str, str]] = {}
    films = [json.loads((folder / "film.json").read_text()) for folder in job.inputs["generate"]]
    for (variant, seed, track), folder, film in zip(settings["rows"], job.inputs["generate"], films, strict=True):
        if seed == settings["seeds"][0]:
            videos.setdefault(track, {})[variant] = [str((folder / s["video"]).resolve()) for s in film["samples"]]
            lossless = (folder / "frames.npy").resolve()
            frames.setdefault(track, {})[variant] = str(lossless) if lossless.is_file() else videos[track][variant][0]
    shown = zip(settings.get("errors", ()), job.inputs.get("errors", ()), strict=True)
    errors = {variant: str(folder.resolve()) for (variant, seed), folder in shown if seed == settings["seeds"][0]}
    profile = PROFILES.get(settings["profile"])
    return ReportInfo(
        experiment=settings["experiment"],
        question=settings["question"],
        profile=settings["profile"],
        backbone=profile.backbone,
        baseline=settings["baseline"],
        variants=settings["variants"],
        tracks=settings["tracks"],
        seeds=settings["seeds"],
        compare_to=(settings["compare_to"],) if settings["compare_to"] else (),
        caption=profile.caption,
        provenance=facts(),
        reproduce=settings["command"],
        videos=videos,
        frames=frames,
        fps=films[0]["fps"],
        clip_seconds=(films[0]["clip_frames"] - films[0]["overlap"]) / films[0]["fps"],
        trivial=tuple(name for name, sets in settings["variants"].items() if sets.get(METHOD, MODEL) != MODEL),
        errors=errors,
        settings=_settings(job),
        **told_costs([job]),
    )


def _settings(job: Job) -> dict[str, dict[str, object]]:
    """Variant -> the values of all settings that any variant sets, as its stages read them."""
    keys = {key for sets in job.settings["variants"].values() for key in sets}
    found = settings_read(job, job.settings["tracks"])
    return {variant: {key: value for key, value in read.items() if key in keys} for variant, read in found.items()}


def settings_read(job: Job, tracks: Sequence[str]) -> dict[str, dict[str, object]]:
    """Variant -> all that the stages of its first film on one of these tracks read."""
    found: dict[str, dict[str, object]] = {}
    for (variant, _, track), folder in zip(job.settings["rows"], job.inputs["generate"], strict=True):
        if variant not in found and track in tracks:
            found[variant] = dict(_read_by(folder))
    return found


def _read_by(folder: Path) -> Iterator[tuple[str, object]]:
    """The settings that an artifact depends on: those of its own stage and of all before it."""
    manifest = json.loads((folder / "manifest.json").read_text())
    yield from manifest["identity"].items()
    for given in manifest["upstream"].values():
        for signature in given if isinstance(given, list) else [given]:
            for before in folder.parents[1].glob(f"*/{signature[:SIGNATURE_DIGITS]}"):
                yield from _read_by(before)


def told_costs(jobs: Iterable[Job]) -> dict[str, Any]:
    """The fields of a `ReportInfo` that say what these reports' stages took."""
    spent = costs(jobs)
    films = spent.get("generate", 0.0) + spent.get("score", 0.0)
    told = {kind: duration(seconds) for kind, seconds in (*spent.items(), ("together", sum(spent.values())))}
    return {"costs": told, "forecast_share": spent.get("forecast", 0.0) / films if films else 0.0}


def costs(jobs: Iterable[Job]) -> dict[str, float]:
    """Seconds by kind of stage, each artifact counted once."""
    inputs = [given for job in jobs for given in job.inputs.values()]
    folders = {folder for given in inputs for folder in (given if isinstance(given, list) else [given])}
    spent: dict[str, float] = {}
    for folder in sorted(folders):
        manifest = json.loads((folder / "manifest.json").read_text())
        spent[manifest["kind"]] = spent.get(manifest["kind"], 0.0) + manifest["seconds"]
    return spent
