"""From Score and Generate artifacts to the results frame and what a report must know beside it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.profiles import PROFILES
from harness.provenance import facts
from harness.worker import Job

if TYPE_CHECKING:
    import pandas as pd

    from reports.info import ReportInfo


def results_frame(job: Job) -> "pd.DataFrame":
    """The long frame: a row for each experiment, variant, track, seed, sample, metric and clip (-1: of the whole film)."""
    import pandas as pd

    blocks = [
        {"experiment": job.settings["experiment"], "variant": variant, "track": track, "seed": seed, **block}
        for (variant, seed, track), folder in zip(job.settings["rows"], job.inputs["score"], strict=True)
        for block in _score_blocks(folder)
    ]
    return pd.concat([pd.DataFrame(block) for block in blocks], ignore_index=True)


def _score_blocks(folder: Path) -> Iterator[dict[str, Any]]:
    """A block of columns for each metric of one Score artifact."""
    about = json.loads((folder / "scores.json").read_text())
    names = about["samples"]
    with np.load(folder / "scores.npz") as scores:
        for metric, info in about["metrics"].items():
            fixed = {key: info[key] for key in ("direction", "unit", "version")} | {"metric": metric}
            if metric in about["skipped"]:
                nothing = {
                    "sample": names,
                    "clip": -1,
                    "value": np.nan,
                    "status": "skipped",
                    "reason": about["skipped"][metric],
                }
                yield {**fixed, **nothing}
                continue
            values = scores[metric]
            clips = np.arange(values.shape[1]) if values.ndim == 2 else np.array([-1])
            yield {
                **fixed,
                "sample": np.repeat(names, len(clips)),
                "clip": np.tile(clips, len(names)),
                "value": values.reshape(-1),
                "status": "ok",
                "reason": "",
            }


def report_info(job: Job) -> "ReportInfo":
    """The declaration, the films of the first seed, costs and provenance."""
    from reports.info import ReportInfo

    settings = job.settings
    videos: dict[str, dict[str, list[str]]] = {}
    frames: dict[str, dict[str, str]] = {}
    films = [json.loads((folder / "film.json").read_text()) for folder in job.inputs["generate"]]
    for (variant, seed, track), folder, film in zip(settings["rows"], job.inputs["generate"], films, strict=True):
        if seed == settings["seeds"][0]:
            videos.setdefault(track, {})[variant] = [str((folder / s["video"]).resolve()) for s in film["samples"]]
            lossless = (folder / "frames.npy").resolve()
            frames.setdefault(track, {})[variant] = str(lossless) if lossless.is_file() else videos[track][variant][0]
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
        compare_to=settings["compare_to"],
        caption=profile.caption,
        provenance=facts(),
        reproduce=settings["command"],
        videos=videos,
        frames=frames,
        costs=_costs(job),
        fps=films[0]["fps"],
        clip_seconds=(films[0]["clip_frames"] - films[0]["overlap"]) / films[0]["fps"],
    )


def _costs(job: Job) -> dict[str, float]:
    """Seconds by kind of stage, each artifact counted once."""
    folders = {folder for given in job.inputs.values() for folder in (given if isinstance(given, list) else [given])}
    costs: dict[str, float] = {}
    for folder in sorted(folders):
        manifest = json.loads((folder / "manifest.json").read_text())
        costs[manifest["kind"]] = costs.get(manifest["kind"], 0.0) + manifest["seconds"]
    return costs
