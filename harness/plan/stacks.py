"""The LoRAs that a film is made with (`--lora`): a stack for each transformer, in order, each with a strength."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.core.errors import UseError
from harness.core.signature import fingerprint
from harness.plan.start import whole
from svi.lora.stack import Lora

Stacks = tuple[tuple[Lora, ...], ...]
"""A stack for each transformer of the backbone, in the order of falling noise; empty where there is no LoRA at all."""


def stacks_of(given: Sequence[str], experts: Sequence[str]) -> Stacks:
    """What these [EXPERT=]FILE[:STRENGTH] mean for a backbone of these transformers.

    Raises UseError for a file that is not there, a strength that is no finite number, a transformer that there is not, or where
    it is not said which of several a LoRA is for. Without that, several take one plain file each.
    """
    named = [_parsed(text) for text in given]
    if unknown := [expert for expert, _ in named if expert and expert not in experts]:
        raise UseError(
            f"--lora {unknown[0]}=...: the backbone has no such transformer; it has {', '.join(experts)}"
            + (f": write --lora {experts[0]}=FILE:STRENGTH" if len(experts) > 1 else ", so leave the name out")
        )
    if not named:
        return ()
    if len(experts) == 1:
        return (tuple(lora for _, lora in named),)
    if all(expert for expert, _ in named):
        return tuple(tuple(lora for name, lora in named if name == expert) for expert in experts)
    plain = [text for text, (expert, lora) in zip(given, named, strict=True) if Path(text) == lora.path and not expert]
    if len(plain) == len(given) == len(experts):
        return tuple((lora,) for _, lora in named)
    texts = [text.removeprefix(f"{expert}=") for text, (expert, _) in zip(given, named, strict=True)]
    words = (f"--lora {expert}={text}" for expert, text in zip(experts, (texts[0], texts[-1]), strict=False))
    raise UseError(
        f"--lora was given {len(given)} times, and the backbone has {len(experts)} transformers ({', '.join(experts)}): give one "
        f"plain file for each, in this order, or say of every LoRA which it is for, such as {' '.join(words)}"
    )


def _parsed(text: str) -> tuple[str, Lora]:
    """The transformer, "" where none is named, and the LoRA. A path is taken whole where there is one of that name."""
    name, equals, rest = text.partition("=")
    for expert, file in (("", text), (name, rest)) if equals and name else (("", text),):
        if _there(file):
            return expert, Lora(Path(file))
        path, _, strength = file.rpartition(":")
        if _there(path):
            return expert, Lora(Path(path), _strength(strength, text))
    raise UseError(
        f"--lora {text}: no such file or folder; expected FILE, FILE:STRENGTH, or EXPERT=FILE:STRENGTH for one of two transformers"
    )


def _there(path: str) -> bool:
    try:
        return bool(path) and Path(path).exists()
    except OSError:  # longer than a name can be
        return False


def _strength(given: str, text: str) -> float:
    try:
        strength = float(given)
    except ValueError:
        strength = math.nan
    if not math.isfinite(strength):
        raise UseError(
            f"--lora {text}: received strength {given!r}, expected a finite number, such as 1.0 (the file as it was trained) or 0.8"
        )
    return strength


def identity_of(stacks: Stacks, cache: Path) -> list[Any]:
    """What a film's identity holds of them: contents and strengths, in order; contents alone of one plain file each."""
    hashed = [[(fingerprint(Path(whole(str(path))), cache), strength) for path, strength in stack] for stack in stacks]
    if all(len(stack) == 1 and stack[0][1] == 1 for stack in hashed):
        return [content for ((content, _),) in hashed]
    return [[list(lora) for lora in stack] for stack in hashed]


def check(stacks: Stacks) -> None:
    """Raises UseError for what no transformer could take: a file that is no LoRA, or with keys that would be lost."""
    from svi.lora.adapter import opened  # torch, which no other plan needs

    for stack in stacks:
        try:
            opened(stack)
        except ValueError as error:
            raise UseError(f"--lora: {error}") from error
