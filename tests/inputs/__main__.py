"""python -m tests.inputs: how many wrong inputs are refused clearly, table by table."""

import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.once import SESSION


def main() -> int:
    """Prints a line a table, and each input that is not refused as its table says."""
    from tests.inputs.files import files
    from tests.inputs.refusal import refusal
    from tests.inputs.table import matches, rows

    tried, refused, began = Counter[str](), Counter[str](), time.monotonic()
    bad = files()
    for row in rows():
        with tempfile.TemporaryDirectory() as scratch:
            done = refusal(row.line, bad, Path(scratch))
            told = done.message.replace(str(bad), "{f}").replace(scratch, "{s}")
        tried[row.table] += 1
        if not done.faults and matches(row.says, told):
            refused[row.table] += 1
        else:
            print(f"{row.line:.120}: {', '.join(done.faults) or f'said {told!r}'}")
    for table, count in tried.items():
        print(f"{table:12} {refused[table]:4} of {count}")
    print(f"{'all':12} {refused.total():4} of {tried.total()}, in {time.monotonic() - began:.0f} s")
    return int(refused != tried)


if __name__ == "__main__":
    os.environ[SESSION] = tempfile.mkdtemp(prefix="made-once-")
    try:
        code = main()
    finally:
        shutil.rmtree(os.environ[SESSION])
    sys.exit(code)
