"""What variants cost, and the sentence that calls a comparison fair or not."""

from reports.tables.cost_table import cost_grid, fairness
from reports.tables.text import markdown_grid
from tests.reports.report_frames import info

FULL = {"parameters": 468_896.0, "clips": 48_000.0, "training_tokens": 960_000.0, "evaluations": 16.0, "tokens": 320.0}
BASE = FULL | {"parameters": 0.0, "clips": 0.0, "training_tokens": 0.0}
DEAR = FULL | {"training_tokens": 1_728_000.0, "before_first": 8.0}


def test_rows_that_cost_the_same_take_a_sentence() -> None:
    about = info(spent={"full": FULL, "base": BASE, "no_e_img": FULL, "no_e_vid": FULL})
    assert cost_grid(about) is None
    assert fairness(about) == (
        "Fair to compare with full, every cost within 5 %: no_e_img and no_e_vid; base trains nothing."
    )


def test_a_row_that_costs_more_is_refused_by_its_factor() -> None:
    about = info(spent={"full": FULL, "base": BASE, "no_e_img": DEAR, "no_e_vid": FULL})
    said = fairness(about)
    assert "fair to compare with full, every cost within 5 %: no_e_vid;" in said.lower()
    assert "no fair comparison, against full: no_e_img (1.8 x the training token-evaluations);" in said
    grid = cost_grid(about)
    assert grid is not None
    assert grid.notes[0] == said
    text = markdown_grid(grid)
    assert "1,728,000" in text
    assert text.index("| base") < text.index("| full")


def test_nothing_is_called_fair_that_was_not_counted() -> None:
    about = info(spent={"full": FULL, "no_e_img": {"seconds": 3.0}, "no_e_vid": FULL})
    assert fairness(about).endswith("costs were not all counted for base and no_e_img.")
    assert fairness(info(spent={"full": {"seconds": 3.0}, "base": FULL})) == ""
    assert fairness(info()) == ""


def test_a_cost_that_the_baseline_does_not_have_is_said_in_words() -> None:
    about = info(baseline="base", spent={"base": BASE, "full": FULL})
    assert "full (trained parameters where the baseline has none, " in fairness(about)
