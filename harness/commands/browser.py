"""A page, shown in the browser of who gave the command."""

import os
import sys
import webbrowser


def show_in_browser(address: str) -> None:
    """Open it where a person looks at this terminal and there is a screen; the address has been printed for all others."""
    screen = sys.platform in ("darwin", "win32") or any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY")))
    if screen and sys.stdout.isatty():
        webbrowser.open(address)
