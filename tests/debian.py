"""Programs that tests start and pip cannot bring: where they are, and Debian's packages of them.

`python -m tests.debian chromium postgresql` installs what is missing, where that may be done: CI's first step.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path


def programs_at(folders: Sequence[Path | str]) -> str:
    """PATH with these folders at its end, for daemons that Debian keeps off it."""
    return os.pathsep.join((os.environ.get("PATH", ""), *map(str, folders)))


def install(*packages: str) -> None:
    """Install Debian's packages, as root and where there is apt-get; else nothing."""
    if os.geteuid() == 0 and shutil.which("apt-get"):
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for words in (("update", "-q"), ("install", "-y", "-q", *packages)):
            subprocess.run(("apt-get", *words), env=environment, stdout=subprocess.DEVNULL, timeout=900)


def main(packages: Sequence[str]) -> int:
    """Install those whose programs are not here. Returns 1 if one is missing still."""
    from tests import chromium, postgresql

    found = {"chromium": chromium.program, "postgresql": postgresql.programs}
    if missing := [name for name in packages if found[name]() is None]:
        install(*missing)
    lacking = [name for name in packages if found[name]() is None]
    for name in lacking:
        print(f"no {name} here (apt-get install {name}); its tests are skipped", file=sys.stderr)
    return 1 if lacking else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
