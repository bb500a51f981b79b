"""The page of results: one table, a section a question, and what was not run."""

import re

import pytest

from harness.core.store import Store
from harness.declare.spec import Experiment
from harness.experiments import EXPERIMENTS
from harness.results.findings import NOBODY, Finding, page
from reports.tables.published import published
from tests.harness.finished import finished


@pytest.fixture(scope="module")
def found() -> Finding:
    """Of the one run that the finished store holds."""
    store = finished()
    return Finding.of(Store(store), EXPERIMENTS.get("ablation_eimg"), next((store / "reports").iterdir()).name)


def rows(text: str) -> list[list[str]]:
    """The cells of the page's first table."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def test_the_page_opens_with_a_row_a_question_answer_published_and_cost(found: Finding) -> None:
    text = page([found], [], "harness results --run --seeds 3")
    head, _, first, *_ = rows(text)
    assert head == ["question", "our answer", "published", "cost"]
    assert first[0] == "[ablation_eimg](#ablation_eimg): Is the conditioning-frame error E_img what stops drift?"
    assert first[1].startswith("Too few films to say. 2 samples cannot tell the variants apart")
    assert "71.2 to 57.6" in first[2]
    assert re.fullmatch(r"1 seed, 1 training, 4 films; \d+ (s|min)", first[3])
    assert "```bash\nharness results --run --seeds 3\n```" in text.partition("| question")[0]
    assert "Not run yet" not in text


def test_a_section_has_answer_published_numbers_cost_and_the_command(found: Finding) -> None:
    section = found.section
    assert section.startswith(
        "## ablation_eimg\n\n**Is the conditioning-frame error E_img what stops drift?** Too few films to say.\n\n"
    )
    assert "On late placed PSNR (consistent-50s), base (" in section
    assert "*Published:* Yes: without E_img" in section
    assert re.search(r"^\| base +\| +\d+\.\d+ ± \d+\.\d+ \| +[+−]\d+\.\d+ \| too few films \|$", section, re.MULTILINE)
    assert "Declared, and not in this run: lora_only, no_e_img, " in section
    assert re.search(
        r"\*Cost:\* 1 seed, 1 training, 4 films; .*train \d+ (s|min).*; together \d+ (s|min)\. Code: `[0-9a-f]{7}`",
        section,
    )
    assert "harness run ablation_eimg --profile tiny --only base,full --name " in section


def test_what_was_not_run_is_named_and_nothing_published_is_said(found: Finding) -> None:
    silent = Experiment.model_validate({**dict(found.experiment), "published": ""})
    text = page([Finding(silent, found.job, "Yes.", "", "## ablation_eimg")], [EXPERIMENTS.get("bank_size")], "harness")
    assert rows(text)[2][2] == NOBODY
    assert "other models" not in text
    assert text.endswith("## Not run yet\n\n- `bank_size`: How many past errors must a slot of the bank keep?")
    assert "| question" not in page([], [EXPERIMENTS.get("bank_size")], "harness")


@pytest.mark.parametrize("name", [name for name in EXPERIMENTS.names() if "Table" in EXPERIMENTS.get(name).published])
def test_what_an_experiment_says_of_a_published_table_is_in_that_table(name: str) -> None:
    said, _, source = EXPERIMENTS.get(name).published.partition("(arXiv 2510.09212, Table ")
    [table] = re.findall(r"^\d", source)
    said = re.sub(r"Wan 2\.1|alpha \.2|at \.[48]", "", said)  # names
    numbers = {float(number) for number in re.findall(r"(?<![\w.])\d*\.\d+", said)}
    found = published(f"svi-{table}")
    printed = {round(float(value) + 1e-9, 1) for value in found["value"]}
    assert numbers <= printed
    assert len(numbers) >= 3
