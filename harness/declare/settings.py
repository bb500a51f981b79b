"""Everything that a run can be told, one section a topic. `harness show settings` prints it."""

import re
from typing import Literal

from pydantic import Field, NonNegativeInt, PositiveInt, field_validator

from benchmarks.vbench.files import FILES
from svi.axes import (
    CacheSettings,
    DistillationSettings,
    ForcingSettings,
    MethodSettings,
    ResamplingSettings,
    RolloutSettings,
    StreamSettings,
)
from svi.error_settings import BankSettings, InjectionSettings
from svi.settings import (
    BackboneSettings,
    ConditionSettings,
    DataSettings,
    FlowSettings,
    Frozen,
    GenerateSettings,
    SpeedSettings,
    TinySettings,
    TrainSettings,
    identity,
    later,
    runtime,
)


class EvalSettings(Frozen):
    """What films start from."""

    path: str | None = runtime(
        None,
        "folder of samples (each an image and a prompt.txt), or of the authors' benchmark, or bundled: four drawn ones; "
        "none: held-back clips of data.path, else the tiny backbone's scenes or a real one's bundled samples",
        min_length=1,
    )
    size: Literal["profile", "sample"] = identity(
        "profile",
        "films of samples: cropped to data.height x data.width, or [C] each as large as its image, at most 832 wide, both "
        "sides floored to 16",
    )
    seed: int = identity(2024, "seed of the embedded world's scenes that films start from", ge=0)


class ScoreSettings(Frozen):
    """What films are scored with beyond the embedded suite. A suite or a dimension whose weights are missing is skipped."""

    vbench: str = identity("all", "VBench's dimensions: all, none, or names joined by commas")
    judge: bool = identity(
        False, "score the dimensions by the official package as well (harness doctor --install vbench)"
    )
    metrics: str | None = later(
        None,
        "metrics of your own beside all others: FILE.py:NAME, or names of installed ones, joined by commas",
        min_length=1,
    )
    reference: str | None = runtime(
        None, "folder of true videos, one a sample by its name: PSNR, SSIM and FVD against them", min_length=1
    )
    audio: str | None = runtime(
        None, "folder of wavs, one a sample by its name; none: the films' own sound", min_length=1
    )
    ranks: int | None = runtime(
        None,
        "processes that a suite's films are dealt out to; none: as many as there are GPUs here for suites that load a model, "
        "else one",
        ge=1,
        le=1024,
    )

    @field_validator("vbench")
    @classmethod
    def _known(cls, names: str) -> str:
        unknown = [name for name in _split(names) if names not in ("all", "none") and name not in FILES]
        if unknown:
            raise ValueError(f"all, none, or some of {', '.join(FILES)}, joined by commas")
        return names

    @property
    def dimensions(self) -> tuple[str, ...]:
        """The names that `vbench` stands for, in VBench's order."""
        wanted = {"all": tuple(FILES), "none": ()}.get(self.vbench, _split(self.vbench))
        return tuple(name for name in FILES if name in wanted)

    @property
    def own(self) -> tuple[str, ...]:
        """The references that `metrics` stands for."""
        return _split(self.metrics) if self.metrics else ()


def _split(names: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in names.split(","))


class TrackingSettings(Frozen):
    """Where results are logged."""

    uri: str | None = runtime(None, "MLflow tracking URI; none: sqlite in the store")
    models: Literal["light", "all", "none"] = runtime(
        "light",
        "weights that go to MLflow with a model's card: LoRAs and the embedded model's, all (28 GB and more), or none",
    )


class SlurmSettings(Frozen):
    """What `--executor slurm` asks for. A value is for every stage; "gpu,score=cpu" is cpu for stages of the kind score and gpu for
    all others, and "train=2880,generate=600" says something of these kinds alone."""

    partition: str | None = runtime(None, "partition, or several by commas; none: the cluster's default", min_length=1)
    account: str | None = runtime(None, "account to charge; none: the user's default", min_length=1)
    qos: str | None = runtime(None, "quality of service; none: the default", min_length=1)
    time_min: PositiveInt | str | None = runtime(
        None, "minutes an attempt of a stage may take; longer ones are requeued and go on; none: by kind"
    )
    mem_gb: PositiveInt | str | None = runtime(None, "GB of host memory a rank; none: by kind")
    cpus: PositiveInt | str | None = runtime(None, "cores a rank; none: by kind")
    gpus: NonNegativeInt | str | None = runtime(None, "GPUs a rank; none: by kind")
    ranks_per_node: int = runtime(8, "ranks of a training on one node, at most", ge=1)
    requeues: int = runtime(
        100, "times that a job may run out of time, or be lost by the cluster, and be requeued", ge=0
    )
    signal_s: int = runtime(
        120, "seconds before its time limit at which a job is told to requeue itself", ge=1, le=65_535
    )
    at_once: int = runtime(256, "ranks in the queue at once, over all stages", ge=1)
    poll_s: float = runtime(5.0, "seconds between looks into the queue", ge=0.5)
    setup: str | None = runtime(None, "shell line before each stage, such as: module load cuda", min_length=1)
    wrap: str | None = runtime(
        None, "words before each stage's command, such as: apptainer exec --nv image.sif", min_length=1
    )
    extra: str | None = runtime(None, "more options of sbatch, such as: constraint=a100 exclude=n[3-4]", min_length=1)
    srun: str | None = runtime(None, "more options of srun, such as: container-image=image.sqsh", min_length=1)

    @field_validator("time_min", "mem_gb", "cpus", "gpus")
    @classmethod
    def _by_kind(cls, value: int | str | None) -> int | str | None:
        part = r"\s*\w+\s*=\s*[0-9]+\s*"
        if isinstance(value, str) and not re.fullmatch(rf"({part}|\s*[0-9]+\s*,{part})(,{part})*", value):
            raise ValueError("a number, or kinds with numbers such as train=2880,generate=600")
        return value


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
    method: MethodSettings = Field(default_factory=MethodSettings)
    forcing: ForcingSettings = Field(default_factory=ForcingSettings)
    resampling: ResamplingSettings = Field(default_factory=ResamplingSettings)
    stream: StreamSettings = Field(default_factory=StreamSettings)
    cache: CacheSettings = Field(default_factory=CacheSettings)
    rollout: RolloutSettings = Field(default_factory=RolloutSettings)
    distillation: DistillationSettings = Field(default_factory=DistillationSettings)
    generate: GenerateSettings = Field(default_factory=GenerateSettings)
    speed: SpeedSettings = Field(default_factory=SpeedSettings)
    eval: EvalSettings = Field(default_factory=EvalSettings)
    score: ScoreSettings = Field(default_factory=ScoreSettings)
    tracking: TrackingSettings = Field(default_factory=TrackingSettings)
    slurm: SlurmSettings = Field(default_factory=SlurmSettings)
