"""A page, shown in the browser of who gave the command."""

import os
import sys
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory


def show_in_browser(address: str) -> None:
    """Open it where a person looks at this terminal and there is a screen; the address has been printed for all others."""
    screen = sys.platform in ("darwin", "win32") or any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY")))
    if screen and sys.stdout.isatty():
        webbrowser.open(address)


@contextmanager
def address_in_a_file(address: str) -> Iterator[str]:
    """The address of a page that leads there, which its owner alone can read: what a browser is started with, all can see."""
    with TemporaryDirectory(prefix="harness-") as folder:  # mode 0700
        page = Path(folder) / "open.html"
        page.touch(0o600)
        page.write_text(f'<meta http-equiv="refresh" content="0; url={escape(address)}">', encoding="utf-8")
        yield page.as_uri()
