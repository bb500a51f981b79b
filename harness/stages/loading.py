"""What several stages open: footage, a backbone, and the transformers that films are made with."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from harness.core.errors import UseError
from harness.core.job import Job
from harness.declare.doors import loaded
from harness.stages.reading import Reading
from svi.axes import CLIPS, NO_MEMORY
from svi.backbones import attention, speed
from svi.backbones.backbone import Backbone
from svi.conditions.scenes import scenes_of
from svi.conditions.signal import Signal
from svi.data.driven_footage import DrivenFootage
from svi.data.footage import Footage, open_footage
from svi.generation.generator import Generator
from svi.lora import adapter
from svi.lora.stack import Lora
from svi.parts import BUILT_IN, SETTING, Axis


def footage_of(job: Job, read: Reading) -> Footage:
    """The training clips. Raises UseError where there is none that can be read."""
    signal, data = signal_of(job, read), read.data
    try:
        if signal is None or data.path is None:
            return open_footage(data, scenes_of(signal.key) if signal else None)
        return DrivenFootage(Path(data.path), data, lambda folder, frames: signal.course(folder, frames, data))
    except ValueError as error:
        raise UseError(str(error)) from error


def backbone_of(job: Job, read: Reading, experts: tuple[str, ...] | None = None) -> Backbone:
    """The backbone with the transformers of these experts, None: all; encoding needs none, and no boundary between them."""
    if "backbone" in job.inputs:
        from svi.backbones.tiny import TinyBackbone

        return TinyBackbone.load(job.inputs["backbone"], read.tiny, read.data, signal_of(job, read))
    if "backbone.target" in job.settings:
        kind, folder = loaded(job.settings["backbone.target"], job.settings["backbone.source"]), read.backbone.weights
        own: Backbone = kind.load(None if folder is None else Path(folder), read.backbone, read.data, experts)
        return own
    from svi.backbones.wan import WanBackbone

    settings = read.backbone if experts != () else read.backbone.model_copy(update={"boundary": None})
    return WanBackbone.load(Path(str(settings.weights)), settings, read.data, experts, signal_of(job, read))


def transformers_of(
    job: Job, read: Reading, base: Backbone, stacks: Sequence[Sequence[Lora]]
) -> Mapping[str, nn.Module]:
    """The transformers that films are made with, in the order of falling noise: with these LoRAs, else with what training goes on
    from, else as they are; as the method has them attend and as `speed` has them run."""
    started = one_each(read.train.starts) if read.has("train") else []
    chosen = dict(zip(base.transformers, stacks or started, strict=False))
    share = read.generate.alpha
    models = {
        expert: adapter.load(base, [Lora(path, share * strength) for path, strength in chosen.get(expert, ())], expert)
        for expert in base.transformers
    }
    for model in models.values():
        attend(job, model)
    return speed.prepare(models, read.speed)


def one_each(trained: Iterable[str | Path]) -> list[tuple[Lora]]:
    """A stack of one for each transformer: what was trained for it, as it was trained."""
    return [(Lora(Path(path)),) for path in trained]


def attend(job: Job, model: nn.Module) -> None:
    """As the method's architecture says; in place, since it has no weights of its own."""
    if job.settings.get("method.architecture") == "causal":
        attention.stay_causal(model, int(job.settings["method.block"]))


def generator_of(job: Job, read: Reading, stacks: Sequence[Sequence[Lora]]) -> Generator:
    """The generation loop, with LoRAs where there are any."""
    base = backbone_of(job, read)
    return generator_with(job, read, base, transformers_of(job, read, base, stacks))


def generator_with(job: Job, read: Reading, base: Backbone, models: Mapping[str, nn.Module]) -> Generator:
    """The same of a model that is open."""
    loop = part_of(job, "generation", CLIPS)
    kind = part_of(job, "memory", NO_MEMORY)
    memory = None if kind is None else getattr(kind, "of", kind)(read)
    return Generator(base, models, read, loop, memory)


def signal_of(job: Job, read: Reading) -> Signal | None:
    """What films follow beside image and prompts."""
    kind = part_of(job, "signal")
    return None if kind is None else kind.of(read)


def part_of(job: Job, axis: Axis, usual: str = "") -> Any:
    """The class of the part on an axis; none where the part is settings alone, or there is none.

    Raises UseError where its file has changed since it was planned.
    """
    key = SETTING[axis]
    target = str(job.settings.get(f"{key}.target", BUILT_IN[axis][usual].target if usual else ""))
    return loaded(target, job.settings.get(f"{key}.source")) if target else None
