"""A film in the making, without any model: the tree of takes, and what a director does to it."""

import pytest

from harness.core.errors import UseError
from harness.desk.making import LONGEST, Making, Take, more_to_come, prompts_of
from tests.harness.desk.films import take


def film(*prompts: str) -> Making:
    return Making(title="t", setup="s", image="start.png", prompts=prompts)


def filmed(making: Making, *takes: Take) -> Making:
    for one in takes:
        making = making.with_take(one, making.revision)
    return making


def shown(making: Making) -> str:
    return "".join(one.name for one in making.film)


def test_clips_use_up_their_prompts_but_for_the_last() -> None:
    making = filmed(film("a", "b"), take("1"))
    assert making.prompts == ("b",)
    making = filmed(making, take("2", "1", "b"), take("3", "2", "b"))
    assert (shown(making), making.prompts) == ("123", ("b",))


def test_another_take_stands_beside_the_first_and_uses_no_prompt() -> None:
    making = filmed(film("a", "a"), take("1"))
    again = making.told(("a", "b")).with_take(take("2", seed=7), making.revision, again=True)
    assert shown(again) == "2"
    assert [one.name for one in again.after(None)] == ["1", "2"]
    assert again.prompts == ("a", "b")


def test_a_cut_ends_the_film_and_keeps_what_came_after_in_the_tree() -> None:
    making = filmed(film("a"), take("1"), take("2", "1"), take("3", "2"))
    cut = making.cut("1")
    assert shown(cut) == "1"
    assert shown(cut.branch("3")) == "123"
    branched = filmed(cut, take("4", "1", "b"))
    assert shown(branched) == "14"
    with pytest.raises(UseError, match="does not show this take"):
        branched.cut("3")
    with pytest.raises(UseError, match="ends with this clip already"):
        branched.branch("4")
    with pytest.raises(UseError, match="no such take"):
        branched.branch("9")


def test_undo_goes_back_step_by_step_with_the_prompts_and_loses_no_take() -> None:
    making = filmed(film("a", "b"), take("1"), take("2", "1", "b"))
    making = making.cut("1")
    seen = []
    for _ in range(3):
        making = making.undone()
        seen.append((shown(making), making.prompts))
    assert seen == [("12", ("b",)), ("1", ("b",)), ("", ("a", "b"))]
    assert len(making.takes) == 2
    with pytest.raises(UseError, match="nothing to undo"):
        making.undone()


def test_a_take_that_comes_after_the_film_was_changed_is_kept_and_does_not_move_it() -> None:
    making = filmed(film("a"), take("1"))
    since = making.revision
    late = filmed(making, take("2", "1")).with_take(take("3", "1"), since)
    assert shown(late) == "12"
    assert [one.name for one in late.takes] == ["1", "2", "3"]


def test_prompts_that_change_meanwhile_are_no_change_of_the_film() -> None:
    making = filmed(film("a", "b"), take("1"))
    told = making.told(("north", "b"))
    done = told.with_take(take("2", "1", "b"), making.revision)
    assert (shown(done), done.prompts) == ("12", ("north", "b"))


def test_the_same_prompt_again_has_a_free_seed() -> None:
    making = filmed(film("a"), take("1", seed=4))
    assert making.free_seed(None, "a", 0) == 5
    assert making.free_seed(None, "b", 0) == 0
    assert making.free_seed("1", "a", 42) == 42


def test_the_file_holds_all_of_it() -> None:
    making = filmed(film("a", "b"), take("1"), take("2", "1", "b")).cut("1")
    assert Making.model_validate_json(making.model_dump_json()) == making


def test_prompts_are_one_a_line() -> None:
    assert prompts_of(" a \r\n\n<b>\n") == ("a", "<b>")
    assert prompts_of("a\u2028b") == ("a", "b")
    with pytest.raises(UseError, match="prompt '# a': a line that begins with # is a comment"):
        prompts_of("b\n # a")
    with pytest.raises(UseError, match="expected at most"):
        prompts_of("x" * (LONGEST + 1))


def test_lines_that_change_while_clips_are_made_count_as_they_are_then() -> None:
    assert more_to_come(("a", "b"), ("b",), "a")
    assert more_to_come(("a", "a"), ("a",), "a")
    assert not more_to_come(("b",), ("b",), "b")
    assert not more_to_come(("a", "b", "c"), ("a",), "a")  # all but the one that was being shown were taken out
    assert more_to_come(("a", "b", "c"), ("end",), "a")
    assert not more_to_come(("a", "b", "c"), ("end",), "end")  # changed before the clip began
    assert more_to_come(("b",), ("c", "d"), "b")  # two more were written meanwhile
    assert not more_to_come(("a", "b"), (), "a")
