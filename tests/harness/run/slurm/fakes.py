"""What these tests share: answers of a Slurm that is not there."""

from pathlib import Path
from typing import Any

from harness.core.graph import Node
from harness.declare.settings import SlurmSettings
from harness.run.slurm.submission import Submitter
from tests.harness.run.stage_functions import node

SQUEUE = """12|RUNNING|None|n1|train-aaaa
13_0|RUNNING|None|n[1-2]|score-bbbb
13_1|PENDING|Priority||score-bbbb
13_2|CANCELLED|None||score-bbbb
14|FAILED|NonZeroExitCode|n1|report-cccc
"""


def settings(**values: Any) -> SlurmSettings:
    return SlurmSettings.model_validate(values)


def train(ranks: int = 1) -> Node:
    return node("full", kind="train", ranks=ranks)


def submitter(values: SlurmSettings | None = None, said: list[str] | None = None) -> Submitter:
    return Submitter(values or SlurmSettings(poll_s=0.5), True, "test", {}, [].append if said is None else said.append)


def program(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)
