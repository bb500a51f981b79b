"""A graph submitted at once: its arrays, what waits for what, and the throttle."""

from pathlib import Path

import pytest

from harness.core.errors import UseError
from harness.core.graph import Graph
from harness.core.store import Store
from harness.run.slurm.detached import Room, detach
from harness.run.slurm.records import unfinished
from tests.harness.run.slurm.fakes import program, settings, submitter
from tests.harness.run.stage_functions import graph, node


def sbatch(programs: Path, most: int = 99) -> Path:
    """An sbatch that numbers its jobs, takes `most` of them, and keeps what it was given."""
    given = programs / "given"
    script = f"cat $1 >> {given}; n=$(grep -c bin/bash {given}); [ $n -le {most} ] && echo Submitted batch job $n"
    program(programs, "sbatch", script)
    return given


def dependencies(given: Path) -> list[str]:
    return [line.partition("=")[2] for line in given.read_text().splitlines() if "dependency" in line]


def arrays(given: Path) -> list[str]:
    return [line.partition("=")[2] for line in given.read_text().splitlines() if line.startswith("#SBATCH --array")]


def test_what_is_refused_leaves_the_jobs_before_it(store: Store, programs: Path) -> None:
    given = sbatch(programs, most=2)
    first = node("first")
    second = node("second", upstream={"a": first.signature})
    third = node("third", upstream={"a": first.signature, "b": second.signature})
    with pytest.raises(
        UseError, match=r"sbatch refused it: .*\. 2 of 3 stages have a job, .* harness cancel test --store"
    ):
        detach(submitter(), graph(first, second, third), store)
    assert dependencies(given) == ["afterok:1", "afterok:1:2"]
    assert {record.label for record in unfinished(store)} == {"first", "second"}


def stages() -> Graph:
    """A latent cache, three trainings, each with films of two tracks, and a report."""
    data = node("data", kind="data")
    trains = [node(f"train {i}", kind="train", upstream={"data": data.signature}) for i in range(3)]
    films = [
        node(f"{track} {i}", kind="generate", upstream={"train": train.signature, "data": data.signature})
        for i, train in enumerate(trains)
        for track in ("short", "long")
    ]
    report = node("report", kind="report", upstream={"films": tuple(one.signature for one in films)})
    return graph(data, *trains, *films, report)


def test_stages_that_wait_alike_are_arrays(store: Store, programs: Path) -> None:
    given, said = sbatch(programs), list[str]()
    assert detach(submitter(said=said), stages(), store) == 0
    assert arrays(given) == ["0-2%3"] * 3
    assert dependencies(given) == [
        "afterok:1", "afterok:1,aftercorr:2", "afterok:1,aftercorr:2", "afterok:3_0:3_1:3_2:4_0:4_1:4_2",
    ]  # fmt: skip
    assert "11 jobs submitted, 0 under way already, 0 stages done" in said


def test_the_throttle_holds_over_all_arrays(store: Store, programs: Path) -> None:
    """Two at once: the films wait for the end of all trainings, and those of the second track for those of the first."""
    given = sbatch(programs)
    detach(submitter(settings(at_once=2)), stages(), store)
    assert arrays(given) == ["0-2%2"] * 3
    assert dependencies(given) == [
        "afterok:1", "afterok:1,aftercorr:2,afterany:2", "afterok:1,aftercorr:2,afterany:3",
        "afterok:3_0:3_1:3_2:4_0:4_1:4_2,afterany:4",
    ]  # fmt: skip


def test_an_array_of_which_one_is_done_waits_for_each_alone(store: Store, programs: Path) -> None:
    """The films of a training that is done are no task of the others' array, which has one for each training."""
    given, all_ = sbatch(programs), list(stages())
    done = next(one for one in all_ if one.label == "train 1")
    store.begin("train", done.signature)
    store.commit("train", done.signature, {"kind": "train", "signature": done.signature, "created": ""})
    detach(submitter(), graph(*all_), store)
    assert arrays(given) == ["0-1%2"] * 4  # trainings, films of either track, films of the finished one


def test_room_is_passed_on_when_a_job_ends() -> None:
    room = Room(4)
    assert room.take(3) == []
    room.hold("1", 3)
    assert room.take(2) == ["1"]
    room.hold("2", 2)
    assert room.take(99) == ["1", "2"]
