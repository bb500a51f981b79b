"""`harness generate`, killed without a word while it makes a film: the same command goes on, and makes no finished clip again."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from svi.generation.video import read_lossless
from tests.harness.finished import finished
from tests.harness.small import ROOT, SMALL, command, environment, harness

CLIPS = 5
COUNTED = """
import time
from pathlib import Path

from harness import ClipLoop
from svi.parts import CLIP_BY_CLIP, FRAMES_ON, REFERENCE


class Counted(ClipLoop):
    '''The clip loop, slowly; says beside itself which clips it makes.'''

    gives = (REFERENCE, FRAMES_ON, CLIP_BY_CLIP)

    def next(self, films, clip, past):
        time.sleep(0.5)
        made = super().next(films, clip, past)
        with (Path(__file__).parent / "made.txt").open("a") as file:
            file.write(f"{clip}\\n")
        return made
"""


@pytest.mark.slow
def test_killed_at_several_clips_it_resumes_byte_identically(tmp_path: Path) -> None:
    """A clip that was made but not yet kept may be made twice: one a kill, at most."""
    Image.new("RGB", (16, 16), (200, 40, 90)).save(tmp_path / "start.png")
    (tmp_path / "prompts.txt").write_text("red disc slowly east sand stripes")
    (tmp_path / "counted.py").write_text(COUNTED)
    loop = f"method.generation={tmp_path / 'counted.py'}:Counted"
    words = [
        "--image",
        str(tmp_path / "start.png"),
        "--prompts",
        str(tmp_path / "prompts.txt"),
        "--seconds",
        "10",
        *SMALL,
        loop,
    ]
    for store in ("whole", "killed"):
        shutil.copytree(finished(), tmp_path / store)
    whole = harness("generate", str(tmp_path / "whole.mp4"), *words, store=tmp_path / "whole")
    assert whole.returncode == 0, whole.stderr
    assert made(tmp_path) == list(range(CLIPS))
    (tmp_path / "made.txt").unlink()

    asked = command("generate", str(tmp_path / "killed.mp4"), *words, "--stream", store=tmp_path / "killed")
    at = list[int]()
    for clips in (1, 2, 4):
        with subprocess.Popen(
            asked, cwd=ROOT, env=environment(), start_new_session=True, stderr=subprocess.DEVNULL
        ) as running:
            limit = time.monotonic() + 300
            while takes(tmp_path / "killed") < clips:
                assert time.monotonic() < limit
                assert running.poll() is None
                time.sleep(0.02)
            os.killpg(running.pid, signal.SIGKILL)
        at.append(takes(tmp_path / "killed"))
    assert at == [1, 2, 4]
    done = harness("generate", str(tmp_path / "killed.mp4"), *words, "--stream", store=tmp_path / "killed")
    assert done.returncode == 0, done.stderr
    assert f"4 of {CLIPS} clips are there already; 1 other is made" in done.stderr
    assert (tmp_path / "killed.mp4").read_bytes() == (tmp_path / "whole.mp4").read_bytes()
    again = made(tmp_path)
    assert sorted(set(again)) == list(range(CLIPS))
    assert all(clip not in again[again.index(clip) + 2 :] for clip in again)
    assert len(again) <= CLIPS + 3
    for file in (tmp_path / "whole" / "takes").glob("*/frames.mkv"):
        again_made = read_lossless(tmp_path / "killed" / "takes" / file.parent.name / file.name)
        assert np.array_equal(read_lossless(file), again_made)  # the container has a random number in it


def made(root: Path) -> list[int]:
    """The clips that were made, one after the other, over all processes."""
    return [int(line) for line in (root / "made.txt").read_text().splitlines()]


def takes(store: Path) -> int:
    """Clips that are there, whole."""
    return len([one for one in (store / "takes").glob("*") if not one.name.startswith(".")])
