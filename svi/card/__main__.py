"""python -m svi.card PART OUT [WHAT]...: one part of `harness doctor --gpu`, in a process that a broken card may end."""

import sys
from pathlib import Path

from svi.card.parts import run

if __name__ == "__main__":
    run(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
