"""The rules of the house, as docs/design.md states them: each is read from there, and broken here once."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from importlib import import_module
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("harness", "svi", "benchmarks", "reports", "sweeps")
FOR_EDITORS = "harness/__init__.py"  # its imports are for type checkers alone
NOT_IN = {  # package -> where it may not be imported, and the files there that may all the same
    "torch": (("harness/core/", "reports/"), ()),
    "mlflow": (("harness/", "svi/", "benchmarks/", "reports/"), ("harness/tracking/", "harness/commands/ui.py")),
}
Sources = Mapping[str, str]  # path from the root -> what it says


@cache
def sources() -> Sources:
    files = [file for package in PACKAGES for file in (ROOT / package).rglob("*.py")]
    return {file.relative_to(ROOT).as_posix(): file.read_text() for file in files}


def table() -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Room, sentence and what it may import, of every row of docs/design.md."""
    for line in (ROOT / "docs" / "design.md").read_text().splitlines():
        if found := re.fullmatch(r"\| `([\w/.*]+)` \| (.*) \| (.*) \|", line):
            room, sentence, allowed = found.groups()
            yield room, sentence, tuple(re.findall("`(.+?)`", allowed))


ROOMS = {room: (sentence, allowed) for room, sentence, allowed in table()}


def room_of(path: str) -> str | None:
    """The row that speaks of a file: its own, that of loose files, or of the nearest folder."""
    folder = PurePosixPath(path).parent
    loose = f"{folder}/*.py"
    return next((row for row in (path, loose, *map(str, (folder, *folder.parents))) if row in ROOMS), None)


@cache
def imports(source: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Every imported module with the names taken from it, inside functions too."""
    found: list[tuple[str, tuple[str, ...]]] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [(alias.name, ()) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            found.append((node.module or "", tuple(alias.name for alias in node.names)))
    return tuple(found)


def imported_files(source: str, known: Sources) -> Iterator[str]:
    """Files of the project that a source imports; a package stands for its __init__.py."""
    for module, names in imports(source):
        if module.partition(".")[0] not in PACKAGES:
            continue
        modules = [f"{module}.{name}" for name in names]
        taken = [one for one in modules if path_of(one, known)]
        if len(taken) < len(names) or not names:
            taken.append(module)
        for one in taken:
            yield path_of(one, known) or f"{one.replace('.', '/')}.py"


def path_of(module: str, known: Sources) -> str | None:
    path = module.replace(".", "/")
    return next((file for file in (f"{path}.py", f"{path}/__init__.py") if file in known), None)


def allows(rule: str, path: str) -> bool:
    """Whether a rule of the table, such as `svi.method`, `svi.settings` or `svi/*.py`, speaks of the file."""
    if rule.endswith("*.py"):
        return PurePosixPath(path).match(rule) and path.count("/") == rule.count("/")
    room = rule.replace(".", "/")
    return path == f"{room}.py" or path.startswith(f"{room}/")


def faults(house: Sources) -> list[str]:
    """Everything that breaks a rule, a line each."""
    return [*(fault for path in house for fault in faults_of(path, house)), *circles(house)]


def faults_of(path: str, house: Sources) -> Iterator[str]:
    """What breaks the rules in one file."""
    source, room = house[path], room_of(path)
    if room is None and path.count("/") > 1:
        yield f"{path}: no row of docs/design.md speaks of its folder"
    if path.endswith("/__init__.py") and path.count("/") > 1:
        said = (ast.get_docstring(ast.parse(source)) or "").partition("\n")[0]
        if room is not None and said != ROOMS[room][0]:
            yield f"{path}: says {said!r}, docs/design.md says {ROOMS[room][0]!r}"
    yield from foreign(path, source)
    if room is not None:
        for target in imported_files(source, house):
            if room_of(target) != room and not any(allows(rule, target) for rule in ROOMS[room][1]):
                yield f"{path} imports {target}: {room} may not"


def foreign(path: str, source: str) -> Iterator[str]:
    roots = {module.partition(".")[0] for module, _ in imports(source)}
    for package, (closed, doors) in NOT_IN.items():
        if package in roots and path.startswith(closed) and not path.startswith(doors or "-"):
            yield f"{path} imports {package}"


def circles(house: Sources) -> Iterator[str]:
    arrows = {path: set(imported_files(source, house)) for path, source in house.items() if path != FOR_EDITORS}
    try:
        TopologicalSorter(arrows).prepare()
    except CycleError as error:
        yield f"a circle: {' -> '.join(error.args[1])}"


def test_the_house_keeps_its_rules() -> None:
    assert faults(sources()) == []


def test_every_row_is_of_a_room() -> None:
    assert len(ROOMS) > 30
    assert [room for room in ROOMS if not list(ROOT.glob(room))] == []


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("harness/core/new.py", "from harness.declare.settings import Settings"),
        ("harness/core/new.py", "import svi.settings"),
        ("harness/declare/new.py", "from harness.plan.kinds import Kind"),
        ("harness/declare/new.py", "from svi.backbones.tiny import TinyBackbone"),
        ("harness/experiments/new.py", "from harness.plan import pipeline"),
        ("harness/plan/new.py", "from harness.run.local import Local"),
        ("harness/plan/new.py", "from svi.training.loop import train"),
        ("harness/run/new.py", "from harness.plan.pipeline import build"),
        ("harness/run/new.py", "from harness.run.slurm.queue import jobs"),
        ("harness/run/slurm/new.py", "from harness.results import frame"),
        ("harness/results/new.py", "from harness.commands.session import Session"),
        ("harness/results/new.py", "from svi.lora import files"),
        ("harness/stages/new.py", "from harness.run.schedule import run"),
        ("harness/tracking/new.py", "from harness.plan.pipeline import Child"),
        ("harness/publish/new.py", "from harness.results.frame import joined"),
        ("harness/commands/new.py", "from harness.stages.films import film"),
        ("harness/commands/new.py", "from sweeps.sweep import SWEEPS"),
        ("harness/cli.py", "from harness.commands.run import run"),
        ("svi/new.py", "from svi.method import flow"),
        ("svi/method/new.py", "from svi.backbones import speed"),
        ("svi/backbones/new.py", "from svi.data.cache import LatentCache"),
        ("svi/bank/new.py", "from svi.training import ranks"),
        ("svi/memory/new.py", "from svi.generation.generator import Generator"),
        ("svi/data/new.py", "from svi.generation.reel import Script"),
        ("svi/lora/new.py", "from svi.data.cache import LatentCache"),
        ("svi/training/new.py", "from svi.generation.generator import Generator"),
        ("svi/generation/new.py", "from svi.bank.bank import ErrorBank"),
        ("svi/perf/new.py", "from benchmarks.track import TRACKS"),
        ("benchmarks/new.py", "from benchmarks.films.film import Film"),
        ("benchmarks/films/new.py", "from benchmarks.scorers.metric import Metric"),
        ("benchmarks/scorers/new.py", "from benchmarks.suites.suite import Suite"),
        ("benchmarks/vbench/new.py", "from benchmarks.suites.record import ScoreRecord"),
        ("benchmarks/sync/new.py", "from benchmarks.vbench.raft import Raft"),
        ("benchmarks/fvd/new.py", "from benchmarks.films.film import Film"),
        ("benchmarks/suites/new.py", "from benchmarks.prompts import cache"),
        ("benchmarks/prompts/new.py", "from benchmarks.films import mp4"),
        ("benchmarks/bundled/new.py", "from benchmarks.samples import Sample"),
        ("benchmarks/perf/new.py", "from harness.core.errors import UseError"),
        ("reports/artifacts.py", "from reports.page.page import page"),
        ("reports/statistics/new.py", "from reports.tables.grid import Grid"),
        ("reports/tables/new.py", "from reports.figures import style"),
        ("reports/figures/new.py", "from reports.page import films"),
        ("reports/page/new.py", "from reports.write import write_report"),
        ("reports/write.py", "from svi.settings import Settings"),
        ("sweeps/new.py", "from svi.settings import Settings"),
    ],
)
def test_a_room_imports_what_its_row_allows(path: str, line: str) -> None:
    room, house = room_of(path), sources()
    [broken] = faults_of(path, {**house, path: f"{house.get(path, '')}\n{line}\n"})
    assert broken.startswith(f"{path} imports")
    assert broken.endswith(f"{room} may not")


@pytest.mark.parametrize(
    ("path", "text", "said"),
    [
        ("harness/plan/__init__.py", '"""Plans."""', "docs/design.md says"),
        ("svi/attic/__init__.py", '"""Old things."""', "no row"),
        ("harness/core/new.py", "import torch", "imports torch"),
        ("reports/figures/new.py", "from torch import nn", "imports torch"),
        ("harness/results/new.py", "def send():\n    import mlflow", "imports mlflow"),
    ],
)
def test_the_other_rules_hold_too(path: str, text: str, said: str) -> None:
    [broken] = faults_of(path, {**sources(), path: text})
    assert broken.startswith(path)
    assert said in broken


def test_files_stand_in_no_circle() -> None:
    house = sources()
    one, other = "svi/method/one.py", "svi/method/other.py"
    assert list(circles({**house, one: "from svi.method import other", other: ""})) == []
    [broken] = circles({**house, one: "from svi.method import other", other: "def late():\n    import svi.method.one"})
    assert broken.startswith("a circle")
    assert one in broken


def test_what_two_packages_know_is_one_file_name() -> None:
    known = [vars(import_module(f"{room}.artifacts")) for room in ("harness.core", "svi", "benchmarks", "reports")]
    for name in {name for names in known for name in names if name.isupper()}:
        assert len({names[name] for names in known if name in names}) == 1, name


@pytest.mark.parametrize("arguments", [["list"], ["--help"], ["show", "settings"], ["show", "ablation_eimg"]])
def test_light_commands_load_no_torch(arguments: list[str]) -> None:
    heavy = {"torch", "pandas", "mlflow", "diffusers", "deepspeed", "matplotlib"}
    code = f"""
import sys
from harness.cli import main
sys.argv = ["harness", *{arguments!r}]
try:
    main()
except SystemExit as end:
    assert not end.code
print("HEAVY", {heavy!r} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith("HEAVY set()")
