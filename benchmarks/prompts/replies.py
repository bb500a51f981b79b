"""The prompts in a model's reply, in whichever of the usual forms it answered: a list, or lines."""

import ast
import itertools
import json
import re
import warnings
from typing import Any

MAX_REPLY = 200_000  # characters; a reply to a request for 200 prompts has about 80,000
_THOUGHTS = re.compile(r"^.*</think>", re.DOTALL)  # what reasoning models write before they answer
_FENCE = re.compile(r"```[^\n`]*\n(.*?)(?:```|\Z)", re.DOTALL)
_ASSIGNED = re.compile(r"prompts\s*=\s*")
_LIST = re.compile(rf"^[ \t]*(?:{_ASSIGNED.pattern})?(?=[\[{{])", re.MULTILINE)
_NAMED = r"(?:prompt|shot|clip|scene)\s*#?\d+\s*(?:[.):、：）\-–—]|$)"
_NUMBER = r"#?\d+(?:\s*[.):、：）]|\s+[-–—]\s)(?!\d)"  # not the 3.5 or the 10:30 that a sentence may begin with
_BULLET = r"[-*•]\s+"
_MARK = re.compile(rf"^\s*(?:(?:{_BULLET}|#+\s*)?(?:\*\*)?(?:{_NAMED}|{_NUMBER})(?:\*\*)?|{_BULLET})\s*", re.IGNORECASE)
_BEGINNINGS = 20  # lines that may begin a list; each costs a look at all that follows
_KEYS = ("prompt", "text", "description")


class Fault(ValueError):
    """What is wrong with a reply, in words that the model can be told."""


def parse_reply(text: str) -> list[str]:
    """The prompts of a reply, outer white space taken off, not yet checked.

    Read are a JSON list, also as the value of an object, a Python list, also behind `prompts =`, and lines, numbered,
    with bullets or plain; each may stand in a code fence. Nothing is executed.

    Raises:
        Fault: nothing was received, a list does not parse or holds something else than strings, or there is text of
            which it is not clear whether it belongs to a prompt.
    """
    if len(text) > MAX_REPLY:
        raise Fault(f"received {len(text):,} characters, expected at most {MAX_REPLY:,}")
    body = _THOUGHTS.sub("", text).strip()
    if not body:
        raise Fault("received an empty reply, expected a list of prompts")
    fenced = [part.strip() for part in _FENCE.findall(body) if part.strip()]
    found = next((items for part in (*fenced, body) if (items := _list_in(part)) is not None), None)
    if found is not None:
        return [item.strip() for item in _without_numbers([_prompt_of(item, i) for i, item in enumerate(found, 1)])]
    return _lines_of(fenced[0] if fenced else body)


def _list_in(text: str) -> list[Any] | None:
    """The first list in `text` that begins a line; None where no line begins with one."""
    for match in itertools.islice(_LIST.finditer(text), _BEGINNINGS):
        try:
            return _items(_literal(text[match.end() :]))
        except Fault:
            if match.start() == 0:  # nothing but a list, so it must not be taken for lines
                raise
    return None


def _literal(text: str) -> Any:
    """The JSON or Python value that `text` begins with."""
    try:
        return json.JSONDecoder(strict=False).raw_decode(text)[0]
    except (ValueError, RecursionError) as error:
        reason = error
    closing = "]" if text.startswith("[") else "}"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # prose holds backslashes that are no escapes
            return ast.literal_eval(text[: text.rfind(closing) + 1])
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        raise Fault(f"received a list that does not parse or was cut off ({reason}), expected a JSON list") from None


def _items(value: Any) -> list[Any]:
    """The list itself, or the only list among an object's values."""
    lists = [entry for entry in value.values() if isinstance(entry, list)] if isinstance(value, dict) else [value]
    if len(lists) != 1 or not isinstance(lists[0], list):
        raise Fault("received an object without a list of prompts, expected a JSON list")
    return lists[0]


def _prompt_of(item: Any, number: int) -> str:
    if isinstance(item, dict):
        item = next((item[key] for key in _KEYS if isinstance(item.get(key), str)), item)
    if not isinstance(item, str):
        raise Fault(f"entry {number} of the list is {json.dumps(item, default=repr)[:60]}, expected a string")
    return item


def _without_numbers(items: list[str]) -> list[str]:
    """The same without numbers before them, where every item has its own."""
    marks = [_MARK.match(item) for item in items]
    numbers = [re.search(r"\d+", mark.group()) if mark else None for mark in marks]
    if all(number is not None and int(number.group()) == i for i, number in enumerate(numbers, 1)):
        return [item[mark.end() :] for item, mark in zip(items, marks, strict=True) if mark]
    return items


def _lines_of(text: str) -> list[str]:
    """One prompt a marked line and what follows it without a blank line; one a line where no line is marked."""
    lines = [line.strip() for line in text.splitlines()]
    marks = [_MARK.match(line) for line in lines]
    if not any(marks):
        lines = [line for line in lines if line]
        heading = len(lines) > 1 and lines[0].endswith(":")
        return [_bare(line) for line in lines[heading:]]
    prompts: list[str] = []
    blank = False
    for line, mark in zip(lines, marks, strict=True):
        if mark:
            prompts.append(line[mark.end() :])
        elif line and prompts:  # what comes before the first mark is an introduction
            if blank and prompts[-1]:
                raise Fault(f"received {line[:60]!r} apart from the numbered prompts, expected nothing but the prompts")
            prompts[-1] = f"{prompts[-1]} {line}".strip()
        blank = not line
    return [_bare(prompt) for prompt in prompts]


def _bare(prompt: str) -> str:
    """Without Markdown's bold marks, and without quotation marks around the whole."""
    prompt = prompt.replace("**", "").strip().removesuffix(",")
    for opening, closing in ('""', "''", "“”"):
        if len(prompt) > 1 and prompt.startswith(opening) and prompt.endswith(closing):
            return prompt[1:-1].strip()
    return prompt.strip()
