"""What MLflow's pages say of an experiment."""

from pathlib import Path

from harness.declare.request import Request
from harness.experiments import EXPERIMENTS
from harness.publish.text import TEXT_LENGTH, parent_text

REQUEST = Request(EXPERIMENTS.get("ablation_eimg"), "ablation_eimg", "tiny")


def test_a_report_too_long_for_mlflow_ends_behind_a_whole_table(tmp_path: Path) -> None:
    table = "\n".join(f"| row {n:03d} | {'x' * 40} |" for n in range(50))
    (tmp_path / "answer.md").write_text("The answer.\n")
    (tmp_path / "table.md").write_text(f"{table}\n\n{table}\n\n---\n\npublished\n")
    said = parent_text(REQUEST, tmp_path)
    assert len(said) < TEXT_LENGTH + 100
    for words in ("Made by `harness run ablation_eimg", "`report/report.html`", "Baseline of all differences: `full`"):
        assert said.index(words) < said.index("The answer.")
    assert said.count("| row 049 |") == 1
    assert said.endswith("The rest does not fit here: see the report.")
    assert "published" not in said


def test_without_a_report_the_command_is_told() -> None:
    assert parent_text(REQUEST, None).startswith(
        "**Is the conditioning-frame error E_img what stops drift?**\n\nMade by"
    )
