"""Files that are either whole or not there."""

import os
from pathlib import Path
from secrets import token_hex


def write_whole(file: Path, content: bytes) -> None:
    """An interruption leaves `file` as it was; a killed process leaves its half-written one beside it. Raises OSError."""
    fresh = file.with_name(f".{token_hex(8)}.part")
    fresh.touch(exist_ok=False)  # with the permissions of any new file, which tempfile's do not have
    try:
        with fresh.open("wb") as written:
            written.write(content)
            written.flush()
            os.fsync(written.fileno())  # before it has its name: a power cut must not leave the name alone
        fresh.replace(file)
    finally:
        fresh.unlink(missing_ok=True)
