"""The built-in experiments: what each varies, and which stages its variants share."""

from pathlib import Path

import pytest

from harness.declare.family import SIDES
from harness.declare.spec import TRIVIAL, Variant
from harness.experiments import EXPERIMENTS
from harness.experiments.recipe_paper_vs_code import LEFT_OUT
from harness.plan import pipeline
from reports.tables.paper_rows import answers_to
from reports.tables.published import published
from tests.harness.small import ONE_TRACK, SMALL, harness

NAMES = EXPERIMENTS.names()


def built(name: str, folder: Path, **overrides: object) -> pipeline.Pipeline:
    return pipeline.build(pipeline.Request(EXPERIMENTS.get(name), name, "tiny", (), overrides), folder / "f.json")


def own(name: str) -> dict[str, Variant]:
    """The variants that the experiment itself declares."""
    trivial = {variant.name for variant in TRIVIAL}
    return {variant.name: variant for variant in EXPERIMENTS.get(name).variants if variant.name not in trivial}


def trained(made: pipeline.Pipeline) -> dict[str, str]:
    return {child.variant.name: child.train["transformer"] for child in made.children if child.train}


@pytest.mark.parametrize("name", NAMES)
def test_an_experiment_is_named_asks_and_can_be_planned(name: str, tmp_path: Path) -> None:
    experiment = EXPERIMENTS.get(name)
    assert experiment.name == name
    assert experiment.question.endswith("?")
    assert len(list(built(name, tmp_path).graph)) > 5


@pytest.mark.parametrize(
    ("name", "answered"), [("ablation_eimg", 5), ("error_source", 3), ("lora_alpha", 4), ("bank_size", 6)]
)
def test_every_row_of_the_papers_table_has_a_variant(name: str, answered: int) -> None:
    table = EXPERIMENTS.get(name).compare_to
    assert table is not None
    methods = set(published(table)["method"])
    found = {method for method in methods for variant in own(name) if answers_to(variant, method, ablation=True)}
    assert (found, len(found)) == (methods, answered)


@pytest.mark.parametrize("name", ["lora_alpha", "handoff", "seeds_per_clip"])
def test_what_only_films_read_is_trained_once(name: str, tmp_path: Path) -> None:
    made = built(name, tmp_path)
    assert len(set(trained(made).values())) == 1
    assert trained(made)[EXPERIMENTS.get(name).baseline] == trained(built("ablation_eimg", tmp_path))["full"]
    key = {"lora_alpha": "generate.alpha", "handoff": "generate.handoff", "seeds_per_clip": "generate.seed_stride"}[
        name
    ]
    track = EXPERIMENTS.get(name).tracks[0]
    films = [made.graph[child.generate[track]] for child in made.children if child.variant.name in trained(made)]
    assert len({film.signature for film in films}) == len(films)
    for film in films[1:]:
        assert {k for k in film.identity if film.identity[k] != films[0].identity[k]} == {key}


@pytest.mark.parametrize(
    "name",
    [
        "injection_probability",
        "bank_size",
        "error_source",
        "only_e_img",
        "error_domain",
        "train_length",
        "data_size",
        "timestep_alignment",
    ],
)
def test_what_training_reads_is_trained_each_time(name: str, tmp_path: Path) -> None:
    signatures = trained(built(name, tmp_path))
    doubles = {"full": "p_clean_0.2"} if name == "injection_probability" else {}  # svi-tiny's own p_clean
    assert len(set(signatures.values())) == len(signatures) - len(doubles)
    assert all(signatures[one] == signatures[other] for one, other in doubles.items())


@pytest.mark.parametrize(
    ("name", "shared"),
    [
        ("only_e_img", {"full": "full", "lora_only": "lora_only"}),
        ("train_length", {"steps_3000": "full"}),
        ("data_size", {"all": "full"}),
        ("timestep_alignment", {"full": "full"}),
    ],
)
def test_what_the_paper_s_ablation_trains_is_not_trained_again(
    name: str, shared: dict[str, str], tmp_path: Path
) -> None:
    ours, theirs = trained(built(name, tmp_path)), trained(built("ablation_eimg", tmp_path))
    assert {variant: ours[variant] for variant in shared} == {v: theirs[other] for v, other in shared.items()}


def test_an_error_s_domain_is_varied_on_few_clips(tmp_path: Path) -> None:
    made = built("error_domain", tmp_path)
    for child in made.children:
        for signature in child.train.values():
            assert made.graph[signature].identity["train.clips"] == 768
            assert made.graph[signature].upstream["data"] == trained_on(tmp_path)


def trained_on(folder: Path) -> str:
    """The latent cache of all clips, which the experiments share."""
    made = built("ablation_eimg", folder)
    return str(next(node.signature for node in made.graph if node.kind == "data"))


def test_every_row_in_dispute_is_flipped_alone(tmp_path: Path) -> None:
    variants = own("recipe_paper_vs_code")
    paper, code = variants.pop("paper").set, variants.pop("code").set
    code_side = {key: value for key, value, _ in SIDES["code"]}
    assert set(variants) == {*code_side, "condition.p_motion"} - {*LEFT_OUT}
    for name, variant in variants.items():
        assert {key for key in paper if variant.set[key] != paper[key]} == {name}
        assert variant.set[name] == code[name] == code_side.get(name, 0.9)
    signatures = trained(built("recipe_paper_vs_code", tmp_path))
    assert len(set(signatures.values())) == len(signatures) - 2
    assert signatures["backbone.clip_image"] == signatures["paper"]  # a tiny model has no CLIP
    assert signatures["generate.pixels"] == signatures["paper"]  # films alone read it


def test_stability_makes_one_film_a_variant(tmp_path: Path) -> None:
    made = built("stability", tmp_path)
    films = [node for node in made.graph if node.kind == "generate"]
    assert {film.identity["track"] for film in films} == {"consistent-300s"}
    assert len(films) == len(made.children)


def test_errors_are_shown_of_what_was_trained_for_it(tmp_path: Path) -> None:
    made = built("error_visualisation", tmp_path)
    shown = [node for node in made.graph if node.kind == "errors"]
    assert [node.label for node in shown] == ["full, seed 0"]
    assert set(shown[0].upstream) == {"backbone", "data", "train"}
    assert made.graph[made.report].upstream["errors"] == (shown[0].signature,)
    assert trained(made)["full"] == trained(built("ablation_eimg", tmp_path))["full"]
    assert not [node for node in built("ablation_eimg", tmp_path).graph if node.kind == "errors"]
    both = built("ablation_eimg", tmp_path, **{"train.show_errors": True})
    assert len([node for node in both.graph if node.kind == "errors"]) == 5


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("ablation_eimg", "train_length", "league")])
def test_an_experiment_runs(name: str, tmp_path: Path) -> None:
    track = ONE_TRACK if name != "stability" else "tracks=consistent-300s"
    store = tmp_path / "runs"
    result = harness("run", name, track, *SMALL, "tiny.heads=1", store=store)
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-2000:]
    report = next((store / "reports").glob(f"{name}*")) / "report.md"
    text = report.read_text()
    assert all(variant in text for variant in own(name))
    assert ("quality against length" in text or "length-" in text) == (name == "stability")
    figures = {file.name for file in (report.parent / "figures").iterdir()}
    shown = {"errors-own-full.png", "errors-injected-full.png"}
    assert (shown <= figures) == (name == "error_visualisation")
