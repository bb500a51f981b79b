"""The whole command on a real Slurm of two nodes: the same tables as on this machine."""

import json
import subprocess
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from harness.core.store import Store
from tests.harness import small
from tests.harness.run.slurm.two_node_slurm import TwoNodes
from tests.harness.small import ONE_TRACK, SMALL, process

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("slurm"), pytest.mark.usefixtures("cluster")]  # one cluster
ABLATION = ("ablation_eimg", ONE_TRACK, *SMALL)


ON_SLURM = ("--executor", "slurm", "slurm.poll_s=0.5", "slurm.mem_gb=1")


# A busy machine takes its time, and a killed command would leave its jobs running.
harness = partial(process, timeout=1800)


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Of runs on this machine, and on Slurm."""
    return tmp_path_factory.mktemp("local") / "runs", tmp_path_factory.mktemp("slurm") / "runs"


@pytest.fixture(scope="module")
def both_run(
    cluster: TwoNodes, stores: tuple[Path, Path]
) -> tuple[subprocess.CompletedProcess[str], subprocess.CompletedProcess[str]]:
    """Two variants in both stores, whichever test is the first; the cluster is up by then."""
    here = small.harness("run", *ABLATION, "--only", "full,base", store=stores[0])
    there = harness("run", *ABLATION, "--only", "full,base", *ON_SLURM, store=stores[1])
    assert (here.returncode, there.returncode) == (0, 0), here.stderr[-1500:] + there.stderr[-1500:]
    return here, there


def table(stdout: str) -> list[str]:
    return [line for line in stdout.splitlines() if line.startswith("|")]


def test_the_table_is_the_same_as_on_this_machine(
    stores: tuple[Path, Path], both_run: tuple[subprocess.CompletedProcess[str], subprocess.CompletedProcess[str]]
) -> None:
    here, there = both_run
    assert table(there.stdout) == table(here.stdout)
    assert len(table(there.stdout)) >= 4
    assert "Slurm job" in there.stderr
    again = harness("run", *ABLATION, "--only", "full,base", *ON_SLURM, store=stores[1])
    assert "10 of 10 stages were done already" in again.stderr
    assert "Slurm job" not in again.stderr


@pytest.mark.usefixtures("both_run")
def test_detached_stages_run_in_order_and_status_shows_them(stores: tuple[Path, Path]) -> None:
    words = ("run", *ABLATION, "--only", "full,no_e_img", *ON_SLURM)
    detached = harness(*words, "--detach", store=stores[1])
    assert detached.returncode == 0, detached.stderr
    assert "5 jobs submitted, 0 under way already, 6 stages done" in detached.stdout
    rows = json.loads(harness("status", "--json", store=stores[1]).stdout)["partial"]
    states = {row["stage"].partition("-")[0]: row["slurm"] for row in rows}
    assert set(states) == {"train", "forecast", "generate", "score", "report"}
    assert (states["generate"]["state"], states["generate"]["why"]) == ("PENDING", "Dependency")
    shown = harness("status", store=stores[1]).stdout
    for state in states.values():
        assert f"Slurm job {state['job']}, {state['label']}: " in shown
    assert "5 under way already" in harness(*words, "--detach", store=stores[1]).stdout
    followed = harness(*words, store=stores[1])
    assert followed.returncode == 0, followed.stderr[-3000:]
    assert any(line.startswith("| no_e_img ") for line in table(followed.stdout))
    for state in states.values():
        made = [m["facts"]["slurm.job"] for kind in states for m in Store(stores[1]).manifests(kind)]
        assert state["job"] in made


def test_two_ranks_train_the_same_as_under_the_launcher(stores: tuple[Path, Path]) -> None:
    """On Slurm on two nodes, each with a rank."""
    words = ("run", *ABLATION, "--only", "full", "train.ranks=2")
    two_nodes = (*ON_SLURM, "slurm.ranks_per_node=1")
    here, there = harness(*words, store=stores[0]), harness(*words, *two_nodes, store=stores[1])
    assert (here.returncode, there.returncode) == (0, 0), here.stderr[-1500:] + there.stderr[-1500:]
    assert table(there.stdout) == table(here.stdout)


def test_an_unknown_partition_is_refused_before_anything_is_submitted(tmp_path: Path) -> None:
    done = harness("run", *ABLATION, "--executor", "slurm", "slurm.partition=debgu", store=tmp_path / "runs")
    assert done.returncode == 2
    assert "slurm.partition=debgu: no such partition; did you mean 'debug'? available: debug, short" in done.stderr


@pytest.mark.usefixtures("both_run")
def test_a_film_its_scores_and_a_sweep_run_as_jobs(stores: tuple[Path, Path], tmp_path: Path) -> None:
    """The film is the same, byte for byte; a trial of a sweep has the value that it would have here."""
    Image.new("RGB", (16, 16), (200, 40, 90)).save(tmp_path / "start.png")
    (tmp_path / "prompts.txt").write_text("red disc slowly east sand stripes")
    (tmp_path / "films").mkdir()
    made = [tmp_path / "here.mp4", tmp_path / "films" / "there.mp4"]
    asked = ("--image", str(tmp_path / "start.png"), "--prompts", str(tmp_path / "prompts.txt"), "--seconds", "4")
    here = small.harness("generate", str(made[0]), *asked, *SMALL, store=stores[0])
    there = harness("generate", str(made[1]), *asked, *SMALL, *ON_SLURM, store=stores[1])
    assert (here.returncode, there.returncode) == (0, 0), here.stderr[-1500:] + there.stderr[-1500:]
    assert made[0].read_bytes() == made[1].read_bytes()
    asked = ("--name", "mine", *ON_SLURM, "slurm.gpus=0", "slurm.cpus=1")  # real videos ask for eight
    scored = harness("score", str(made[1].parent), *asked, store=stores[1])
    assert scored.returncode == 0, scored.stderr[-1500:]
    sweep = ("sweep", "injection", *SMALL, "--trials", "1", "--pruner", "none")
    here = small.harness(*sweep, store=stores[0], drawn=False)
    there = harness(*sweep, *ON_SLURM, store=stores[1])
    assert (here.returncode, there.returncode) == (0, 0), here.stderr[-1500:] + there.stderr[-1500:]
    for done in (scored, there):
        assert "Slurm: " in done.stderr + done.stdout
        assert "Slurm job" in done.stderr + done.stdout
    names = [next((root / "sweeps").glob("*/trials.csv")).relative_to(root) for root in stores]
    tables = [pd.read_csv(root / name).drop(columns="mlflow_run") for root, name in zip(stores, names, strict=True)]
    pd.testing.assert_frame_equal(*tables, check_exact=True)
