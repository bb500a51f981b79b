"""What the user can put right, and what ends a command from outside."""

import signal


class UseError(Exception):
    """One message: the value received, what was expected, the next step. Exit code 2, no traceback."""


GOES_ON = "The same command goes on from there."


class Interrupted(KeyboardInterrupt):
    """The command was asked to end by a signal, Ctrl-C's or another; the message says how far it had come, and what now."""

    def __init__(self, number: int, so_far: str = "") -> None:
        super().__init__(so_far)
        self.signal = signal.Signals(number)
