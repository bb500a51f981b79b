"""Settings written with classes are the same as dotted ones."""

import pytest
from pydantic import ValidationError

from harness import BankSettings, InjectionSettings, TrainSettings, Variant, sets
from harness.core.errors import UseError
from harness.declare.settings import Settings
from harness.declare.spec import resolve
from svi.settings import Frozen


def test_it_is_what_was_given_and_no_default() -> None:
    given = sets(InjectionSettings(p_img=0.0, p_clean=0.5), TrainSettings(enabled=False))
    assert given == {"injection.p_img": 0.0, "injection.p_clean": 0.5, "train.enabled": False}
    assert Variant("no_e_img", given) == Variant("no_e_img", dict(given))


def test_a_default_that_is_given_is_set() -> None:
    default = InjectionSettings().p_vid
    assert sets(InjectionSettings(p_vid=default)) == {"injection.p_vid": default}


@pytest.mark.parametrize("section", [name for name in Settings.model_fields if name not in ("tracking", "slurm")])
def test_every_section_can_be_written_so(section: str) -> None:
    kind = Settings.model_fields[section].annotation
    assert isinstance(kind, type)
    assert issubclass(kind, Frozen)
    whole = {name: getattr(kind(), name) for name in kind.model_fields}
    given = sets(kind(**whole))
    assert resolve(Settings, [("variant x", given)]).settings == Settings()
    assert set(given) == {f"{section}.{field.alias or name}" for name, field in kind.model_fields.items()}


def test_a_wrong_key_or_value_fails_where_it_is_written() -> None:
    with pytest.raises(ValidationError, match="p_imgg"):
        InjectionSettings(p_imgg=0.0)  # type: ignore[call-arg]
    with pytest.raises(ValidationError, match="replacement"):
        BankSettings(replacement="oldest")


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(UseError, match="expected sections of settings: BackboneSettings, TinySettings"):
        sets(Settings())
    with pytest.raises(UseError, match=r"sets\(BankSettings\(...\)\): received no value"):
        sets(BankSettings())
    with pytest.raises(UseError, match="received it twice"):
        sets(BankSettings(capacity=1), BankSettings(warmup=2))
