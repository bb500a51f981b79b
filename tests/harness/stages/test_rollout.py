"""Rollouts of the shipped base model: which frames they show, and what they leave in their folder."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.track import Neighbour, clip_slices
from harness.core.artifacts import FIRST_CLIPS, STRENGTH
from harness.core.graph import Graph, Node
from harness.core.job import Job
from harness.core.store import Store
from harness.declare.request import Request
from harness.declare.spec import select
from harness.experiments import EXPERIMENTS
from harness.plan.pipeline import build
from harness.plan.rollouts import rollout_of
from harness.run.worker import run_job
from harness.stages.reading import Reading
from harness.stages.scripts import scripts_of
from reports.statistics.foretold import ROLLED_CLIPS
from svi.generation.generator import parts_shown
from svi.generation.reel import WORK
from svi.settings import ConditionSettings, GenerateSettings

TRACK = "consistent-50s"
FEW: dict[str, object] = {"generate.steps": 1, "generate.samples": 2}


def planned(root: Path, overrides: dict[str, object]) -> tuple[Graph, Node]:
    """All other stages, and the rollout."""
    chosen = select(EXPERIMENTS.get("ablation_eimg"), "base").model_copy(update={"tracks": (TRACK,), "seeds": (0,)})
    request = Request(chosen, "ablation_eimg", "tiny", overrides={**FEW, **overrides})
    built = build(request, root / "f.json")
    node = rollout_of(built, built.children[0], TRACK)
    assert node is not None
    return built.graph, node


def rolled_out(root: Path, overrides: dict[str, object], left: str | None = None) -> Path:
    """The finished artifact; `left`: a file that an attempt which was killed left among its films."""
    graph, node = planned(root, overrides)
    store = Store(root / "runs")
    for needed in (*(one for one in graph if one.signature in node.needs), node):
        if needed is node and left:
            begun = store.begin(node.kind, node.signature) / WORK / "begun"
            begun.mkdir(parents=True)
            (begun / left).write_bytes(b"half a film")
        run_job(str(store.root), needed.fields(), {})
    return store.artifact(node.kind, node.signature)


@pytest.mark.parametrize("whose", ["next", "previous"])
@pytest.mark.parametrize(("motion", "anchor"), [(1, False), (4, False), (1, True)])
def test_the_first_clips_show_what_they_show_of_the_whole_film(
    tmp_path: Path, motion: int, anchor: bool, whose: Neighbour
) -> None:
    follow = {"condition.motion_frames": motion, "condition.anchor": anchor, "generate.overlap_from": whose}
    _, node = planned(tmp_path, follow)
    job = Job(node.kind, tmp_path, {**node.identity, **node.runtime}, {}, lambda *_: None)
    read = Reading(job.settings)
    scripts = scripts_of(job, read)
    first = scripts.first(4, ROLLED_CLIPS, read)
    shown, whole = (
        clip_slices(one.length.n_frames, one.length.n_clips, read.data.clip_frames, motion + anchor, whose, int(anchor))
        for one in (first, scripts)
    )
    assert shown == whole[:ROLLED_CLIPS]
    assert scripts.first(4, 1000, read).length == scripts.length


@pytest.mark.parametrize(("anchor", "overlap_from"), [(0, "next"), (1, "next"), (1, "previous"), (0, "previous")])
@pytest.mark.parametrize("frames", [12, 14])
def test_hand_offs_lie_where_the_clip_loop_puts_them(anchor: int, overlap_from: Neighbour, frames: int) -> None:
    condition = ConditionSettings(motion_frames=2 - anchor, anchor=bool(anchor))
    settings = GenerateSettings(overlap_from=overlap_from)
    shown = parts_shown(4, frames, 5, condition, settings)
    slices = clip_slices(frames, 4, 5, condition.overlap, overlap_from, anchor)
    assert [one.stop - one.start for one in slices] == [one.stop - one.start for one in shown]


def test_films_of_which_a_clip_adds_less_than_it_repeats_are_rolled_out_too(tmp_path: Path) -> None:
    made = rolled_out(tmp_path, {"condition.motion_frames": 4, "generate.overlap_from": "previous"})
    with np.load(made / FIRST_CLIPS) as found:
        assert found["placed_psnr"].shape == (2, ROLLED_CLIPS)
        assert np.isfinite(found["placed_psnr"]).all()
        assert found[STRENGTH].shape == (2,)


def test_what_a_killed_attempt_left_is_not_kept(tmp_path: Path) -> None:
    made = rolled_out(tmp_path, {}, left="frames.npy")
    assert not (made / WORK).exists()
    assert not list(made.rglob("frames.npy"))
