"""A small training run in a process of its own: python training_run.py FOLDER [options as JSON, see Options]."""

import json
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

sys.path.insert(0, str(Path(__file__).parents[3]))

import torch.distributed as dist

from svi.backbones.backbone import Backbone
from svi.backbones.wan import WanBackbone
from svi.data.cache import LatentCache
from svi.error_settings import BankSettings, InjectionSettings
from svi.lora import adapter as lora
from svi.objectives.error_recycling import ErrorRecycling
from svi.settings import BackboneSettings, DataSettings, FlowSettings, TrainSettings
from svi.training import loop as train
from svi.training import ranks
from tests.svi.conftest import CONDITION, DATA, make_backbone, make_cache
from tests.svi.wan_folder import Kind, write_wan_folder

SETTINGS = TrainSettings(
    steps=20, batch=4, lr=1e-3, schedule="cosine", rank=4, alpha=4, checkpoint_every=5, log_every=5, grad_clip=0.07
)  # about half of the steps are clipped


@dataclass
class Options:
    """Changes to the run. `wan`: a Wan model of that kind; `kill` [method of objective or bank, n]: SIGKILL at its n-th call."""

    wan: Kind | None = None
    expert: str = "transformer"
    references: int = 1
    train: dict[str, Any] = field(default_factory=dict)
    bank: dict[str, Any] = field(default_factory=dict)
    flow: dict[str, Any] = field(default_factory=dict)
    kill: tuple[str, int] | None = None


def make(options: Options, folder: Path) -> tuple[Backbone, LatentCache]:
    """Backbone and cached clips."""
    if options.wan is None:
        backbone: Backbone = make_backbone()
        return backbone, make_cache(
            backbone, folder / "cache", data=DATA.model_copy(update={"references": options.references})
        )
    write_wan_folder(folder / "wan", options.wan)
    data = DataSettings(clips=5, clip_frames=9, height=32, width=64, references=options.references)
    settings = BackboneSettings(name="folder", text_tokens=16, dtype=options.train.get("dtype", "float32"))
    backbone = WanBackbone.load(folder / "wan", settings, data, (options.expert,))
    return backbone, make_cache(backbone, folder / "cache", data=data)


def main(folder: Path, options: Options) -> None:
    """Train, and write adapter and bank as safetensors."""
    # before it joins: in a group, only the first rank's save_pretrained of a transformers model writes
    backbone, cache = make(options, folder / f"rank-{os.environ.get('RANK', 0)}")
    ranks.join()
    settings = SETTINGS.model_copy(update={"ranks": dist.get_world_size(), **options.train})
    model = lora.adapted(backbone, settings, options.expert)
    injection = InjectionSettings(img_run=1, img_spread="tile", p_clean=0.3, p_noi=0.3)
    bank = BankSettings(**{"capacity": 3, "warmup": 1000, **options.bank})
    flow = FlowSettings(**{"inference_steps": 10, **options.flow})
    with ErrorRecycling(backbone, cache, flow, injection, bank, CONDITION, 0, folder, options.expert) as objective:
        if options.kill is not None:
            method, times = options.kill
            owner = objective.bank if method.startswith("bank.") else objective
            name = method.removeprefix("bank.")
            setattr(owner, name, killing(getattr(owner, name), times))
        trained = train.train(model, objective, settings, folder, lambda done, total: None)
        bank_state = objective.state_dict()
        entries = [objective.bank.entries(slot) for slot in range(len(bank_state["count"]))]
        weights = lora.weights_of(trained)
    if dist.get_rank() == 0 and weights is not None:
        parts = {f"{n}.{part}": x for n, ab in weights.modules.items() for part, x in zip("ab", ab, strict=True)}
        bank_parts = {f"bank.{name}": bank_state[name] for name in ("count", "times")}
        save_file({**parts, **bank_parts, "bank.entries": torch.cat(entries)}, folder / "result.safetensors")
        (folder / "ranks.json").write_text(json.dumps(dist.get_world_size()))


def killing(method: Callable[..., Any], times: int) -> Callable[..., Any]:
    """The method, but for the call at which this process dies without warning."""
    calls = 0

    def call(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == times:
            os.kill(os.getpid(), signal.SIGKILL)
        return method(*arguments, **named)

    return call


if __name__ == "__main__":
    main(Path(sys.argv[1]), Options(**json.loads(sys.argv[2]) if len(sys.argv) > 2 else {}))
