"""Numbers as text: with sign, standard error or interval."""

import math

from reports.statistics.forecast import Interval

MINUS = "\N{MINUS SIGN}"
_MOST_MORE = 4  # digits, after which an end is as good as zero


def with_interval(mean: float, low: float, high: float, digits: int) -> str:
    """`mean (low to high)`, or the mean alone where there is no interval."""
    text = signed(mean, digits)
    return text if math.isnan(low) else f"{text} ({between(low, high, digits)})"


def between(low: float, high: float, digits: int) -> str:
    """`+0.1 to +0.9`: an end that would read as zero and is none has as many digits more as show on which side it lies."""
    return " to ".join(signed(end, telling(end, digits)) for end in (low, high))


def signed(value: float, digits: int) -> str:
    """With its sign, which of zero is plus."""
    return f"{round(value, digits) + 0.0:+.{digits}f}".replace("-", MINUS)


def telling(value: float, digits: int) -> int:
    """So many digits, or as many more as keep what is not zero from reading as zero."""
    more = (n for n in range(digits, digits + _MOST_MORE) if round(value, n))
    return next(more, digits)


def with_error(text: str, se: float, digits: int) -> str:
    """`text ± se`, or the text alone where there is no standard error."""
    return text if math.isnan(se) else f"{text} ± {se:.{digits}f}"


def number(value: float, digits: int) -> str:
    """With a true minus sign."""
    return f"{value:.{digits}f}".replace("-", MINUS)


def plain(value: object, digits: int = 6) -> str:
    """A value of any type, as a setting has it; of a float so many significant digits."""
    return f"{value:.{digits}g}" if isinstance(value, float) else str(value)


def stated(interval: Interval) -> str:
    """0.19 [0.17, 0.21]; "never" for what is infinite."""
    low, high = (_three_digits(end) for end in interval[1:])
    spread = "" if math.isnan(interval.low) else f" [{low}, {high}]"
    return _three_digits(interval.value) + spread


def _three_digits(value: float) -> str:
    return "never" if math.isinf(value) else f"{value:.3g}".replace("-", MINUS)
