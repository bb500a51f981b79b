"""`harness show`: whatever is listed, and what a variant runs with, value by value, with the layer that it comes from."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from harness.cli import cli
from harness.commands.sections import SECTIONS
from harness.core.errors import UseError
from harness.core.signature import leaves
from harness.declare.settings import Settings

OWN = '''
from harness import Float, Objective, Sweep, Variant, experiment


@experiment(tracks=("consistent-50s",), settings={"train.steps": 5})
def mine():
    """Is it mine?"""
    yield Variant("full")


search = Sweep("What helps?", {"bank.p_clean_update": Float(0, 1)}, "consistent-50s", (Objective("background_psnr"),))
'''


def shown(*words: str) -> str:
    done = CliRunner().invoke(cli, ["show", *words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def origins(*words: str) -> dict[str, str]:
    """Of every printed setting "key=value", where it comes from."""
    lines = [line.strip().split("  ", 1) for line in shown(*words).splitlines() if line.startswith("  ")]
    return {setting: origin.strip() for setting, origin in lines}


def test_every_setting_of_a_variant_has_its_value_and_origin() -> None:
    found = origins("ablation_eimg", "--variant", "no_e_img", "--recipe", "code", "train.steps=100")
    assert [setting.partition("=")[0] for setting in found] == list(leaves(Settings))
    assert {key: found[key] for key in ("injection.p_img=0.0", "train.steps=100", "bank.warmup=50", "data.fps=8")} == {
        "injection.p_img=0.0": "variant no_e_img",
        "train.steps=100": "command line",
        "bank.warmup=50": "recipe code",
        "data.fps=8": "profile tiny",
    }
    assert found["bank.replacement=l2"] == "default"
    assert found["speed.attention=sdpa"] == "follows from other settings, or from this machine"


def test_without_a_variant_it_is_the_baseline() -> None:
    said = shown("ablation_eimg", "--profile", "wan2.1-i2v-14b-480p")
    assert said.startswith("ablation_eimg, variant full, seed 0, profile wan2.1-i2v-14b-480p\n")
    assert origins("ablation_eimg", "--profile", "wan2.1-i2v-14b-480p")["train.micro_batch=1"].startswith("profile wan")


def test_settings_have_the_values_of_a_profile_and_what_they_mean() -> None:
    tiny, wan = origins("settings"), origins("settings", "--profile", "wan2.2-i2v-a14b")
    assert tiny["data.height=16"] == "pixels"
    assert wan["data.height=480"] == "pixels"
    assert tiny["train.show_errors=False"].endswith("(runtime)")


def test_experiments_and_sweeps_of_a_file_are_shown(tmp_path: Path) -> None:
    file = tmp_path / "my.py"
    file.write_text(OWN)
    assert "all variants: train.steps=5" in shown(f"{file}:mine")
    assert shown(f"{file}:search").startswith("search: What helps?")
    assert origins(f"{file}:mine", "--variant", "full")["train.steps=5"] == "experiment mine"
    with pytest.raises(UseError, match=r"no experiment, sweep or part 'other' in .*NAME of: mine, search"):
        shown(f"{file}:other")


def test_an_objective_and_a_loop_of_one_name_are_both_shown() -> None:
    """Each with the settings that it alone reads."""
    objective, loop = shown("stream").split("\n\n")
    assert objective.startswith("method.objective=stream: ")
    assert "stream.whole=" in objective
    assert loop.startswith("method.generation=stream: ")
    assert "stream.micro_steps=" in loop
    assert "stream.whole=" not in loop


def test_tracks_and_tables_are_shown() -> None:
    assert "score anybody's: harness score VIDEOS --track talk-300s" in shown("talk-300s")
    assert "| without E_img | published |" in shown("svi-4")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("ablation_eimg", "--variant", "no_img"), "has no variant 'no_img': did you mean 'no_e_img'"),
        (("ablation_eimg", "injection.p_img=1"), "it is what no_e_img sets"),
        (("svi-film", "--profile", "tiny"), "svi-film is listed under recipes: --variant"),
        (("settings", "--variant", "full"), "go with an experiment"),
        (("consistent-50",), "nothing is called 'consistent-50': did you mean 'consistent-50s'"),
        (("settings", "variants=full"), "did you mean --variant full?"),
    ],
)
def test_what_does_not_go_together_is_refused(words: tuple[str, ...], said: str) -> None:
    with pytest.raises(UseError) as refused:
        shown(*words)
    assert said in str(refused.value)


def test_the_list_names_every_section() -> None:
    listed = CliRunner().invoke(cli, ["list"]).output
    for title, section in SECTIONS.items():
        assert f"\n{title}\n" in f"\n{listed}"
        assert all(f"  {name} " in listed for name in section.listed() if "/" not in name)
