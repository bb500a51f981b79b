"""What the user can put right."""


class UseError(Exception):
    """One message: the value received, what was expected, the next step. Exit code 2, no traceback."""
