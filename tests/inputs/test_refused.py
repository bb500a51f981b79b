"""Every wrong input of the tables is refused: one line that says what is wrong, exit code 2, nothing begun, at once."""

from pathlib import Path

import pytest

from tests.inputs.files import files
from tests.inputs.refusal import refusal
from tests.inputs.table import Row, matches, rows


@pytest.mark.parametrize("row", rows(), ids=lambda row: f"{row.table}: {row.line:.90}")
def test_refused(row: Row, tmp_path: Path) -> None:
    bad = files()
    done = refusal(row.line, bad, tmp_path)
    assert done.faults == [], done.err[-2000:]
    told = done.message.replace(str(bad), "{f}").replace(str(tmp_path), "{s}")
    assert matches(row.says, told), told


def test_the_tables_are_large_enough_and_a_message_that_lacks_a_part_is_found() -> None:
    assert len(rows()) >= 775  # as docs/reliability.md says
    assert matches("a ... c", "a b c")
    assert not matches("a ... d", "a b c")
    assert not matches("c ... a", "a b c")
