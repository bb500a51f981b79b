"""Which videos a folder holds, and their captions. The files need not be videos: none is opened."""

from pathlib import Path

import numpy as np
import pytest

from svi.data.folder import LOOKED_AT, VideoFile, check_readable, video_files
from svi.generation.video import write_mp4


def add(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(b"")
    return root


def prompts(root: Path) -> dict[str, str]:
    return {file.name: file.prompt for file in video_files(root)}


def test_categories_with_their_tables(tmp_path: Path) -> None:
    add(tmp_path, "Dogs/b.MOV", "Dogs/notes.txt", "Cats/a.mp4", "Cats/._a.mp4", ".cache/c.mp4")
    (tmp_path / "Cats" / "Cats.csv").write_text('Video Title,Video Description,Filename\nx,"A cat, asleep",a.mp4\n')
    assert prompts(tmp_path) == {"Cats/a.mp4": "A cat, asleep", "Dogs/b.MOV": "A video from Dogs category"}
    assert [file.captioned for file in video_files(tmp_path)] == [True, False]


def test_videos_without_categories(tmp_path: Path) -> None:
    add(tmp_path, "b.mp4", "a.mp4")
    assert prompts(tmp_path) == {"a.mp4": "A video", "b.mp4": "A video"}
    (tmp_path / "captions.csv").write_text("Filename,Video Description\na.mp4,A cat\n")
    assert prompts(tmp_path) == {"a.mp4": "A cat", "b.mp4": "A video"}
    add(tmp_path, "more.csv")
    with pytest.raises(ValueError, match=r"holds captions\.csv, more\.csv; expected one csv of captions"):
        video_files(tmp_path)


def test_tables_beside_categories_are_nobodys_captions(tmp_path: Path) -> None:
    add(tmp_path, "Cats/a.mp4", "train.csv", "test.csv")
    assert prompts(tmp_path) == {"Cats/a.mp4": "A video from Cats category"}


def test_one_category_alone(tmp_path: Path) -> None:
    add(tmp_path, "Cats/a.mp4")
    (tmp_path / "Cats" / "Cats.csv").write_text("Filename,Video Description\na.mp4,A cat\n")
    assert prompts(tmp_path / "Cats") == {"a.mp4": "A cat"}


def test_a_folder_without_videos(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="missing, which is not a folder; expected one with videos in it"):
        video_files(tmp_path / "missing")
    add(tmp_path, "readme.txt")
    with pytest.raises(ValueError, match="no video files found in"):
        video_files(tmp_path)


def test_a_csv_without_its_columns(tmp_path: Path) -> None:
    (add(tmp_path, "Cats/a.mp4") / "Cats" / "Cats.csv").write_text("Title,File\nx,one.mp4\n")
    with pytest.raises(ValueError, match="has no column Filename, Video Description; found Title, File; expected"):
        video_files(tmp_path)


def test_a_csv_from_a_spreadsheet(tmp_path: Path) -> None:
    table = add(tmp_path, "Cats/one.mp4", "Cats/two.mp4") / "Cats" / "Cats.csv"
    table.write_text("Filename,Video Description\none.mp4,Ein Kätzchen\ntwo.mp4,\n", encoding="utf-8-sig")
    assert set(prompts(tmp_path).values()) == {"Ein Kätzchen", "A video from Cats category"}
    table.write_text("Filename,Video Description\none.mp4,Ein Kätzchen\n", encoding="latin-1")
    with pytest.raises(ValueError, match=r"Cats\.csv is not UTF-8 .* save it as UTF-8"):
        video_files(tmp_path)


def test_videos_spread_over_all_are_looked_at(tmp_path: Path) -> None:
    """As broken ones may come first; none of a few is not none of all."""
    files = [VideoFile(tmp_path / f"{i:02}.mp4", f"{i:02}.mp4", "", False) for i in range(LOOKED_AT * 2)]
    with pytest.raises(ValueError, match=r"none of the 16 videos that were looked at can be read .*; and 13 more"):
        check_readable(files)
    frames = [np.zeros((16, 16, 3), np.uint8)] * 3
    write_mp4(files[-2].path, frames, 8, 16, 16)
    check_readable(files)
    with pytest.raises(ValueError, match="no video can be read"):
        check_readable(files[:LOOKED_AT])
