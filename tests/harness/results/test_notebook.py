"""The notebook in docs, run on a small finished run: its cells one after another, as a kernel runs them."""

import json
from typing import Any

import matplotlib as mpl
import pytest
from matplotlib import pyplot

from tests.harness.finished import finished
from tests.harness.small import ROOT


def test_every_cell_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_STORE", str(finished()))
    mpl.use("Agg")
    cells = json.loads((ROOT / "docs" / "notebook.ipynb").read_text(encoding="utf-8"))["cells"]
    made: dict[str, Any] = {}
    for cell in cells:
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), f"cell {cell['id']}", "exec"), made)
            assert cell["outputs"] == []  # results of one machine would be taken for everybody's
    assert list(made["curves"].columns) == ["base", "full"]
    assert made["difference"].loc["full", "mean"] == 0
    assert made["difference"].loc["base", "mean"] != 0
    assert "train.steps" in made["differing"].index
    assert made["film"].is_file()
    pyplot.close("all")
