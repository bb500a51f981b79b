"""Replies in every usual form, and what is said of those that cannot be used."""

import json
from pathlib import Path

import pytest

from benchmarks.prompts import replies
from benchmarks.prompts.replies import MAX_REPLY, Fault, parse_reply
from benchmarks.prompts.storyline import MAX_CHARACTERS, MAX_PROMPTS, MAX_SUBJECT, StorylineRequest

FOX, WALK = "A red fox wakes in the snow.", "The red fox walks into the trees."
PAIR = [FOX, WALK]
JSON = json.dumps(PAIR)


@pytest.mark.parametrize(
    "reply",
    [
        JSON,
        json.dumps(PAIR, indent=2),
        f"```json\n{JSON}\n```",
        f"```\n{JSON}",
        f"Here is the film:\n\n```python\nprompts = {PAIR!r}\n```\nEnjoy!",
        f"prompts = {PAIR!r}",
        f"prompts = [\n  {FOX!r},\n  {WALK!r},\n]",
        f"Sure! The prompts are:\n{JSON}\nTell me if you want others.",
        f"<think>Maybe [1, 2]?\n1. no</think>\n{JSON}",
        json.dumps({"title": "Fox", "prompts": PAIR}),
        json.dumps([{"shot": 1, "prompt": FOX}, {"shot": 2, "prompt": WALK}]),
        json.dumps([f"1. {FOX}", f"2. {WALK}"]),
        f'["{FOX}\n",\n"  {WALK}"]',  # a line break within a string is no JSON, but is common
        f"1. {FOX}\n2. {WALK}",
        f"1) {FOX}\n\n2) {WALK}",
        f"1.{FOX}\n2.{WALK}",
        f"Here are the prompts:\n1: {FOX}\n2: {WALK}",
        f"1 - {FOX}\n2 - {WALK}",
        f"**Shot 1:** {FOX}\n**Shot 2:** {WALK}",
        f"- **Prompt 1:** {FOX}\n- **Prompt 2:** {WALK}",
        f"### Shot 1\n\n{FOX}\n\n### Shot 2\n\n{WALK}",
        f"- {FOX}\n- {WALK}",
        f'* "{FOX}"\n* "{WALK}"',
        "1. A red fox wakes\n   in the snow.\n2. The red fox walks\n   into the trees.",
        f"{FOX}\n{WALK}\n",
        f"Prompts:\n\n{FOX}\r\n\r\n{WALK}",
        f'"{FOX}",\n"{WALK}"',
        f"```text\n1. {FOX}\n2. {WALK}\n```",
    ],
)
def test_the_usual_forms(reply: str) -> None:
    assert parse_reply(reply) == PAIR
    assert StorylineRequest(2).read(reply) == tuple(PAIR)


def test_strings_of_a_list_are_kept_as_they_are() -> None:
    odd = [
        'He says "go",\nand it\'s <b>bold</b> & **loud**',
        "雪の中で赤い狐が目を覚ます [zoom] 🦊",
        r"a \d back\slash, 3.5 m away",
    ]
    assert parse_reply(json.dumps(odd)) == odd
    assert parse_reply(f"prompts = {odd!r}") == odd


def test_a_sentence_that_begins_with_a_figure_is_no_numbered_line() -> None:
    lines = ["3.5 metres of snow lie on the roof.", "10:30 on the station's clock, a train comes in."]
    assert parse_reply("\n".join(lines)) == lines


@pytest.mark.parametrize(
    ("reply", "fault"),
    [
        ("", "empty reply"),
        (" \n ", "empty reply"),
        ("<think>so many foxes</think>", "empty reply"),
        (JSON[:-5], "does not parse or was cut off"),
        (f"```json\n{JSON[:-5]}\n```", "does not parse or was cut off"),
        (f"prompts = {PAIR!r}"[:-2], "does not parse or was cut off"),
        ("[" * 100_000, "does not parse or was cut off"),
        ("prompts = [open('x', 'w').name]", "does not parse"),
        ('["A red fox wakes.", 7]', "entry 2 of the list is 7, expected a string"),
        ('[["A red fox wakes."]]', "entry 1"),
        ('{"film": {"prompts": ["A red fox wakes."]}}', "object without a list"),
        (f"1. {FOX}\n2. {WALK}\n\nTell me if you want others.", "'Tell me if you want others.' apart from"),
        ("x" * (MAX_REPLY + 1), "200,001 characters, expected at most 200,000"),
    ],
)
def test_what_cannot_be_parsed(reply: str, fault: str) -> None:
    with pytest.raises(Fault, match=fault):
        parse_reply(reply)


def test_of_a_reply_of_nothing_but_beginnings_only_the_first_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each costs a look at all that follows."""
    tried, literal = [], replies._literal
    monkeypatch.setattr(replies, "_literal", lambda text: tried.append(text) or literal(text))
    with pytest.raises(Fault):
        StorylineRequest(2).read("x\n" + "[\n" * 90_000)
    assert len(tried) == replies._BEGINNINGS == 20


def test_nothing_in_a_reply_is_run(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    with pytest.raises(Fault):
        parse_reply(f"prompts = [open({str(mark)!r}, 'w').name]")
    assert not mark.exists()


@pytest.mark.parametrize(
    ("prompts", "fault"),
    [
        ([FOX], "received 1 prompt, expected exactly 2"),
        ([*PAIR, "The snow falls again."], "received 3 prompts, expected exactly 2"),
        ([], "received 0 prompts"),
        ([FOX, " "], "prompt 2 is empty"),
        (["...", WALK], "prompt 1 is '...', expected a description of a shot"),
        ([FOX, f" {FOX.upper()} "], "prompts 1 and 2 are the same"),
        ([FOX, FOX.replace(" ", "\n ")], "prompts 1 and 2 are the same"),
        ([FOX, WALK + " far" * 500], f"prompt 2 has 2,033 characters, expected at most {MAX_CHARACTERS:,}"),
        ([FOX, WALK + "\ud83d"], "prompt 2 has characters that no text file can hold"),
        ([FOX, WALK + "\0"], "prompt 2 has characters that no text file can hold"),
        ([FOX, FOX, ""], "received 3 prompts, expected exactly 2; prompts 1 and 2 are the same; prompt 3 is empty"),
        ([""] * 9, "prompt 5 is empty; and 4 more faults"),
    ],
)
def test_what_prompts_must_be(prompts: list[str], fault: str) -> None:
    with pytest.raises(Fault) as refusal:
        StorylineRequest(2).read(json.dumps(prompts))
    assert fault in str(refusal.value)


def test_a_prompt_may_be_as_long_as_the_limit() -> None:
    long = ("A fox walks. " * 200)[: MAX_CHARACTERS - 1] + "."
    assert StorylineRequest(1).read(json.dumps([long])) == (long,)
    eight = "赤狐在雪中醒来。站起"  # ten letters of Chinese are a sentence
    assert StorylineRequest(1).read(json.dumps([eight])) == (eight,)


def test_the_request_names_what_is_checked() -> None:
    text = StorylineRequest(10, "a red\n fox").text()
    for part in (
        "50 seconds",
        "10 consecutive shots of 5 seconds",
        "about: a red fox.",
        f"{MAX_CHARACTERS} char",
        "exactly 10",
    ):
        assert part in text
    assert "about" not in StorylineRequest(10).text()
    one = StorylineRequest(1).text()
    assert "single shot of 5 seconds" in one
    assert "exactly one string" in one
    said = StorylineRequest(3).correction("received 2 prompts, expected exactly 3")
    assert said.startswith("This reply cannot be used: received 2 prompts, expected exactly 3.")
    assert "exactly 3 strings" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((0,), "received 0, expected 1 to"),
        ((MAX_PROMPTS + 1,), f"received {MAX_PROMPTS + 1}"),
        ((2, "x" * (MAX_SUBJECT + 1)), "keyword: received 201 characters"),
    ],
)
def test_requests_that_cannot_be(words, said) -> None:
    with pytest.raises(ValueError, match=said):
        StorylineRequest(*words)
