"""Skeletons for the tests: single key points, a walk, and one read off a published pose video."""

from pathlib import Path
from typing import Any

import numpy as np

from svi.conditions.skeleton import PARTS, Points

SHARED = Path(__file__).parents[4] / "shared" / "data" / "svi-toy" / "test" / "dance"
HEIGHT, WIDTH = 1088, 608  # of the published pose video
DANCER = {  # its frame 100, by eye; without the right arm's end, the face's and the feet's
    0: (284 / WIDTH, 367 / HEIGHT),
    1: (279 / WIDTH, 544 / HEIGHT),
    2: (117 / WIDTH, 537 / HEIGHT),
    3: (65 / WIDTH, 780 / HEIGHT),
    5: (439 / WIDTH, 551 / HEIGHT),
    6: (463 / WIDTH, 756 / HEIGHT),
    7: (522 / WIDTH, 860 / HEIGHT),
    8: (173 / WIDTH, 1026 / HEIGHT),
    11: (394 / WIDTH, 1000 / HEIGHT),
    12: (532 / WIDTH, 1042 / HEIGHT),
    14: (236 / WIDTH, 322 / HEIGHT),
    15: (326 / WIDTH, 314 / HEIGHT),
    16: (185 / WIDTH, 340 / HEIGHT),
    17: (383 / WIDTH, 325 / HEIGHT),
}


def points(body: dict[int, tuple[float, float]]) -> dict[str, Points]:
    """One frame in which these points of the body were found, and nothing else."""
    parts = {name: np.zeros((count, 3), np.float32) for name, count in PARTS.items()}
    for k, (x, y) in body.items():
        parts["body"][k] = (x, y, 1)
    return parts


def walk(frames: int, fps: float) -> dict[str, Any]:
    """A file's arrays: a trunk and two legs that walk from left to right."""
    body = np.zeros((frames, 18, 3), np.float32)
    for i, x in enumerate(np.linspace(0.3, 0.7, frames)):
        for k, dx, y in ((0, 0, 0.2), (1, 0, 0.3), (8, -0.05, 0.6), (9, -0.1, 0.9), (11, 0.05, 0.6), (12, 0.1, 0.9)):
            body[i, k] = (x + dx, y, 1)
    return {"body": body, "fps": np.float32(fps), "size": np.array([256, 192], np.float32)}
