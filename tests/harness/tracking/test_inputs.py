"""The saved view of a run, as MLflow's pages read it."""

import base64
import json
import zlib

from harness.tracking.inputs import ExperimentPage, view_key

LATE = ["late/consistent-50s/psnr", "late/consistent-50s/colour", "late/creative-50s/psnr"]


def test_a_view_holds_one_runs_rows_and_its_charts_begin_with_late_fidelity() -> None:
    page = ExperimentPage("Why?", "talk=1", LATE, ["bank.capacity"], rising=False, sections=["score/consistent-50s"])
    tags = page.tags("abc")
    view = json.loads(tags[f"mlflow.sharedViewState.{view_key('talk=1')}"])
    assert view["name"] == "talk=1"
    state = json.loads(zlib.decompress(base64.b64decode(view["state"].removeprefix("deflate;"))))
    assert state["searchFilter"] == "tags.`mlflow.parentRunId` = 'abc'"
    assert (state["orderByKey"], state["orderByAsc"]) == ("metrics.`late/consistent-50s/psnr`", False)
    assert state["selectedColumns"][-1] == "params.`bank.capacity`"
    assert state["isAccordionReordered"]
    names = [section["name"] for section in state["compareRunSections"]]
    assert names == ["late/consistent-50s", "late/creative-50s", "score/consistent-50s"]
    assert [chart["metricKey"] for chart in state["compareRunCharts"]] == LATE
    ids = {section["uuid"] for section in state["compareRunSections"]}
    assert all(chart["metricSectionId"] in ids for chart in state["compareRunCharts"])
    other = ExperimentPage("Why?", "another", LATE, [], rising=False).tags("abc")
    assert len(tags.keys() & other.keys()) == 2  # each run has a view of its own
