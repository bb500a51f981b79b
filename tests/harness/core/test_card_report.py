"""A report of a card is written, found again and asked."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from harness.core.card_report import FOLDER, CardReport, CheckRow, SizeRow, known_cards, load, slug
from harness.core.errors import UseError


def report(card: str, day: int) -> CardReport:
    size = SizeRow(
        profile="wan2.1-i2v-14b-480p", work="call", dtype="bfloat16", height=480, width=832, frames=81, seconds=4.5
    )
    slower = size.model_copy(update={"seconds": 6.0, "how": "speed.offload=group"})
    missing = size.model_copy(update={"work": "step", "seconds": None, "note": "does not fit"})
    return CardReport(
        card=card,
        memory_bytes=2**37,
        created=datetime(2030, 1, day, tzinfo=UTC),
        checks=(CheckRow(name="forward", dtype="float32", state="passed", measured=1e-6, tolerance=1e-4),),
        sizes=(slower, size, missing),
    )


def test_cards_of_a_store_newest_first(tmp_path: Path) -> None:
    assert known_cards(tmp_path) == []
    old, new = report("NVIDIA H200", 1), report("NVIDIA A100-SXM4-80GB", 2)
    assert old.save(tmp_path).name == "nvidia-h200.json"
    new.save(tmp_path)
    assert known_cards(tmp_path) == [new, old]
    again = report("NVIDIA H200", 3)
    again.save(tmp_path)
    assert known_cards(tmp_path) == [again, new]


def test_the_fastest_that_was_measured_is_told() -> None:
    told = report("NVIDIA H200", 1).of("wan2.1-i2v-14b-480p", "call")
    assert told is not None
    assert told.seconds == 4.5
    assert report("NVIDIA H200", 1).of("wan2.1-i2v-14b-480p", "step") is None
    assert report("NVIDIA H200", 1).of("wan2.2-ti2v-5b", "call") is None


def test_another_file_is_refused(tmp_path: Path) -> None:
    file = report("NVIDIA H200", 1).save(tmp_path)
    file.write_text('{"card": 3}')
    with pytest.raises(UseError, match="no readable report of a card"):
        load(file)
    assert file.parent == tmp_path / FOLDER


def test_names_of_cards_are_names_of_files() -> None:
    assert slug("../NVIDIA GeForce RTX 4090") == "nvidia-geforce-rtx-4090"
    assert slug("///") == "card"
