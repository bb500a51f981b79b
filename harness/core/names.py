"""Names that become parts of paths."""

import re

from harness.core.errors import UseError

LONGEST = 80  # letters: a file's name ends at 255, and several names may be joined in one


def check_name(what: str, name: str, also: str = "") -> str:
    """The name, which is safe as part of a path; `also`: signs that it may hold beside letters, digits, '_', '.' and '-'.

    `what` is named so, such as "a variant". Raises UseError.
    """
    if re.fullmatch(rf"[A-Za-z0-9][A-Za-z0-9_.{re.escape(also)}-]{{0,{LONGEST - 1}}}", name):
        return name
    others = "".join(f", {'a space' if sign == ' ' else repr(sign)}" for sign in also)
    raise UseError(
        f"{what} is named {name!r}; expected letters, digits, '_', '.'{others} and '-' only, a letter or digit first, at most "
        f"{LONGEST} of them (it names files): rename it"
    )
