"""The settings that a stage is given."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from pydantic import BaseModel

from harness.core.signature import leaves
from harness.declare.settings import EvalSettings, Settings
from svi.axes import (
    CacheSettings,
    DistillationSettings,
    ForcingSettings,
    MethodSettings,
    RolloutSettings,
    StreamSettings,
)
from svi.error_settings import BankSettings, InjectionSettings
from svi.settings import (
    BackboneSettings,
    ConditionSettings,
    DataSettings,
    FlowSettings,
    GenerateSettings,
    SpeedSettings,
    TinySettings,
    TrainSettings,
)


class Reading:
    """The settings that a stage's kind declares to read (plan/kinds.py); any other section or field is an AttributeError.

    So a signature cannot miss a setting that mattered.
    """

    backbone: BackboneSettings
    tiny: TinySettings
    data: DataSettings
    flow: FlowSettings
    injection: InjectionSettings
    bank: BankSettings
    condition: ConditionSettings
    train: TrainSettings
    method: MethodSettings
    forcing: ForcingSettings
    stream: StreamSettings
    cache: CacheSettings
    rollout: RolloutSettings
    distillation: DistillationSettings
    generate: GenerateSettings
    speed: SpeedSettings
    eval: EvalSettings

    def __init__(self, values: Mapping[str, Any]) -> None:
        """From dotted settings; those that are no settings are left alone."""
        sections: dict[str, dict[str, Any]] = {}
        for key, value in values.items():
            section, _, field = key.partition(".")
            if section in Settings.model_fields and field in leaves(_model(section)):
                sections.setdefault(section, {})[field] = value
        for section, fields in sections.items():
            setattr(self, section, _only(_model(section), fields))

    def has(self, section: str) -> bool:
        """Whether the stage reads it."""
        return section in vars(self)

    if not TYPE_CHECKING:

        def __getattr__(self, section: str) -> Any:
            raise AttributeError(f"this stage's kind did not declare the settings {section!r} (harness/plan/kinds.py)")


def _model(section: str) -> type[BaseModel]:
    return cast(type[BaseModel], Settings.model_fields[section].annotation)


def _only(model: type[BaseModel], fields: Mapping[str, Any]) -> BaseModel:
    """A section without the fields that were not declared: not even their defaults."""
    section = model.model_construct(**fields)
    for name, field in model.model_fields.items():
        if (field.alias or name) not in fields:
            del section.__dict__[name]
    return section
