"""What a training step minimises: plain flow matching (the base), or error recycling (the fine-tuning)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
import torch.distributed as dist
from torch import Tensor, nn

from svi import flow, recycle
from svi.backbone import Backbone
from svi.bank import ErrorBank
from svi.data import ClipCache
from svi.draws import Order, keyed
from svi.injection import draw_gates, image_error
from svi.settings import BankSettings, ConditionSettings, FlowSettings, InjectionSettings


@dataclass(frozen=True)
class StepResult:
    """Loss of one step, and what to log beside it."""

    loss: Tensor
    log: dict[str, float]


class Objective(Protocol):
    """One training step's loss. `samples` are the global indices k of this rank's samples; state is what a resume needs."""

    def step(self, model: nn.Module, samples: Sequence[int], step: int) -> StepResult:
        """Draw the samples, run the model, return the loss."""

    def state_dict(self) -> dict[str, Any]:
        """State for a checkpoint."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore it."""


class FlowMatching:
    """Plain flow matching with a shifted uniform timestep: the base model's pretraining."""

    def __init__(self, backbone: Backbone, data: ClipCache, shift: float, seed: int) -> None:
        """`shift` of the training timesteps."""
        self.backbone, self.data, self.shift, self.seed = backbone, data, shift, seed
        self.order = Order(len(data), seed)

    def step(self, model: nn.Module, samples: Sequence[int], step: int) -> StepResult:
        """MSE between v and X_vid - X_noi."""
        rows = torch.tensor([self.order[k] for k in samples])
        generator = keyed("pretrain", self.seed, samples[0])
        x_vid = self.data.latents[rows]
        x_noi = torch.randn(x_vid.shape, generator=generator)
        t = 1 - flow.shifted(torch.rand(len(rows), generator=generator), self.shift)
        x_t = recycle.interpolate(x_vid, x_noi, t)
        v = self.backbone.velocity(model, x_t, t, self.data.condition[rows], self.data.text[rows])
        return StepResult((v - (x_vid - x_noi)).square().mean(), {})

    def state_dict(self) -> dict[str, Any]:
        """Nothing: every draw is keyed by its sample."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing to restore."""


@dataclass(frozen=True)
class Sample:
    """Everything drawn for one sample of a step; an error that is not injected is None."""

    clip: int
    short: bool
    noise: Tensor
    t: Tensor
    slot: int
    clean: bool
    e_vid: Tensor | None
    e_noi: Tensor | None
    e_img: Tensor | None


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
        if not dist.is_initialized() or dist.get_world_size() == 1:
            return self
        return Banked(*(_all_gather(x) for x in (self.entries, self.t, self.slot, self.clean, self.k)))


def _all_gather(x: Tensor) -> Tensor:
    mine = x.contiguous().to("cuda" if dist.get_backend() == "nccl" else "cpu")
    parts = [torch.empty_like(mine) for _ in range(dist.get_world_size())]
    dist.all_gather(parts, mine)
    return torch.cat(parts).to(x.device)


class ErrorRecycling:
    """Error-recycling fine-tuning (arXiv 2510.09212): injected inputs, clean target, banked one-step errors."""

    def __init__(
        self,
        backbone: Backbone,
        data: ClipCache,
        flow_settings: FlowSettings,
        injection: InjectionSettings,
        bank: BankSettings,
        condition: ConditionSettings,
        seed: int,
    ) -> None:
        """The bank starts empty."""
        self.backbone, self.data, self.seed = backbone, data, seed
        self.flow, self.injection, self.condition = flow_settings, injection, condition
        self.order = Order(len(data), seed)
        self.times = flow.slot_times(flow_settings.inference_steps, flow_settings.shift, flow_settings.slot_grid)
        both = flow_settings.truth == "clean"
        self.bank = ErrorBank(flow_settings.inference_steps, backbone.latent_shape, bank, both=both)

    def draw(self, k: int) -> Sample:
        """Everything random of the sample with global index k."""
        generator = keyed("recycle", self.seed, k)
        short = float(torch.rand((), generator=generator)) >= self.condition.p_motion
        t = flow.draw_t(self.flow.t_sampling, self.flow.shift, generator)
        slot = int(flow.nearest_slot(t[None], self.times))
        noise = torch.randn(self.backbone.latent_shape, generator=generator)
        gates = draw_gates(self.injection, generator)
        vid = self.bank.sample(slot, generator) if gates.vid else None
        noi = self.bank.sample(slot, generator) if gates.noi else None
        img = self.bank.sample_any(generator) if gates.img else None
        return Sample(
            clip=self.order[k],
            short=short,
            noise=noise,
            t=t,
            slot=slot,
            clean=gates.clean,
            e_vid=vid.vid if vid else None,
            e_noi=noi.noi if noi else None,
            e_img=image_error(img.vid, self.injection, generator) if img else None,
        )

    def step(self, model: nn.Module, samples: Sequence[int], step: int) -> StepResult:
        """One step of the method; docs/method.md sets each line beside its equation."""
        drawn = [self.draw(k) for k in samples]
        rows = torch.tensor([s.clip for s in drawn])
        t = torch.stack([s.t for s in drawn])
        x_vid = self.data.latents[rows]
        x_vid_in = x_vid + self._stack([s.e_vid for s in drawn])
        x_noi_in = torch.stack([s.noise for s in drawn]) + self._stack([s.e_noi for s in drawn])
        condition = self.data.conditions(rows, torch.tensor([s.short for s in drawn]))
        condition[:, -x_vid.shape[1] :] += self._stack([s.e_img for s in drawn])  # the mask channels stay clean

        x_t = recycle.interpolate(x_vid_in, x_noi_in, t)
        v = self.backbone.velocity(model, x_t, t, condition, self.data.text[rows])
        target = recycle.recycled_target(x_vid, x_noi_in)
        loss = (v - target).square().flatten(1).mean(1)
        if self.flow.loss_weight == "bell":
            loss = loss * flow.bell(1 - t, self.flow.shift)

        r = recycle.residual(v.detach(), target)
        entries = r[:, None]
        if self.bank.both:
            entries = torch.stack(list(recycle.errors_from_clean(x_t, v.detach(), x_vid, x_noi_in, t)), dim=1)
        self._bank(drawn, samples, entries, t, everyone=step < self.bank.settings.warmup)
        return StepResult(loss.mean(), {"bank/fill": self.bank.fill, "train/residual": float(r.square().mean().sqrt())})

    def _stack(self, errors: Sequence[Tensor | None]) -> Tensor:
        """g E for the batch: zeros where the gate is off. [B, C, T, h, w]"""
        nothing = torch.zeros(self.backbone.latent_shape)
        return torch.stack([nothing if e is None else e for e in errors])

    def _bank(
        self, drawn: Sequence[Sample], samples: Sequence[int], entries: Tensor, t: Tensor, *, everyone: bool
    ) -> None:
        """Bank the errors, during the warm-up those of every rank; a clean sample's only with p_clean_update."""
        slot, clean = torch.tensor([s.slot for s in drawn]), torch.tensor([s.clean for s in drawn])
        new = Banked(entries, t, slot, clean, torch.tensor(samples))
        new = new.gathered() if everyone else new
        for i, k in enumerate(new.k.tolist()):
            generator = keyed("bank", self.seed, k)
            if not new.clean[i] or float(torch.rand((), generator=generator)) < self.bank.settings.p_clean_update:
                self.bank.add(int(new.slot[i]), new.entries[i], float(new.t[i]), generator)

    def state_dict(self) -> dict[str, Any]:
        """The bank; every draw is keyed by its sample."""
        return self.bank.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the bank."""
        self.bank.load_state_dict(state)
