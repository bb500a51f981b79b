"""python -m tests.benchmarks.vbench.vbench_memory FOLDER DIMENSION VIDEO...: one process scores the videos in turn and prints
the bytes that it held at most until then, after each.

The networks are as wide as the published ones and less deep, which spares time and no memory that could grow.
"""

import os
import re
import sys
from pathlib import Path

from benchmarks.vbench import dino, musiq, raft
from benchmarks.vbench.dimensions import load
from benchmarks.vbench.stream import score_video
from tests.benchmarks.vbench.vbench_motion_weights import write_amt, write_raft
from tests.benchmarks.vbench.vbench_weights import write_clip_b, write_clip_l, write_dino, write_musiq

WRITERS = {
    "subject_consistency": lambda folder: write_dino(folder, folder),
    "background_consistency": lambda folder: write_clip_b(folder, layers=2),
    "aesthetic_quality": lambda folder: write_clip_l(folder, layers=1),
    "imaging_quality": write_musiq,
    "dynamic_degree": write_raft,
    "motion_smoothness": write_amt,
}


def main(folder: Path, name: str, videos: list[Path]) -> None:
    dino.LAYERS = musiq.LAYERS = raft.ITERATIONS = 1
    WRITERS[name](folder)
    os.environ |= {"VBENCH_CACHE_DIR": str(folder), "TORCH_HOME": str(folder)}
    dimensions = load([name], "cpu")
    for video in videos:
        score_video(video, dimensions)
        # From /proc: getrusage's figure starts from what the parent held when it forked.
        print(1024 * int(re.search(r"VmHWM:\s*(\d+)", Path("/proc/self/status").read_text())[1]))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], [Path(argument) for argument in sys.argv[3:]])
