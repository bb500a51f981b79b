"""The family's recipes."""

import hashlib

import pytest

from harness.commands.show import describe
from harness.declare.family import FAMILY, rows
from harness.declare.recipes import RECIPES
from harness.declare.settings import Settings
from harness.declare.spec import resolve

SIDES = ("paper", "code")


@pytest.mark.parametrize("name", FAMILY)
@pytest.mark.parametrize("side", SIDES)
def test_every_member_resolves_on_both_sides(name: str, side: str) -> None:
    recipe = RECIPES.get(f"{name}/{side}")
    resolved = resolve(Settings, [("recipe", recipe.values)]).settings
    assert resolved.train.rank == resolved.train.alpha == 128
    assert resolved.bank.capacity == 500
    assert set(recipe.sources) == set(recipe.values)
    assert all(recipe.sources.values())


def test_no_member_leaves_a_row_to_whatever_recipe_was_laid_before() -> None:
    keys = {(name, side): set(rows(name, side)) for name in FAMILY for side in SIDES}
    assert all(found == keys["svi-film", "code"] for found in keys.values())


def test_a_name_alone_is_the_codes_side() -> None:
    assert RECIPES.get("svi-film").values == RECIPES.get("svi-film/code").values


@pytest.mark.parametrize(
    ("name", "side", "key", "value"),
    [
        ("svi-shot", "code", "injection.p_clean", 0.2),
        ("svi-shot", "code", "condition.padding", "reference"),
        ("svi-shot", "paper", "generate.prompts", "first"),
        ("svi-film", "code", "injection.p_clean", 0.5),
        ("svi-film", "paper", "condition.p_motion", 0.95),
        ("svi-film", "code", "condition.p_motion", 0.9),
        ("svi-film", "paper", "train.lr", 2e-5),
        ("svi-film", "code", "train.lr", 1e-4),
        ("svi-film", "code", "train.epochs", 10),
        ("svi-tom", "code", "condition.padding", "zeros"),
        ("svi-2.0", "code", "backbone.boundary", 0.875),
        ("svi-2.0", "code", "generate.seed_stride", 42),
        ("svi-2.0-pro", "code", "generate.seed_stride", 42),
        ("svi-2.0-pro", "code", "generate.guidance", 4.0),
        ("svi-2.0-pro", "paper", "generate.guidance", 5.0),
        ("svi-2.0-pro", "code", "generate.fps", 15),
        ("svi-2.0-pro", "code", "generate.overlap_from", "previous"),
        ("svi-2.0", "code", "generate.overlap_from", "previous"),
        ("svi-2.0", "code", "generate.pixels", "round"),
        ("svi-film", "code", "generate.pixels", "truncate"),
        ("svi-film", "code", "generate.noise", "seed"),
        ("svi-film", "paper", "generate.noise", "film"),
        ("svi-film", "code", "bank.lists", 2),
        ("svi-film", "paper", "bank.lists", 1),
        ("svi-film", "code", "injection.img_from", "entries"),
        ("svi-film", "code", "bank.warmup_by", "rank"),
        ("svi-film", "code", "generate.overlap_from", "next"),
        ("svi-2.0-pro", "code", "condition.anchor", True),
        ("svi-2.0-pro", "paper", "generate.handoff", "latent"),
    ],
)
def test_figures_of_the_sources(name: str, side: str, key: str, value: object) -> None:
    assert rows(name, side)[key][0] == value


@pytest.mark.parametrize("name", FAMILY)
def test_every_member_has_the_negative_prompt_that_its_films_were_led_away_from(name: str) -> None:
    """Word by word: v1 has one in English, 2.0 and 2.0 Pro have Wan's own."""
    expected = ("色调艳丽", "ce96e0324e4b54ce") if "2.0" in name else ("bright tones", "411bdbdd98002bf9")
    for side in SIDES:
        negative = rows(name, side)["generate.negative_prompt"][0]
        assert negative.startswith(expected[0])
        assert hashlib.sha256(negative.encode()).hexdigest()[:16] == expected[1]


def test_show_sets_both_sides_beside_each_other() -> None:
    lines = {line.split()[0]: line.split()[1:] for line in describe("svi-film").splitlines() if line.strip()}
    assert lines["train.lr"][:2] == ["2e-05", "0.0001"]
    assert lines["bank.warmup"][:2] == ["20", "50"]
    assert "[P];" in lines["condition.p_motion"]
    assert max(map(len, describe("svi-film").splitlines())) < 160
    assert rows("svi-film", "code")["generate.negative_prompt"][0] in describe("svi-film/code")
