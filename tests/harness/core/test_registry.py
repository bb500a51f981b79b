import pytest

from harness.core.errors import UseError
from harness.core.registry import Registry, nearest, suggestion


def test_a_lazy_target_is_imported_when_asked_for() -> None:
    registry: Registry[object] = Registry("thing")
    registry.add("decoder", "json:JSONDecoder")
    registry.add("missing", "no_such_module:x")
    registry.add("three", 3)
    from json import JSONDecoder

    assert registry.get("decoder") is JSONDecoder
    assert registry.get("three") == 3
    assert registry.names() == ["decoder", "missing", "three"]
    with pytest.raises(ModuleNotFoundError):
        registry.get("missing")


def test_an_unknown_name_suggests_and_lists() -> None:
    registry: Registry[int] = Registry("experiment")
    registry.add("ablation_eimg", 1)
    registry.add("bank_size", 2)
    with pytest.raises(UseError) as caught:
        registry.get("ablation_img")
    assert str(caught.value) == (
        "unknown experiment 'ablation_img': did you mean 'ablation_eimg'? available: ablation_eimg, bank_size"
    )


def test_a_name_is_registered_once() -> None:
    registry: Registry[int] = Registry("experiment")
    registry.add("a", 1)
    with pytest.raises(ValueError, match="'a' is registered twice"):
        registry.add("a", 2)


def test_nearest_ignores_case_and_knows_when_nothing_is_near() -> None:
    assert nearest("FULL", ["full", "base"]) == ["full"]
    assert nearest("zzz", ["full", "base"]) == []
    assert suggestion("zzz", ["full"]) == "available: full"
    assert suggestion("zzz", []) == "available: none"
