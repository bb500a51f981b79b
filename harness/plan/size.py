"""What a run at size asks of a card, said before anything runs: memory, disk, hours by stage, and what does not fit."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.track import Track
from harness.core.card_report import SizeRow, Work
from harness.core.errors import UseError
from harness.core.text import table
from harness.declare.request import MADE
from harness.declare.settings import Settings
from harness.plan.cards import Card
from harness.plan.child import Child
from harness.plan.counts import film_work, train_work
from harness.plan.film_count import film_count
from harness.plan.kinds import DATA, FORECAST, GENERATE, TRAIN
from harness.plan.length import length_of
from harness.plan.pipeline import Pipeline
from svi.backbones.architectures import ARCHITECTURES, CLIP_TOKENS
from svi.backbones.catalogue import MODELS
from svi.disk import size
from svi.settings import SpeedSettings

if TYPE_CHECKING:
    from svi.size.demand import Demand, Model

USED = 0.4  # of a card's published rate, where nothing was measured: assumed, not measured
SLOW = 0.5  # of that: the VAE computes in float32, whose rate (TF32) is half that of bfloat16
CONTEXT = 10**9  # bytes: CUDA's context, and the workspaces of its libraries
LOOSE = 1.05  # what the allocator cannot fill
PROCESS = 4 * 10**9  # bytes of host memory: a process with torch and its libraries
FILM_BYTES = 0.05  # a pixel and frame of an mp4, with room to spare
HOUR = 3600.0
Works = Mapping[Work, tuple[float, int]]
NOTHING = "no setting alone is enough: take a smaller data.height and data.width, another model or a larger card"


@dataclass(frozen=True)
class Asked:
    """Stages of one kind that ask for the same: how many there are, what one holds, the bytes that it leaves on the disk and that
    it has there only while it runs, and FLOPs of one by work (step, call, encode, decode), over `ranks` cards."""

    kind: str
    label: str
    count: int
    ranks: int
    demand: "Demand"
    kept: int
    passing: int
    flops: Works
    """By work: how many of them one stage does, and FLOPs of each."""
    settings: Settings
    track: Track | None = None

    @property
    def needed(self) -> int:
        """Bytes that a card must have."""
        return int(self.demand.peak * LOOSE) + CONTEXT

    def hours(self, card: Card) -> tuple[float | None, bool]:
        """Of one stage, and whether all of it was measured on that card as it is to run; None where its rate is unknown."""
        seconds, measured = 0.0, True
        for work, (times, flops) in self.flops.items():
            found = [row.seconds for row in card.report.sizes if self._is(row, work)] if card.report else []
            if took := min(filter(None, found), default=None):
                seconds += times * took
            elif card.rate is None:
                return None, False
            else:
                measured = False
                seconds += times * flops / (card.rate * USED * (SLOW if work in ("encode", "decode") else 1.0))
        return seconds / self.ranks / HOUR, measured

    def _is(self, row: SizeRow, work: Work) -> bool:
        """Whether this work was measured of the same model, on clips of the same size, made in the same way. The rank of a LoRA
        makes no difference that counts."""
        read, data, speed = self.settings, self.settings.data, self.settings.speed
        own = {
            "speed.attention": speed.attention,
            "speed.offload": speed.offload,
            "train.checkpointing": read.train.checkpointing,
        }
        ways = (word.partition("=") for word in row.how.split())
        plain = {  # nothing else was measured
            "step": not speed.compile and read.train.adapter == "lora",
            "call": speed == SpeedSettings(attention=speed.attention, offload=speed.offload),
        }
        return (
            (row.profile, row.work) == (read.backbone.name, work)
            and (row.height, row.width, row.frames) == (data.height, data.width, data.clip_frames)
            and all(own.get(key, value) in (value, "auto") for key, _, value in ways)
            and plain.get(work, True)
        )


class Sizes:
    """What stages of a pipeline ask for, each model's demand counted once."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self._counted: dict[Any, Any] = {}

    @cached_property
    def asked(self) -> list[Asked]:
        """In the order of the run; stages that ask for the same are one."""
        found: dict[tuple[str, str], Asked] = {}
        seen = set()
        for child in self.pipeline.children:
            for signature, one in self._of(child):
                if signature in seen:
                    continue
                seen.add(signature)
                key = (one.label, repr((one.demand, one.flops, one.kept, one.passing)))
                before = found.get(key)
                found[key] = replace(one, count=before.count + 1) if before else one
        return list(found.values())

    def _of(self, child: Child) -> Iterator[tuple[str, Asked]]:
        settings = child.resolved.settings
        graph = self.pipeline.graph
        for signature in child.base:
            if graph[signature].kind == DATA.name:
                yield signature, self.data(settings)
        for signature in child.train.values():
            yield signature, self.train(settings)
        if settings.generate.method == MADE:
            for name, signature in child.generate.items():
                yield signature, self.films(settings, self._track(name))
            for name, signature in child.probes.items():
                yield signature, self.films(settings, self._track(name), probe=True)

    def _track(self, name: str) -> Track:
        return self.pipeline.request.experiment.track(name)

    def smaller(self, one: Asked) -> Iterator[tuple[str, Asked]]:
        """The same stage with one setting changed, by the change."""
        for change, sections in _changes(one):
            update = {name: getattr(one.settings, name).model_copy(update=values) for name, values in sections.items()}
            changed = one.settings.model_copy(update=update)
            if one.kind == TRAIN.name:
                yield change, self.train(changed)
            elif one.track is not None:
                yield change, self.films(changed, one.track, one.kind == FORECAST.name)

    # Stages

    def data(self, settings: Settings) -> Asked:
        """The latent cache: prompts first, then clips through VAE and CLIP."""
        from svi.size.demand import Demand, encoding

        model = self._model(settings)
        encoder = self._once(encoding, model)
        clips, variants = self.clips(settings), 1 + (settings.condition.motion_frames > 1)
        weights = encoder.weights + model.image_bytes
        most = max(encoder.activations, model.text_bytes - weights)  # prompts come first, and their encoder goes
        latents = model.geometry.latent_shape(settings.data.height, settings.data.width, settings.data.clip_frames)
        a_latent = prod(latents) * _width(settings.data.dtype)
        image = CLIP_TOKENS * (model.geometry.image_dim or 0) * _width(settings.data.dtype)
        each = a_latent * (1 + variants * settings.data.references) + image * variants
        work: Works = {"encode": (float(clips * (1 + variants * settings.data.references)), encoder.flops)}
        demand = Demand(weights, 0, most, 0, PROCESS + model.text_bytes)
        return Asked(DATA.name, "latent cache", 1, 1, demand, clips * each, 0, work, settings)

    def train(self, settings: Settings) -> Asked:
        """A training, on each of its cards."""
        from svi.size.demand import Demand, training_step

        model, train = self._model(settings), settings.train
        step = self._once(training_step, model, train)
        numbers = step.trained
        here = min(train.ranks, settings.slurm.ranks_per_node)
        host = here * (PROCESS + model.transformer_bytes + step.host)
        demand = Demand(step.weights, step.optimiser, step.activations, step.flops, host, numbers)
        checkpoints = 2 * 14 * numbers  # the one before stays until the next is whole
        work: Works = {"step": (float(train_work(settings, self.clips(settings))["step"]), step.flops)}
        passing = checkpoints + self._bank(settings)
        return Asked(TRAIN.name, "train", 1, train.ranks, demand, 4 * numbers, passing, work, settings)

    def films(self, settings: Settings, track: Track, probe: bool = False) -> Asked:
        """The films of a variant on a track, or the first clips of its forecast."""
        from svi.size.demand import Demand, call, decoding, encoding

        model, made, speed = self._model(settings), settings.generate, settings.speed
        calls = self._once(call, model, made.together)
        encoder, decoder = self._once(encoding, model), self._once(decoding, model)
        films = film_count(settings, track)
        clips = films * (2 if probe else length_of(settings, track).n_clips)
        experts = len(model.geometry.experts)
        weights = calls.weights // (1 if speed.weights == "as is" else 2)
        there = {"none": weights * experts, "model": weights, "group": 2 * weights // model.layers}[speed.offload]
        beside = encoder.weights + model.image_bytes
        # Prompts come first, and their encoder goes.
        most = max(calls.activations, encoder.activations, decoder.activations, model.text_bytes - beside)
        host = PROCESS + model.text_bytes + (experts * calls.weights if speed.offload != "none" else calls.weights)
        demand = Demand(there + beside, 0, most, 0, host)
        flops = {"call": calls.flops, "encode": encoder.flops, "decode": decoder.flops}
        work: Works = {one: (float(times), flops[one]) for one, times in film_work(settings, clips).items()}
        size = films * track.seconds * made.film_fps(settings.data) * settings.data.height * settings.data.width
        kept = 0 if probe else int(FILM_BYTES * size)
        label = f"forecast, {track.name}" if probe else f"films, {track.name}"
        return Asked(FORECAST.name if probe else GENERATE.name, label, 1, 1, demand, kept, 0, work, settings, track)

    # What they are made from

    def _model(self, settings: Settings) -> "Model":
        from svi.backbones.weights import read_geometry
        from svi.size.demand import Model
        from svi.size.folder import architecture_of

        name = settings.backbone.name
        if name in ARCHITECTURES:
            return Model(ARCHITECTURES[name], MODELS[name].geometry, settings.backbone, settings.data)
        folder = Path(str(settings.backbone.weights)).expanduser()
        return Model(architecture_of(folder), read_geometry(folder), settings.backbone, settings.data)

    def _once(self, of: Any, model: "Model", *more: Any) -> "Demand":
        key = repr((of.__name__, model, *more))
        if key not in self._counted:
            self._counted[key] = of(model, *more)
        demand: Demand = self._counted[key]
        return demand

    def clips(self, settings: Settings) -> int:
        """Training clips, as far as headers of the videos tell."""
        from svi.data.footage import VideoFootage, open_footage
        from svi.data.samples import sample_files

        data, followed = settings.data, settings.condition.signal is not None
        key = ("clips", followed, repr(data))
        if key not in self._counted:
            try:
                if followed and data.path is not None:  # a sample's skeletons are a video too, and no clips
                    self._counted[key] = len(VideoFootage(Path(data.path), data, sample_files(Path(data.path))))
                else:
                    self._counted[key] = len(open_footage(data))
            except ValueError as error:
                raise UseError(f"data.path: {error}") from error
        count: int = self._counted[key]
        return min(count, settings.train.clips or count)

    def _bank(self, settings: Settings) -> int:
        """Bytes of full banks of all ranks."""
        bank, data = settings.bank, settings.data
        shape = self._model(settings).geometry.latent_shape(data.height, data.width, data.clip_frames)
        entries = settings.flow.inference_steps * bank.capacity * bank.lists
        nodes = -(-settings.train.ranks // settings.slurm.ranks_per_node)
        return entries * prod(shape) * _width(bank.dtype) * (nodes if bank.scope == "node" else settings.train.ranks)


def _changes(one: Asked) -> Iterator[tuple[str, dict[str, dict[str, Any]]]]:
    """What would make it smaller, least costly first."""
    train, made, speed = one.settings.train, one.settings.generate, one.settings.speed
    if one.kind == TRAIN.name:
        if train.checkpointing == "none":
            yield "train.checkpointing=block", {"train": {"checkpointing": "block"}}
        if train.checkpointing != "offload":
            yield "train.checkpointing=offload", {"train": {"checkpointing": "offload"}}
        if train.clips_at_once() > 1:
            yield "train.micro_batch=1", {"train": {"micro_batch": 1}}
        if train.zero != 3 and train.batch % 8 == 0:
            ranks = max(train.ranks, 8)
            many = {"zero": 3, "ranks": ranks, "checkpointing": "offload"}
            yield f"train.zero=3 train.ranks={ranks} train.checkpointing=offload", {"train": many}
        return
    if made.together > 1:
        yield "generate.together=1", {"generate": {"together": 1}}
    for offload in ("model", "group") if speed.offload == "none" else ("group",):
        yield f"speed.offload={offload}", {"speed": {"offload": offload}}
    if speed.weights == "as is":
        yield "speed.weights=fp8", {"speed": {"weights": "fp8"}}


def _width(dtype: str) -> int:
    return 2 if dtype == "bfloat16" else 4


class Hours(NamedTuple):
    """Of every kind of stage, one of it, None where unknown; of all of them over all their cards; and whether all were measured."""

    each: list[float | None]
    whole: float
    measured: bool


def _hours(sizes: Sizes, card: Card | None) -> Hours:
    spent = [one.hours(card) if card else (None, False) for one in sizes.asked]
    whole = sum((hours or 0.0) * one.count * one.ranks for one, (hours, _) in zip(sizes.asked, spent, strict=True))
    return Hours([hours for hours, _ in spent], whole, all(measured for _, measured in spent))


def shown(sizes: Sizes, card: Card | None) -> list[str]:
    """A small table, and what its numbers are."""
    head = (
        "at size",
        "stages",
        "weights",
        "optimiser",
        "activations",
        "a card needs",
        "host",
        "disk, while it runs",
        "hours each",
    )
    rows: list[tuple[str, ...]] = [head]
    hours = _hours(sizes, card)
    for one, spent in zip(sizes.asked, hours.each, strict=True):
        held = one.demand
        parts = (held.weights, held.optimiser, held.activations, one.needed, held.host)
        label = one.label if one.ranks == 1 else f"{one.label}, {one.ranks} cards"
        disk = size(one.kept) + (f", {size(one.passing)}" if one.passing else "")
        time = "?" if spent is None else f"{spent:.1f}" if spent >= 0.1 else f"{spent:.2f}"
        rows.append((label, str(one.count), *(size(part) if part else "-" for part in parts), disk, time))
    return ["", *table(rows), _about(card, hours.whole, hours.measured)]


def _about(card: Card | None, hours: float, measured: bool) -> str:
    counted = (
        f"Memory is counted, not measured: {LOOSE - 1:.0%} for the allocator and {size(CONTEXT)} for CUDA are in it"
    )
    if card is None:
        return f"{counted}. --card H100 says whether it fits there, and how many hours it takes."
    how = (
        f"measured there on {card.report.created:%Y-%m-%d}" if measured and card.report
        else f"arithmetic: FLOPs at {USED:.0%} of the card's published rate, which nobody measured"
    )  # fmt: skip
    return (
        f"{counted}; {card.name} has {size(card.memory)}. {hours:.1f} GPU-hours in all without scores; hours are {how}."
    )


def to_json(sizes: Sizes, card: Card | None) -> dict[str, Any]:
    """The same as plain values: bytes, of one stage on each of its cards; hours are None where they are unknown."""
    hours = _hours(sizes, card)
    rows = [
        {
            "kind": one.kind,
            "label": one.label,
            "stages": one.count,
            "cards": one.ranks,
            "weights": one.demand.weights,
            "optimiser": one.demand.optimiser,
            "activations": one.demand.activations,
            "card": one.needed,
            "host": one.demand.host,
            "disk": one.kept,
            "disk_while_it_runs": one.passing,
            "hours": spent,
        }
        for one, spent in zip(sizes.asked, hours.each, strict=True)
    ]
    known = card is not None and None not in hours.each
    return {
        "card": None if card is None else {"name": card.name, "memory": card.memory},
        "stages": rows,
        "gpu_hours": hours.whole if known else None,
        "measured": hours.measured,
    }


def check(sizes: Sizes, card: Card) -> None:
    """Raises UseError for the first stage that does not fit on the card, with the changes that would make it fit."""
    for one in sizes.asked:
        if one.needed <= card.memory:
            continue
        fitting = [
            f"{change} ({size(other.needed)})" for change, other in sizes.smaller(one) if other.needed <= card.memory
        ]
        way = f"set {', or '.join(fitting)}" if fitting else NOTHING
        held = one.demand
        raise UseError(
            f"{one.label}: a card needs {size(one.needed)} (weights {size(held.weights)}, optimiser {size(held.optimiser)}, "
            f"activations {size(held.activations)}), and {card.name} has {size(card.memory)}; {way}"
        )
