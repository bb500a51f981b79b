"""Files that are either whole or not there."""

from pathlib import Path
from secrets import token_hex


def write_whole(file: Path, content: bytes) -> None:
    """An interruption leaves `file` as it was; a killed process leaves its half-written one beside it. Raises OSError."""
    fresh = file.with_name(f".{token_hex(8)}.part")
    fresh.touch(exist_ok=False)  # with the permissions of any new file, which tempfile's do not have
    try:
        fresh.write_bytes(content)
        fresh.replace(file)
    finally:
        fresh.unlink(missing_ok=True)
