"""Everything that a run can be told, one section a topic. `harness show settings` prints it."""

from pydantic import Field

from svi.settings import (
    BackboneSettings,
    BankSettings,
    ConditionSettings,
    DataSettings,
    FlowSettings,
    Frozen,
    GenerateSettings,
    InjectionSettings,
    SpeedSettings,
    TinySettings,
    TrainSettings,
    identity,
    runtime,
)


class EvalSettings(Frozen):
    """What films start from."""

    path: str | None = runtime(
        None,
        "folder of samples, each an image and a prompt.txt; none: the world's scenes, or held-back clips of data.path",
        min_length=1,
    )
    seed: int = identity(2024, "seed of the embedded world's scenes that films start from", ge=0)


class TrackingSettings(Frozen):
    """Where results are logged."""

    uri: str | None = runtime(None, "MLflow tracking URI; none: sqlite in the store")


class Settings(Frozen):
    """The resolved settings of one variant."""

    backbone: BackboneSettings = Field(default_factory=BackboneSettings)
    tiny: TinySettings = Field(default_factory=TinySettings)
    data: DataSettings = Field(default_factory=DataSettings)
    flow: FlowSettings = Field(default_factory=FlowSettings)
    injection: InjectionSettings = Field(default_factory=InjectionSettings)
    bank: BankSettings = Field(default_factory=BankSettings)
    condition: ConditionSettings = Field(default_factory=ConditionSettings)
    train: TrainSettings = Field(default_factory=TrainSettings)
    generate: GenerateSettings = Field(default_factory=GenerateSettings)
    speed: SpeedSettings = Field(default_factory=SpeedSettings)
    eval: EvalSettings = Field(default_factory=EvalSettings)
    tracking: TrackingSettings = Field(default_factory=TrackingSettings)
