"""What a variant sets, written with classes instead of dotted text: an editor completes it, a type checker reads it."""

from harness.core.errors import UseError
from harness.declare.settings import Settings
from harness.declare.spec import Scalar
from svi.settings import Frozen

_SECTIONS = {field.annotation: name for name, field in Settings.model_fields.items()}


def sets(*sections: Frozen) -> dict[str, Scalar]:
    """The dotted settings that these sections were given: sets(InjectionSettings(p_img=0.0)) is {"injection.p_img": 0.0}.

    A wrong key or value fails where the section is made. Raises UseError for what is no section, is given twice, or sets nothing.
    """
    values: dict[str, Scalar] = {}
    seen: list[type] = []
    for section in sections:
        kind = type(section)
        if kind not in _SECTIONS:
            expected = ", ".join(found.__name__ for found in _SECTIONS if isinstance(found, type))
            raise UseError(f"sets({section!r}): expected sections of settings: {expected}")
        if kind in seen or not section.model_fields_set:
            found = "it twice" if kind in seen else "no value"
            raise UseError(
                f"sets({kind.__name__}(...)): received {found}; expected it once, with what the variant sets"
            )
        seen.append(kind)
        given = section.model_dump(exclude_unset=True, by_alias=True)
        values |= {f"{_SECTIONS[kind]}.{key}": value for key, value in given.items()}
    return values
