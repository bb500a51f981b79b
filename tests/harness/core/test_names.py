"""Names that become parts of paths."""

import pytest

from harness.core.errors import UseError
from harness.core.names import LONGEST, check_name


@pytest.mark.parametrize("name", ["full", "no_e_img", "trial-000", "svi-2.0", "9", "x" * LONGEST])
def test_plain_names_are_taken_as_they_are(name: str) -> None:
    assert check_name("a variant", name) == name


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../up", "a/b", "/a", "a\\b", "a b", "-a", ".a", "a\n", "a\0", "é", "x" * (LONGEST + 1)]
)
def test_whatever_leads_elsewhere_is_refused_with_what_to_do(name: str) -> None:
    with pytest.raises(UseError, match=r"(?s)^a variant is named .*; expected letters.*: rename it$"):
        check_name("a variant", name)


def test_signs_that_a_name_may_hold_besides() -> None:
    assert check_name("a row", "Mine (v2) +", also=" +()") == "Mine (v2) +"
    with pytest.raises(UseError, match=r"a space, '\+'"):
        check_name("a row", "../x", also=" +()")
