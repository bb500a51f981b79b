"""A folder of real videos: which files it holds, and their captions. Nothing is opened but the tables of captions."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

VIDEO_SUFFIXES = {".mp4", ".mov", ".mkv", ".webm", ".avi"}
READING = 2  # raised when the same folder gives other clips or captions
LOOKED_AT, SHOWN = 16, 3  # videos: whose headers a plan reads, and that a refusal names
LAYOUT = "videos in it, or in a folder a category, with a csv of captions (Filename, Video Description) beside them"


class VideoFile(NamedTuple):
    """One file; `name` is its path in the folder. Without a caption the prompt says no more than that it is a video."""

    path: Path
    name: str
    prompt: str
    captioned: bool


def video_files(root: Path) -> list[VideoFile]:
    """The videos in the folder itself, then those of its categories, each by name; hidden files are no videos.

    Raises ValueError for a missing folder, one without any video, and a table that cannot be read.
    """
    if not root.is_dir():
        raise ValueError(f"data.path is {root}, which is not a folder; expected one with {LAYOUT}")
    # Not by the folder's own name: where videos lie must not decide what is trained.
    table = _only_table(root) if _videos(root) else None  # beside categories a csv may be anything
    found = list(_files(root, table, "", "A video"))
    for category in sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith(".")):
        table, without = category / f"{category.name}.csv", f"A video from {category.name} category"
        found += _files(category, table, f"{category.name}/", without)
    if not found:
        raise ValueError(
            f"no video files found in {root} (looked for *{', *'.join(sorted(VIDEO_SUFFIXES))}); expected {LAYOUT}"
        )
    return found


def check_readable(files: Sequence[VideoFile]) -> None:
    """Whether any of some videos, spread over all, can be opened: a look at a few headers, so that no long run begins for nothing.

    Raises ValueError where none of them can.
    """
    import av

    faults, count = [], min(LOOKED_AT, len(files))
    for file in (files[i * len(files) // count] for i in range(count)):
        try:
            with av.open(str(file.path)) as container:
                if container.streams.video:
                    return
            faults.append(f"{file.name}: it has no video stream")
        except (av.FFmpegError, OSError, ValueError) as error:
            faults.append(f"{file.name}: {getattr(error, 'strerror', None) or error}")
    more = f"; and {count - SHOWN} more" if count > SHOWN else ""
    none = "no video" if count == len(files) else f"none of the {count} videos that were looked at"
    raise ValueError(f"{none} can be read ({'; '.join(faults[:SHOWN])}{more}); copy or render them again")


def _files(folder: Path, table: Path | None, prefix: str, without: str) -> Iterator[VideoFile]:
    files = _videos(folder)
    captions = read_captions(table) if files and table is not None and table.exists() else {}
    for path in files:
        yield VideoFile(path, prefix + path.name, captions.get(path.name, without), path.name in captions)


def _videos(folder: Path) -> list[Path]:
    return sorted(
        path for path in folder.iterdir() if path.suffix.lower() in VIDEO_SUFFIXES and not path.name.startswith(".")
    )


def _only_table(root: Path) -> Path | None:
    """The one csv beside videos that have no category. Raises ValueError for several."""
    tables = sorted(path for path in root.glob("*.csv") if not path.name.startswith("."))
    if len(tables) > 1:
        raise ValueError(
            f"{root} holds {', '.join(path.name for path in tables)}; expected one csv of captions beside its videos"
        )
    return tables[0] if tables else None


def read_captions(table: Path) -> dict[str, str]:
    """Caption by file name. Raises ValueError if the table lacks its columns or is not UTF-8."""
    try:
        with table.open(newline="", encoding="utf-8-sig") as lines:  # -sig: spreadsheets put a byte order mark in front
            reader = csv.DictReader(lines)
            found = reader.fieldnames or ()
            rows = list(reader)
    except (OSError, csv.Error) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise ValueError(
            f"{table} is no table of captions ({why}); expected a csv with Filename and Video Description"
        ) from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{table} is not UTF-8 ({error.reason} at byte {error.start}); save it as UTF-8") from error
    missing = {"Filename", "Video Description"} - set(found)
    if missing:
        raise ValueError(
            f"{table} has no column {', '.join(sorted(missing))}; found {', '.join(found)}; "
            "expected Filename and Video Description"
        )
    captions = {row["Filename"]: row["Video Description"] for row in rows if row["Video Description"]}
    if odd := [name for name, caption in captions.items() if "\0" in f"{name}{caption}"]:
        raise ValueError(f"{table}: received a NUL in the row of {odd[0]!r}, expected text; save it as UTF-8")
    return captions
