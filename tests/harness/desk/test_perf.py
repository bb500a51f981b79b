"""What the measurement of the desk says."""

import re

import pytest
from click.testing import CliRunner

from harness.desk.perf import main


@pytest.mark.slow
def test_it_tells_the_denoisers_calls_from_all_else() -> None:
    words = ["tiny.steps=1", "tiny.layers=1", "data.clips=48", "data.fps=2", "generate.steps=2", "--seconds", "4"]
    done = CliRunner().invoke(main, words, catch_exceptions=False)
    clips, seconds, whole, inside = re.search(
        r"(\d+) clips, (\d+) s of film: ([\d.]+) s, of which ([\d.]+) s within", done.output
    ).groups()  # type: ignore[union-attr]
    assert (clips, seconds) == ("2", "4")
    assert 0 <= float(inside) < float(whole)
    assert "ms a clip" in done.output
