"""What a process takes."""

import re
from pathlib import Path


def peak() -> int:
    """The most memory that this process had since its program began, KiB. (getrusage's is never less than its parent's.)"""
    found = re.search(r"VmHWM:\s*(\d+)", Path("/proc/self/status").read_text())
    assert found
    return int(found[1])
