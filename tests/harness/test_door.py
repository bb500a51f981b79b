"""What a file of one's own imports: `from harness import ...`, light and whole."""

import subprocess
import sys
from pathlib import Path

import pytest

import harness
from harness.core.errors import UseError
from harness.declare.settings import Settings
from harness.declare.spec import load_experiment
from harness.experiments import EXPERIMENTS
from sweeps.sweep import load_sweep
from tests.harness.small import ROOT

MINE = '''
from harness import Choice, Float, InjectionSettings, Int, Objective, Sweep, Variant, experiment, sets


@experiment(baseline="full", tracks=("consistent-50s",))
def mine():
    """Does it load?"""
    yield Variant("full")
    yield Variant("no_e_img", sets(InjectionSettings(p_img=0.0)))


search = Sweep(
    question="Which?",
    space={"train.lr": Float(1e-4, 1e-2, log=True), "bank.capacity": Int(10, 20), "bank.replacement": Choice("l2", "fifo")},
    track="consistent-50s",
    objectives=(Objective("background_psnr", "maximize"),),
)
'''


@pytest.mark.parametrize("name", harness.__all__)
def test_every_name_is_the_one_of_its_room(name: str) -> None:
    found = getattr(harness, name)
    assert found.__name__ == {"FlowMatching": "Objective"}.get(name, name)
    assert found.__module__.split(".")[0] in ("harness", "svi", "benchmarks", "sweeps")


def test_it_has_every_section_that_changes_a_result() -> None:
    sections = {type(section).__name__ for _, section in Settings()} - {"TrackingSettings", "SlurmSettings"}
    assert sections == {name for name in harness.__all__ if name.endswith("Settings")}


def test_an_unknown_name_says_what_there_is() -> None:
    with pytest.raises(AttributeError, match=r"no 'Variants'; it has .*Variant, experiment"):
        _ = harness.Variants  # type: ignore[attr-defined]


def test_a_file_of_ones_own_needs_no_other_import(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(MINE)
    loaded = load_experiment(f"{tmp_path / 'mine.py'}:mine", EXPERIMENTS)
    assert {variant.name: variant.set for variant in loaded.variants}["no_e_img"] == {"injection.p_img": 0.0}
    name, sweep = load_sweep(f"{tmp_path / 'mine.py'}:search")
    assert (name, sweep.track) == ("search", "consistent-50s")


def test_a_wrong_key_is_one_message_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("from harness import InjectionSettings\n\nInjectionSettings(p_imgg=0.0)\n")
    with pytest.raises(UseError, match=r"mine\.py, line 3: InjectionSettings: p_imgg=0\.0: Extra inputs") as refused:
        load_experiment(f"{tmp_path / 'mine.py'}:mine", EXPERIMENTS)
    assert "\n" not in str(refused.value)


def test_a_wrong_name_is_told_what_there_is(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("from harness import Variants\n")
    with pytest.raises(
        UseError, match=r"mine\.py, line 1: cannot import name 'Variants' .*; expected one of: .*Variant, "
    ):
        load_experiment(f"{tmp_path / 'mine.py'}:mine", EXPERIMENTS)


def test_to_import_it_is_to_import_nothing_else() -> None:
    code = "import sys, harness; print([n for n in sys.modules if n.startswith('harness.') or n in ('pydantic', 'sweeps')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "[]"
