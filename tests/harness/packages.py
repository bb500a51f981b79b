"""Packages with entry points, as an installer leaves them: modules, and a dist-info beside them."""

from collections.abc import Mapping
from pathlib import Path


def installed(
    folder: Path, name: str, points: str, modules: Mapping[str, str], version: str = "1.0", metadata: str | None = None
) -> Path:
    """A folder for sys.path with one package in it; `points` is its entry_points.txt, `modules` what each file says."""
    about = folder / f"{name}-{version}.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(metadata or f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (about / "entry_points.txt").write_text(points)
    for module, text in modules.items():
        (folder / f"{module}.py").write_text(text)
    return folder
