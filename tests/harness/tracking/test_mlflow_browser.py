"""MLflow's own pages over a real run, in a real browser: experiment, comparison, charts, artifacts, model, data."""

import json
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from tests import chromium
from tests.harness.finished import finished
from tests.harness.small import ROOT, environment

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("mlflow's pages"),  # one server
    pytest.mark.skipif(chromium.program() is None, reason="no Chromium here: apt-get install chromium"),
]
# MLflow's own pages ask for the signed-in user, which a server without sign-in does not have.
NOT_OURS = ("ajax-api/2.0/mlflow/users/current",)
# How a browser says that a resize of MLflow's table waits for the next picture: no script has failed.
BENIGN = "ResizeObserver loop completed with undelivered notifications"
MINIFIED = 2  # letters of an error that MLflow's own page throws, seldom, while it loads under load
# What a reader chooses once: "Model training" at the top left, and no assistant beside every page.
CHOSEN = """try {
    localStorage.setItem("mlflow.workflowType_v1", '"machine_learning"');
    localStorage.setItem("mlflow.assistant.fab.autoOpenedOnFirstLoad_v1", "true");
} catch (sandboxed) {}"""


@pytest.fixture(scope="module")
def said() -> Iterator[list[str]]:
    """What `harness ui` says over a store with one small run: its address, that of the run's view, and of its charts."""
    store = finished()
    command = [sys.executable, "-m", "harness", "ui", "--store", str(store)]
    with subprocess.Popen(command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        assert "starts" in server.stdout.readline()
        try:
            address, warning, view, charts = (server.stdout.readline() for _ in range(4))
            assert "ask for no password" in warning
            yield [address, view, charts]
        finally:
            server.terminate()
            server.wait(timeout=30)


@pytest.fixture(scope="module")
def address(said: list[str]) -> str:
    return said[0].split()[1].rstrip(";")


@pytest.fixture(scope="module")
def ids(address: str) -> dict[str, str]:
    """The ids of the runs by their names' first words, and of the experiment."""
    (experiment,) = (e for e in ask(address, "experiments/search")["experiments"] if e["name"] == "ablation_eimg")
    runs = ask(address, "runs/search", experiment_ids=[experiment["experiment_id"]])["runs"]
    names = {run["info"]["run_name"].split()[0].partition("-")[0]: run["info"]["run_id"] for run in runs}
    return {**names, "experiment": experiment["experiment_id"]}


def ask(address: str, what: str, **about: Any) -> Any:
    data = json.dumps({"max_results": 100, **about}).encode()
    request = urllib.request.Request(f"{address}/api/2.0/mlflow/{what}", data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


@pytest.fixture(scope="module")
def context() -> Iterator[Any]:
    with chromium.pages() as opened:
        opened.set_default_timeout(90_000)
        opened.add_init_script(CHOSEN)
        yield opened


@pytest.fixture
def page(context: Any) -> Iterator[Any]:
    """A page, without complaints at the end: of its scripts, or of anything that could not be loaded."""
    opened = context.new_page()
    said, refused = chromium.complaints(opened), []
    opened.on("response", lambda answer: refused.append(answer.url) if answer.status >= 400 else None)
    yield opened
    ours = [url for url in refused if not url.endswith(NOT_OURS)]
    # The console says of a refused request only its status, so the requests themselves are looked at.
    errors = [line for line in said if not line.startswith("Failed to load resource") and BENIGN not in line]
    errors = [line for line in errors if len(line) > MINIFIED]
    opened.close()
    assert (ours, errors) == ([], [])


def opened_artifact(page: Any, address: str, ids: dict[str, str], run: str, *path: str) -> None:
    """Click through the artifact viewer to a file, folder by folder; where it stays empty, in a page that is loaded again."""
    from playwright.sync_api import TimeoutError as Late

    page.goto(f"{address}/#/experiments/{ids['experiment']}/runs/{ids[run]}/artifacts")
    first = page.get_by_text(path[0], exact=True).first
    try:
        first.wait_for(timeout=30_000)
    except Late:
        page.reload()
    for name in path:
        page.get_by_text(name, exact=True).first.click()


def test_the_experiment_shows_its_question_and_its_runs_nested(page: Any, address: str, ids: dict[str, str]) -> None:
    page.goto(f"{address}/#/experiments")
    page.get_by_role("link", name="ablation_eimg").click()
    page.get_by_text("Is the conditioning-frame error E_img what stops drift?").first.wait_for()
    page.goto(f"{address}/#/experiments/{ids['experiment']}/runs")
    parent = page.get_by_role("link", name=" · tiny · 1 seed")
    parent.wait_for()
    assert page.get_by_role("link", name="full · seed 0").count() == 0
    page.locator(".ag-row", has=parent).locator("button").first.click()
    for name in ("full · seed 0", "base · seed 0"):
        page.get_by_role("link", name=name).first.wait_for()  # of the run; its model has the same name


def test_the_saved_view_has_the_variants_and_their_late_scores(page: Any, said: list[str]) -> None:
    page.goto(said[1].split()[1])
    page.get_by_role("link", name="full · seed 0").first.wait_for()
    assert page.get_by_role("link", name=" · tiny · 1 seed").count() == 0
    page.locator("[col-id='metrics.`late/consistent-50s/background_psnr`'].ag-cell").first.wait_for()


def test_the_charts_begin_with_late_fidelity(page: Any, said: list[str]) -> None:
    page.goto(said[2].split()[-1])
    titles = page.get_by_text(re.compile("^(late/|score/|train$|bank$)"))
    titles.first.wait_for()
    assert titles.first.inner_text() == "late/consistent-50s"
    page.locator(".js-plotly-plot .barlayer .trace").first.wait_for()
    assert "placed_psnr" in page.locator("[data-testid='experiment-view-compare-runs-card']").first.inner_text()


def test_two_variants_are_compared_in_a_chart(page: Any, address: str, ids: dict[str, str], said: list[str]) -> None:
    page.goto(said[2].split()[-1])
    page.get_by_placeholder("Search metric charts").fill("score/consistent-50s/background_psnr")
    page.locator(".js-plotly-plot .scatterlayer .trace").nth(1).wait_for()
    for name in ("full", "base"):  # a curve over clips for each variant
        page.get_by_text(f"{name} · seed 0 (score/").first.wait_for()
    page.goto("about:blank")
    runs = json.dumps([ids["full"], ids["base"]])
    page.goto(f'{address}/#/compare-runs?runs={runs}&experiments=["{ids["experiment"]}"]')
    page.get_by_text("Comparing 2 Runs from 1 Experiment").first.wait_for()
    page.get_by_text("train.enabled").first.wait_for()


def test_a_run_tells_what_differs_its_scores_data_and_model(page: Any, address: str, ids: dict[str, str]) -> None:
    page.goto(f"{address}/#/runs/{ids['base']}")
    page.get_by_text("baseline (full)").wait_for()
    page.get_by_role("cell", name="background_psnr ↑").first.wait_for()
    link = page.get_by_role("link", name="All runs of the experiment, and its report")
    assert link.get_attribute("href").endswith(f"#/runs/{ids['ablation_eimg']}")
    page.goto("about:blank")
    page.goto(f"{address}/#/runs/{ids['full']}")
    page.get_by_text(re.compile("embedded world|consistent-50s samples")).first.click()  # MLflow shows either, and "+1"
    page.get_by_text("embedded world").last.click()
    for words in ("consistent-50s samples", "Training", "data.clips"):
        page.get_by_text(words).first.wait_for()


def test_a_model_has_its_card(page: Any, address: str, ids: dict[str, str]) -> None:
    page.goto(f"{address}/#/experiments/{ids['experiment']}/models")
    page.get_by_role("link", name="full · seed 0").first.click()
    page.get_by_text("All parameters of a transformer, the embedded tiny world, trained").wait_for()
    page.get_by_role("cell", name="background_psnr").first.wait_for()
    page.get_by_role("link", name="full · seed 0").first.wait_for()  # its source run
    page.get_by_text("Artifacts", exact=True).click()
    for name in ("MLmodel", "config.json", "diffusion_pytorch_model.safetensors", "README.md"):
        page.get_by_text(name, exact=True).first.wait_for()
    page.get_by_text("README.md", exact=True).first.click()
    page.get_by_role("heading", name="Recipe").wait_for()


def test_an_image_opens(page: Any, address: str, ids: dict[str, str]) -> None:
    opened_artifact(page, address, ids, "ablation_eimg", "report", "figures", "drift-consistent-50s.png")
    page.wait_for_function(
        "[...document.querySelectorAll('img')].some(i => i.src.startsWith('blob:') && i.naturalWidth > 500)"
    )


def test_a_video_plays(page: Any, address: str, ids: dict[str, str]) -> None:
    opened_artifact(page, address, ids, "full", "videos", "consistent-50s", "scene-00.mp4")
    page.locator("video").wait_for()
    page.evaluate("document.querySelector('video').play()")
    page.wait_for_function("document.querySelector('video').currentTime > 0.2")


def test_the_report_and_its_text_open(page: Any, address: str, ids: dict[str, str]) -> None:
    opened_artifact(page, address, ids, "ablation_eimg", "report", "report.html")
    page.frame_locator("iframe").get_by_role("heading", level=1).wait_for()
    page.get_by_text("table.md", exact=True).first.click()
    page.get_by_role("cell", name="full").first.wait_for()
