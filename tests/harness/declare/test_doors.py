"""What files of one's own and installed packages add, and what of it is refused or skipped."""

import json
import re
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from harness.cli import cli
from harness.core.errors import UseError
from harness.declare.doors import DOORS, door_of, loaded
from harness.declare.files import digest
from harness.declare.parts import chosen
from svi.parts import KV_CACHE, OBJECTIVES, REFERENCE
from tests.harness.finished import copied
from tests.harness.made import TRAINED, made
from tests.harness.packages import installed
from tests.harness.small import harness

OBJECTIVE = '''
from svi.objectives.objective import Objective

class Brighter(Objective):
    """Every condition a little brighter."""

    def inputs(self, model, clips, step):
        return clips.changed(condition={"latents": clips.condition["latents"] * 1.01})
'''
LOUD = "import sys\nprint('I was imported')\nsys.exit(3)\n"
GROUP = "[svi_harness.objectives]\n"


def listed() -> str:
    done = CliRunner().invoke(cli, ["list"], catch_exceptions=False)
    assert done.exit_code == 0
    return done.output


def write(folder: Path, text: str, name: str = "mine.py") -> Path:
    file = folder / name
    file.write_text(text)
    return file


def test_an_entry_point_is_listed_without_being_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    points = f"{GROUP}loud = loud_ideas:Loud\n[svi_harness.tracks]\nshort-5s = loud_ideas:SHORT\n"
    monkeypatch.syspath_prepend(installed(tmp_path, "loud", points, {"loud_ideas": LOUD}))
    said = listed()
    assert re.search(r"\n  loud +loud_ideas:Loud, of loud 1.0\n", said)
    assert re.search(r"\n  short-5s +loud_ideas:SHORT, of loud 1.0\n", said)
    assert "loud_ideas" not in sys.modules


def test_what_breaks_when_it_is_loaded_is_said_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(installed(tmp_path, "loud", f"{GROUP}loud = loud_ideas:Loud\n", {"loud_ideas": LOUD}))
    done = harness("plan", "ablation_eimg", "method.objective=loud", store=tmp_path / "runs")
    assert done.returncode == 2
    assert "loud_ideas:Loud cannot be loaded: SystemExit: 3" in done.stderr


@pytest.mark.parametrize(
    ("points", "why"),
    [
        (
            f"{GROUP}flow_matching = ideas:Mine\n",
            "'flow_matching', 'ideas:Mine' of amiss 1.0: a built-in objective has",
        ),
        (f"{GROUP}a/../b = ideas:Mine\n", "'a/../b', 'ideas:Mine' of amiss 1.0: its name cannot be part of a path"),
        (f"{GROUP}mine = ideas.Mine()\n", "expected MODULE:NAME as its value"),
        (f"{GROUP}mine\n", "'mine', '' of amiss 1.0: expected MODULE:NAME"),
        (
            f"{GROUP}mine = ideas:Mine\nmine = others:Mine\n",
            "'others:Mine' of amiss 1.0: amiss 1.0 has one of that name too",
        ),
    ],
)
def test_what_cannot_be_used_is_named_and_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, points: str, why: str
) -> None:
    """The rest of the list is there all the same, and so is what is built in."""
    monkeypatch.syspath_prepend(installed(tmp_path, "amiss", points, {}))
    said = listed()
    assert "  skipped: " in said
    assert why in said
    assert "error_recycling" in said
    assert chosen("objective", "flow_matching").part == OBJECTIVES["flow_matching"]


def test_metadata_that_nobody_can_read_hides_no_other_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = installed(tmp_path / "broken", "broken", "no section = here\n[", {})
    (broken / "broken-1.0.dist-info" / "METADATA").write_bytes(b"\xff\xfe\x00")
    escapes = "Metadata-Version: 2.1\nName: sly\x1b[2J\nVersion: 1\n"
    monkeypatch.syspath_prepend(broken)
    monkeypatch.syspath_prepend(installed(tmp_path / "sly", "sly", f"{GROUP}mine = sly:Mine\n", {}, metadata=escapes))
    said = listed()
    assert "sly:Mine, of sly[2J 1" in said
    assert "\x1b" not in said


def test_a_part_of_a_package_is_known_by_its_source_and_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where its module only hands it on: what is hashed is the file that says what it does."""
    modules = {"bright": "from bright_parts import Brighter\n", "bright_parts": OBJECTIVE}
    folder = installed(tmp_path, "bright", f"{GROUP}brighter = bright:Brighter\n", modules, version="2.1")
    monkeypatch.syspath_prepend(folder)
    assert chosen("objective", "brighter").identity == {
        "method.objective": "brighter",
        "method.objective.version": 1,
        "method.objective.source": digest(folder / "bright_parts.py"),
        "method.objective.package": "bright 2.1",
    }
    shown = CliRunner().invoke(cli, ["show", "brighter"]).output
    assert shown.startswith("method.objective=brighter: Every condition a little brighter.")
    assert f"source {digest(folder / 'bright_parts.py')[:12]}, of bright 2.1" in shown


def test_a_part_of_a_package_is_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    modules = {"trained_ideas": OBJECTIVE}
    points = f"{GROUP}brighter = trained_ideas:Brighter\n"
    monkeypatch.syspath_prepend(installed(tmp_path / "site", "ideas", points, modules))
    trained = made(copied(tmp_path / "runs"), "method.objective=brighter", kinds=TRAINED)["train"]
    manifest = json.loads((trained / "manifest.json").read_text())
    assert manifest["identity"]["method.objective.package"] == "ideas 1.0"


@pytest.mark.parametrize(
    ("axis", "text", "said"),
    [
        ("objective", "class Mine:\n    pass\n", r"Mine has no of, no losses, .*as objective expected a class with of"),
        ("generation", "class Mine:\n    pass\n", r"Mine has no next; as generation loop expected a class with next"),
        ("memory", "class Mine:\n    pass\n", r"Mine has no keep or reference; as memory expected"),
        ("generation", "class Mine:\n    next = 1\n    reads = 'bank'\n", r"reads = 'bank'; expected words in a tuple"),
        ("generation", "class Mine:\n    next = 1\n    needs = 3\n", r"needs = 3; expected words in a tuple"),
        (
            "generation",
            "class Mine:\n    next = 1\n    reads = ('bnk',)\n",
            r"names 'bnk', which is no setting and no section: did you",
        ),
        ("generation", "class Mine:\n    next = 1\n    version = '2'\n", r"version = '2'; expected a whole number"),
        ("objective", "Mine = 3\n", r"there is no method.objective 'Mine' in .*NAME of: none \(a class with"),
        ("objective", "1 / 0\n", r"mine.py, line 1: ZeroDivisionError"),
    ],
)
def test_what_is_no_part_is_refused_with_what_was_expected(tmp_path: Path, axis: str, text: str, said: str) -> None:
    with pytest.raises(UseError, match=said):
        chosen(axis, f"{write(tmp_path, text)}:Mine")  # type: ignore[arg-type]


def test_only_classes_of_the_file_itself_are_offered(tmp_path: Path) -> None:
    file = write(tmp_path, OBJECTIVE)
    with pytest.raises(UseError, match=r"NAME of: Brighter$"):
        chosen("objective", f"{file}:Objective")  # which the file imports: its source lies elsewhere


def test_what_extends_a_built_in_part_goes_with_what_that_goes_with(tmp_path: Path) -> None:
    text = """
from svi.generation.clips import ClipLoop
from svi.objectives.error_recycling import ErrorRecycling

class Loop(ClipLoop):
    '''The clip loop again.'''

class Recycling(ErrorRecycling):
    '''Recycling again.'''
    reads = ("injection", "bank", "speed")
"""
    file = write(tmp_path, text)
    assert chosen("generation", f"{file}:Loop").part.gives == chosen("generation", "clips").part.gives
    assert chosen("objective", f"{file}:Recycling").part.reads == ("injection", "bank", "speed")
    assert chosen("objective", f"{file}:Recycling").part.gives == OBJECTIVES["error_recycling"].gives


def test_a_memory_needs_the_place_that_it_fills(tmp_path: Path) -> None:
    file = write(tmp_path, "class Rule:\n    keep = 1\nclass Image:\n    reference = 1\n    needs = ('luck',)\n")
    assert chosen("memory", f"{file}:Rule").part.needs == (KV_CACHE,)
    assert chosen("memory", f"{file}:Image").part.needs == ("luck", REFERENCE)


def test_a_file_that_changed_since_it_was_planned_is_not_used(tmp_path: Path) -> None:
    file = write(tmp_path, OBJECTIVE)
    found = DOORS["objective"].find(f"{file}:Brighter", (), "objective")
    assert loaded(found.target, found.source) is found.value
    file.write_text(OBJECTIVE.replace("1.01", "1.02"))
    with pytest.raises(UseError, match=r"mine.py:Brighter: its file changed since the command began"):
        loaded(found.target, found.source)


def test_a_class_of_a_file_is_shown_by_what_it_can_do(tmp_path: Path) -> None:
    text = f"{OBJECTIVE}\nclass Loop:\n    '''Again.'''\n    next = 1\n\nclass Nothing:\n    pass\n"
    file = write(tmp_path, text)

    def shown(name: str) -> str:
        return CliRunner().invoke(cli, ["show", f"{file}:{name}"], catch_exceptions=False).output

    assert shown("Brighter").startswith(f"method.objective={file}:Brighter: Every condition a little brighter.\n")
    assert f"source {digest(file)[:12]}\n" in shown("Brighter")
    assert shown("Loop").startswith(f"method.generation={file}:Loop: Again.")
    with pytest.raises(UseError, match=r"Nothing is no part of anything. .*a generation loop: next"):
        shown("Nothing")


def test_a_class_is_held_against_the_doors_in_their_order() -> None:
    """An objective has `keep`, as a memory has."""
    from svi.objectives.objective import Objective

    assert door_of(Objective) == "objective"
    assert door_of(object()) is None
