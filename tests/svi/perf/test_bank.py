"""The bank's benchmark at tiny size."""

import json
from typing import Any

import pytest
from click.testing import CliRunner

from svi.perf.__main__ import main


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> Any:
    tmp_path = tmp_path_factory.mktemp("perf")
    done = CliRunner().invoke(
        main, ["bank", "--size", "tiny", "--folder", str(tmp_path), "--json", str(tmp_path / "f.json")]
    )
    assert done.exit_code == 0, done.output
    assert "replacements exact L2" in done.output
    assert [path.name for path in tmp_path.iterdir()] == ["f.json"]
    return json.loads((tmp_path / "f.json").read_text())


def test_it_measures_the_bank_beside_the_two_lists(figures: Any) -> None:
    lists, bank, worst = (figures[name] for name in ("lists, stacked", "bank", "bank, worst case"))
    assert lists["process_bytes"] == 2 * 50 * 64 * 4 * 9 * 64 * 64 * 2
    assert 0.5 < bank["process_bytes"] / lists["process_bytes"] < 0.5 * 1.02
    assert 0.0625 < bank["node_bytes"] / lists["node_bytes"] < 0.0625 * 1.03
    assert bank["exact"] == worst["exact"] == 1
    assert bank["read"] < 32 < worst["read"]


@pytest.mark.slow
def test_an_add_is_faster_than_to_the_two_lists(figures: Any) -> None:
    assert figures["bank"]["add_s"] < figures["lists, stacked"]["add_s"]
