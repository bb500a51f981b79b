"""python -m tests.benchmarks.vbench.vbench_random_weights FOLDER: random weights of the published architectures for all dimensions.

FOLDER is then VBENCH_CACHE_DIR and FOLDER/torch is TORCH_HOME. They cost what real weights cost; their scores mean nothing.
"""

import argparse
from pathlib import Path

from tests.benchmarks.vbench.vbench_motion_weights import FLOW_SCALE, write_amt, write_raft
from tests.benchmarks.vbench.vbench_weights import write_clip_b, write_clip_l, write_dino, write_musiq


def write_all(folder: Path, flow_scale: float = FLOW_SCALE) -> None:
    write_dino(folder / "torch", folder)
    write_clip_b(folder)
    write_clip_l(folder)
    write_musiq(folder)
    write_raft(folder, flow_scale)
    write_amt(folder)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--flow-scale", type=float, default=FLOW_SCALE, help="above what makes a video dynamic")
    arguments = parser.parse_args()
    write_all(arguments.folder, arguments.flow_scale)
