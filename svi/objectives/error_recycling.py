"""Error recycling, the fine-tuning's objective: draws, injection, the recycled target, and the errors that are banked."""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from pathlib import Path
from statistics import mean
from typing import Any, Self

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import Tensor, nn

from svi.backbones.backbone import Backbone, Condition
from svi.backbones.catalogue import EXPERT
from svi.bank.bank import ErrorBank, New
from svi.data.cache import LatentCache
from svi.error_settings import BankSettings, InjectionSettings
from svi.method import flow, recycle
from svi.method.draws import keyed
from svi.method.handcrafted import handcrafted
from svi.method.injection import Gates, Handcrafted, draw_gates, draw_handcrafted, image_error, shuffled, spread
from svi.objectives.error_sheets import keep_errors
from svi.objectives.objective import Draws, Setup, mean_over
from svi.settings import ConditionSettings, FlowSettings
from svi.training import ranks
from svi.training.objective import tokens_of


@dataclass(frozen=True)
class TrainingSample:
    """Everything drawn for one sample of a step; an error that is not injected, or is made by hand, is None."""

    k: int
    clip: int
    short: bool
    reference: int
    noise: Tensor
    t: Tensor
    slot: int
    gates: Gates
    by_hand: Handcrafted
    e_vid: Tensor | None
    e_noi: Tensor | None
    e_img: Tensor | None


@dataclass(frozen=True)
class Inputs:
    """What a step computes with, drawn, read and injected. Latents [B, C, T, h, w]; t, slot, clean, k [B]."""

    x_vid: Tensor
    x_vid_in: Tensor
    x_noi_in: Tensor
    condition: Condition
    text: Tensor
    t: Tensor
    slot: Tensor
    clean: Tensor
    k: Tensor

    def part(self, rows: slice) -> "Inputs":
        tensors = {f.name: getattr(self, f.name)[rows] for f in fields(self) if f.name != "condition"}
        return Inputs(condition={name: x[rows] for name, x in self.condition.items()}, **tensors)


@dataclass(frozen=True)
class Banked:
    """The one-step errors of a batch, ready for the bank. entries [B, 1 or 2, C, T, h, w]; the rest [B]."""

    entries: Tensor
    t: Tensor
    slot: Tensor
    clean: Tensor
    k: Tensor

    def gathered(self) -> "Banked":
        """The same of all ranks, in rank order."""
        return Banked(*(ranks.gather(x) for x in (self.entries, self.t, self.slot, self.clean, self.k)))


class ErrorRecycling:
    """Error-recycling fine-tuning (arXiv 2510.09212): injected inputs, clean target, banked one-step errors.

    While a step is propagated back, a thread banks its errors, then draws and reads the next step's samples: the bank is used
    in the same order as without it. To be used in a `with`, which ends the thread and lets go of the bank's file.
    """

    def __init__(
        self,
        backbone: Backbone,
        data: LatentCache,
        flow_settings: FlowSettings,
        injection: InjectionSettings,
        bank: BankSettings,
        condition: ConditionSettings,
        seed: int,
        folder: Path,
        expert: str = EXPERT,
    ) -> None:
        """The bank starts empty; its file lies in `folder`, which is this training's alone, or in one of its name in bank.folder.

        Collective over all ranks where those of a node share the bank. Raises ValueError for slots or clips that E_img cannot be
        drawn from.
        """
        injection.check_scope(bank.scope)
        self.img_slots = injection.img_slots(flow_settings.inference_steps)
        self.backbone, self.data, self.seed = backbone, data, seed
        self.flow, self.injection = flow_settings, injection
        self.draws = Draws(backbone, data, flow_settings, condition, seed, expert)
        self.tokens = tokens_of(backbone, expert)
        self.times = flow.slot_times(flow_settings.inference_steps, flow_settings.shift, flow_settings.slot_grid)
        ranks.join()
        peers = ranks.peers() if bank.scope == "node" else None
        if injection.source == "handcrafted":
            bank = bank.model_copy(update={"capacity": 1})  # no entry is ever written or read
        self.bank = ErrorBank(
            flow_settings.inference_steps,
            backbone.latent_shape,
            bank,
            bank_folder(bank, folder),
            both=flow_settings.truth == "clean",
            rank=dist.get_rank() if peers is None else peers.node,
            peers=peers,
        )
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="bank")
        self._ahead: Future[Inputs | None] | None = None
        self._fill = 0.0
        self._squares: list[float] = []
        self._waits: list[float] = []

    @classmethod
    def of(cls, setup: Setup) -> Self:
        """From the settings of a training."""
        read = setup.settings
        sections = (read.flow, read.injection, read.bank, read.condition)
        return cls(setup.backbone, setup.data, *sections, setup.seed, setup.folder, setup.expert)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def draw(self, k: int) -> TrainingSample:
        """Everything random of the sample with global index k."""
        drawn = self.draws[k]
        generator = drawn.generator
        slot = int(flow.nearest_slot(drawn.t[None], self.times))
        gates = draw_gates(self.injection, generator)
        by_hand = draw_handcrafted(self.injection, keyed("by hand", self.seed, k))
        vid = self._error(slot, generator) if gates.vid and not by_hand.vid else None
        noi = self._error(slot, generator) if gates.noi and not by_hand.noi else None
        img = self._image_error(slot, drawn.clip, generator) if gates.img and not by_hand.img else None
        uniform = torch.rand(3, generator=keyed("modulate", self.seed, k))
        factors = 1 + self.injection.modulate * (2 * uniform - 1)  # 1 to the last bit unless it is asked for
        return TrainingSample(
            k=k,
            clip=drawn.clip,
            short=drawn.short,
            reference=drawn.reference,
            noise=drawn.noise,
            t=drawn.t,
            slot=slot,
            gates=gates,
            by_hand=by_hand,
            e_vid=vid.vid * factors[0] if vid else None,
            e_noi=noi.noi * factors[1] if noi else None,
            e_img=None if img is None else image_error(img, self.injection, generator) * factors[2],
        )

    def _error(self, slot: int, generator: torch.Generator) -> recycle.Errors | None:
        """The errors that E_vid or E_noi is taken from; None while there are none."""
        if self.injection.vid_noi_from == "slots":
            return self.bank.sample_any(generator)
        return self.bank.sample(slot, generator)

    def _image_error(self, slot: int, clip: int, generator: torch.Generator) -> Tensor | None:
        """The video error that E_img is taken from, for a sample of this slot and clip. [C, T, h, w]; None while there is none."""
        wanted = self.injection
        slots = range(slot, slot + 1) if wanted.img_from == "slot" else self.img_slots
        evenly_over = "entries" if wanted.img_from == "slot" else wanted.img_from
        found = self.bank.sample_any(generator, evenly_over, self._allowed(slots, clip))
        if found is None or wanted.img_domain != "shuffled":
            return found.vid if found else None
        return shuffled(found.vid, generator)

    def _allowed(self, slots: range, clip: int) -> NDArray[np.bool_] | None:
        """The bank's positions in these slots that hold errors of the clip's domain; None: all. [slots, capacity]"""
        if len(slots) == self.bank.slots and not self.injection.by_clip:
            return None
        here = np.zeros(self.bank.origins.shape, bool)
        here[slots] = True
        return here & (self.bank.origins == self._domain(clip)) if self.injection.by_clip else here

    def _domain(self, clip: int) -> int:
        """Which of the bank's errors are of this clip, or of its prompt."""
        return clip if self.injection.img_domain == "clip" else self.data.prompt(clip)

    def prepare(self, samples: range) -> Inputs:
        """Draw the samples, read their clips, inject the errors."""
        drawn = [self.draw(k) for k in samples]
        batch = self.draws.batch(drawn)
        condition = batch.condition["latents"]
        x_img = condition[:, -batch.latents.shape[1] :]  # the mask channels stay clean
        drawn = [self._made_by_hand(*one) for one in zip(drawn, batch.latents, x_img, strict=True)]
        given = condition.flatten(1).any(dim=1)  # an image that is dropped has no error either
        x_img += self._stack([s.e_img for s in drawn]) * given.view(-1, 1, 1, 1, 1)
        return Inputs(
            x_vid=batch.latents,
            x_vid_in=batch.latents + self._stack([s.e_vid for s in drawn]),
            x_noi_in=torch.stack([s.noise for s in drawn]) + self._stack([s.e_noi for s in drawn]),
            condition=batch.condition,
            text=batch.text,
            t=torch.stack([s.t for s in drawn]),
            slot=torch.tensor([s.slot for s in drawn]),
            clean=torch.tensor([s.gates.clean for s in drawn]),
            k=torch.tensor(samples),
        )

    def _made_by_hand(self, one: TrainingSample, x_vid: Tensor, x_img: Tensor) -> TrainingSample:
        """With the errors that are made by hand, each of the very latent that it is added to; all [C, T, h, w]."""
        generator, strength = keyed("handcrafted", self.seed, one.k), self.injection.strength
        made: dict[str, Any] = {}
        if one.gates.vid and one.by_hand.vid:
            made["e_vid"] = handcrafted(x_vid, strength, generator)
        if one.gates.noi and one.by_hand.noi:
            made["e_noi"] = handcrafted(one.noise, strength, generator)
        if one.gates.img and one.by_hand.img:
            run = handcrafted(x_img[:, : self.injection.img_run or None], strength, generator)
            made["e_img"] = spread(run, x_img.shape[1], self.injection)
        return replace(one, **made)

    def _stack(self, errors: Sequence[Tensor | None]) -> Tensor:
        """g E for the batch: zeros where the gate is off. [B, C, T, h, w]"""
        nothing = torch.zeros(self.backbone.latent_shape)
        return torch.stack([nothing if e is None else e for e in errors])

    def losses(self, model: nn.Module, samples: range, micro: int, step: int, following: range) -> Iterator[Tensor]:
        """One step of the method; docs/method.md sets each line beside its equation."""
        inputs = self._inputs(samples)
        self._squares = []
        entries: list[Tensor] = []
        for start in range(0, len(samples), micro):
            loss, errors = self.loss(model, inputs.part(slice(start, start + micro)))
            entries.append(errors)
            if start + micro == len(samples):
                new = Banked(torch.cat(entries), inputs.t, inputs.slot, inputs.clean, inputs.k)
                self._go_ahead(new, everyone=step < self.bank.settings.warmup, following=following)
            yield loss

    def loss(self, model: nn.Module, inputs: Inputs) -> tuple[Tensor, Tensor]:
        """Mean loss of some samples, and their errors for the bank [B, 1 or 2, C, T, h, w]."""
        x_vid, x_noi_in, t = inputs.x_vid, inputs.x_noi_in, inputs.t
        x_t = recycle.interpolate(inputs.x_vid_in, x_noi_in, t)
        v = self.backbone.velocity(model, x_t, t, inputs.condition, inputs.text)
        target = recycle.recycled_target(x_vid, x_noi_in)
        predicted = self.backbone.learned(inputs.condition)
        loss = mean_over((v - target).square(), predicted)
        if self.flow.loss_weight == "bell":
            loss = loss * flow.bell(1 - t, self.flow.shift)

        r = recycle.residual(v.detach(), target)
        entries = r[:, None]
        if self.bank.both:
            entries = torch.stack(list(recycle.errors_from_clean(x_t, v.detach(), x_vid, x_noi_in, t)), dim=1)
        if predicted is not None:
            r, entries = r * predicted, entries * predicted[:, None]
        self._squares.append(float(r.square().mean()))
        return loss.mean(), entries

    def _inputs(self, samples: range) -> Inputs:
        """Those prepared during the step before, or, at the first one, now. Raises what went wrong with the bank meanwhile."""
        began = time.perf_counter()
        ahead, self._ahead = self._ahead, None
        inputs = ahead.result() if ahead else None
        self._waits.append(time.perf_counter() - began)
        self._fill = self.bank.fill  # now, while the thread rests
        return inputs or self.prepare(samples)

    def _go_ahead(self, new: Banked, *, everyone: bool, following: range) -> None:
        """Have the thread bank the errors, during the warm-up those of every rank, then prepare the next step."""
        peers, own = self.bank.peers, new
        if everyone:
            new = new.gathered()  # here, not in the thread: collectives keep one order on all ranks
        mine = not everyone or peers is None or peers.rank == 0  # of all ranks' errors a shared bank takes one copy
        decisive = own if everyone and self.bank.settings.warmup_by == "rank" else None
        self._ahead = self._thread.submit(self._bank, new if mine else None, decisive, following)

    def _bank(self, new: Banked | None, decisive: Banked | None, following: range) -> Inputs | None:
        self.bank.add_all([] if new is None else list(self._wanted(new, decisive)))
        return self.prepare(following) if following else None

    def _wanted(self, new: Banked, decisive: Banked | None) -> Iterator[New]:
        """All errors but those of clean samples, which are banked with p_clean_update; none where nothing is ever taken out.

        With `decisive`, its first sample decides for all (authors' code, which has one sample a rank).
        """
        if self.injection.source == "handcrafted":
            return
        all_of_them = decisive is not None and self._enters(decisive, 0, keyed("bank", self.seed, int(decisive.k[0])))
        for i, k in enumerate(new.k.tolist()):
            generator = keyed("bank", self.seed, k)
            if all_of_them if decisive is not None else self._enters(new, i, generator):
                origin = self._domain(self.draws.order[k]) if self.injection.by_clip else -1
                yield New(int(new.slot[i]), new.entries[i], float(new.t[i]), generator, origin)

    def _enters(self, new: Banked, i: int, generator: torch.Generator) -> bool:
        """Whether the error of a sample is banked, as far as its own cleanness goes."""
        return not new.clean[i] or float(torch.rand((), generator=generator)) < self.bank.settings.p_clean_update

    def _wait(self) -> None:
        """Until the bank holds all errors of the steps so far."""
        if self._ahead is not None:
            self._ahead.result()

    def log(self) -> dict[str, float]:
        """The last step's residual on this rank, the bank it drew from, and the mean wait for the thread since the last call, s."""
        waits, self._waits = self._waits, []
        return {
            "bank/fill": self._fill,
            "train/residual": mean(self._squares) ** 0.5,
            "time/bank_wait": mean(waits),
        }

    def keep(self, folder: Path) -> None:
        """Write a few of the bank's errors into `folder`, to be looked at when the bank is gone."""
        self._wait()
        keep_errors(self.bank, self.times, self.seed, folder)

    def state_dict(self) -> dict[str, Any]:
        """The bank; every draw is keyed by its sample, so that what was prepared is simply prepared again."""
        self._wait()
        return self.bank.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._wait()
        self._ahead = None
        self.bank.load_state_dict(state)

    def settle(self) -> None:
        self.bank.settle()

    def close(self) -> None:
        """End the thread, then close the bank's file. Raises what went wrong in the last step."""
        self._thread.shutdown()
        self.bank.close()
        self._wait()


def bank_folder(settings: BankSettings, folder: Path) -> Path:
    """Where the bank of the training in `folder` lies: there, or in a folder of its name in settings.folder."""
    return folder if settings.folder is None else Path(settings.folder) / folder.name
