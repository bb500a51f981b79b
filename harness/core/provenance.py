"""Where results come from: the code's commit and the versions of the packages that compute."""

import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("svi-harness", "torch", "diffusers", "peft", "deepspeed", "transformers", "numpy", "av")


@cache
def git_state() -> dict[str, str]:
    """git.commit and git.dirty of the checkout that this code runs from; "none" when it was installed from a wheel."""
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return {"git.commit": "none", "git.dirty": "none"}
    try:
        commit = _git(root, "rev-parse", "HEAD")
        return {"git.commit": commit, "git.dirty": str(bool(_git(root, "status", "--porcelain"))).lower()}
    except (OSError, subprocess.SubprocessError):
        return {"git.commit": "unknown", "git.dirty": "unknown"}


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, timeout=10, check=True)
    return done.stdout.strip()


def facts() -> dict[str, str]:
    """All of it, as kept in every manifest."""
    return {**git_state(), **versions()}


@cache
def versions() -> dict[str, str]:
    """Installed versions of the packages that decide results."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found
