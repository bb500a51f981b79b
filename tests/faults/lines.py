"""Stops a process between two lines of Python: where files are changed through a mapping, no other layer sees it."""

import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any


def stop_at_line(files: tuple[str, ...], at: int) -> Callable[[], int]:
    """Count the lines of these files (ends of paths) that are carried out, and kill this process before number `at` (0: never).

    Returns a function that says how many there were.
    """
    passed = 0

    def line(_frame: FrameType, event: str, _argument: object) -> Any:
        nonlocal passed
        if event == "line":
            passed += 1
            if passed == at:
                os.kill(os.getpid(), signal.SIGKILL)
        return line

    def call(frame: FrameType, _event: str, _argument: object) -> Any:
        return line if frame.f_code.co_filename.endswith(files) else None

    sys.settrace(call)
    threading.settrace(call)
    return lambda: passed
