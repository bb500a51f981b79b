import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from harness.core.errors import UseError
from harness.core.signature import canonical, fingerprint, flat, signature, unmarked

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3), max_leaves=5)
IDENTITIES = st.dictionaries(st.text(min_size=1, max_size=8), VALUES, min_size=1, max_size=6)


def identity(default: Any) -> Any:
    return Field(default, json_schema_extra={"role": "identity"})


def runtime(default: Any) -> Any:
    return Field(default, json_schema_extra={"role": "runtime"})


class Optimiser(BaseModel):
    lr: float = identity(1e-3)
    betas: tuple[float, float] = identity((0.9, 0.99))
    workers: int = runtime(2)


class Tree(BaseModel):
    optimiser: Optimiser = Optimiser()
    name: str = identity("x")
    forgotten: int = 3


@given(IDENTITIES, st.randoms())
def test_the_order_of_keys_does_not_matter(values: dict[str, Any], random: Any) -> None:
    shuffled = list(values.items())
    random.shuffle(shuffled)
    assert signature("train", 1, values, {}) == signature("train", 1, dict(shuffled), {})


@given(IDENTITIES, VALUES, st.data())
def test_any_change_of_identity_changes_it(values: dict[str, Any], value: Any, data: st.DataObject) -> None:
    key = data.draw(st.sampled_from(sorted(values)))
    changed = {**values, key: value}
    same = canonical(values) == canonical(changed)
    assert (signature("train", 1, values, {}) == signature("train", 1, changed, {})) == same


def test_kind_version_and_upstream_change_it() -> None:
    variants = [
        signature("train", 1, {"a": 1}, {}),
        signature("data", 1, {"a": 1}, {}),
        signature("train", 2, {"a": 1}, {}),
        signature("train", 1, {"a": 1.0}, {}),
        signature("train", 1, {"a": 1}, {"data": "s"}),
        signature("train", 1, {"a": 1}, {"data": "t"}),
        signature("train", 1, {"a": 1}, {"data": ("s", "t")}),
        signature("train", 1, {"a": 1}, {"data": ("t", "s")}),
    ]
    assert len(set(variants)) == len(variants)
    assert signature("train", 1, {"a": (1, 2)}, {"d": ("s",)}) == signature("train", 1, {"a": [1, 2]}, {"d": ["s"]})


def test_signatures_stay_what_they_were() -> None:
    """Stores outlive versions: a change of the scheme must be deliberate."""
    made = signature("train", 1, {"train.lr": 1e-4, "a": [1, None, "é"]}, {"data": "00"})
    assert made == "37266bc27d8a7454d4c1021f341c8ef2430ae9707343f156ebf029a45ca9ca76"


@given(st.integers(1, 64))
def test_runtime_fields_are_in_no_signature(workers: int) -> None:
    settings = Tree(optimiser=Optimiser(workers=workers))
    assert flat(settings, "identity") == {"optimiser.lr": 1e-3, "optimiser.betas": [0.9, 0.99], "name": "x"}
    assert flat(settings, "runtime") == {"optimiser.workers": workers}


def test_unmarked_fields_are_found_and_flat_without_a_role_is_everything() -> None:
    assert unmarked(Tree) == ["forgotten"]
    assert list(flat(Tree())) == ["optimiser.lr", "optimiser.betas", "optimiser.workers", "name", "forgotten"]


def test_every_setting_of_the_product_is_marked() -> None:
    from harness.declare.settings import Settings

    assert unmarked(Settings) == []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data" / "b").mkdir(parents=True)
    (tmp_path / "data" / "a.txt").write_text("one")
    (tmp_path / "data" / "b" / "c.txt").write_text("two")
    return tmp_path / "data"


def test_a_fingerprint_covers_names_and_contents(folder: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache.json"
    seen = [fingerprint(folder, cache)]
    (folder / ".hidden").write_text("not data")
    copy = shutil.copytree(folder, tmp_path / "copy")
    link = tmp_path / "link"
    link.mkdir()
    for name in ("a.txt", "b"):
        (link / name).symlink_to(folder / name)
    assert fingerprint(folder, cache) == fingerprint(copy, cache) == fingerprint(link, cache) == seen[0]
    (folder / "b" / "c.txt").write_text("TWO!")
    seen.append(fingerprint(folder, cache))
    (folder / "a.txt").rename(folder / "z.txt")
    seen.append(fingerprint(folder, cache))
    seen.append(fingerprint(folder / "z.txt", cache))
    assert len(set(seen)) == 4


def test_unchanged_files_are_not_read_again(folder: Path, tmp_path: Path) -> None:
    cache, file = tmp_path / "cache.json", folder / "a.txt"
    before, times = fingerprint(folder, cache), file.stat()
    file.write_text("ONE")  # same size, and below the same time of change
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert fingerprint(folder, cache) == before
    cache.write_text("{broken")
    assert fingerprint(folder, cache) != before


def test_a_link_that_leads_nowhere_is_an_error_of_use(tmp_path: Path) -> None:
    folder = tmp_path / "weights"
    folder.mkdir()
    (folder / "model.safetensors").symlink_to(tmp_path / "blobs" / "gone")
    with pytest.raises(
        UseError, match=r"model\.safetensors cannot be read \(a link that leads nowhere\); bring it back"
    ):
        fingerprint(folder, tmp_path / "cache.json")


def test_nothing_there_is_an_error_of_use(tmp_path: Path) -> None:
    with pytest.raises(UseError, match=r"nowhere.*no such file or folder"):
        fingerprint(tmp_path / "nowhere", tmp_path / "cache.json")
