"""The import rules of the house (docs/design.md)."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = {"harness", "svi", "benchmarks", "sweeps", "reports"}
ALLOWED = {
    "svi": {"svi"},
    "benchmarks": {"benchmarks"},
    "reports": {"reports"},
    "sweeps": {"sweeps", "harness", "reports"},
}
PURE = ("core/signature", "core/store", "core/registry", "core/errors", "declare/spec", "plan/plan")


def imports(file: Path) -> Iterator[str]:
    """Top-level names of everything the file imports, inside functions too."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            yield (node.module or "").partition(".")[0]


@pytest.mark.parametrize("package", sorted(ALLOWED))
def test_packages_import_no_sibling(package: str) -> None:
    for file in (ROOT / package).rglob("*.py"):
        assert not (set(imports(file)) & PACKAGES) - ALLOWED[package], file


@pytest.mark.parametrize("module", PURE)
def test_the_heart_of_the_harness_knows_neither_torch_nor_siblings(module: str) -> None:
    assert not set(imports(ROOT / "harness" / f"{module}.py")) & ({"torch"} | PACKAGES - {"harness"})


def test_reports_import_no_torch() -> None:
    for file in (ROOT / "reports").rglob("*.py"):
        assert "torch" not in set(imports(file)), file


def test_only_tracking_speaks_to_mlflow() -> None:
    for file in (ROOT / "harness").rglob("*.py"):
        if "tracking" not in file.parts and file.name != "ui.py":
            assert "mlflow" not in set(imports(file)), file


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
