import re
import sys
from io import StringIO
from pathlib import Path

import pytest

from harness.commands.printing import print_markdown, print_report

TABLE = """| variant | bg PSNR late ↑ | Δ to full |
| :------ | -------------: | --------: |
| a_variant_with_a_long_name | **34.0 ± 0.5** | +0.5 ± 0.4 |

- Late = mean over the last 20 % of clips.
"""


class Screen(StringIO):
    def isatty(self) -> bool:
        return True


def test_elsewhere_it_is_markdown_as_written(capsys: pytest.CaptureFixture[str]) -> None:
    print_markdown(TABLE)
    assert capsys.readouterr().out == TABLE


def test_on_a_terminal_it_is_laid_out_and_names_are_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", Screen())
    monkeypatch.setenv("COLUMNS", "50")
    print_markdown(TABLE)
    said = sys.stdout.getvalue()  # type: ignore[attr-defined]
    assert "|" not in said
    assert "**" not in said
    assert "a_variant_with_a_long_name" in said
    assert max(map(len, re.sub(r"\x1b\[[0-9;]*m", "", said).splitlines())) <= 50


def test_the_answer_of_a_report_comes_last(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "table.md").write_text(TABLE)
    print_report(tmp_path)  # of an older version
    assert capsys.readouterr().out == TABLE
    (tmp_path / "answer.md").write_text("No.\n")
    print_report(tmp_path)
    assert capsys.readouterr().out == f"{TABLE}\nNo.\n"
