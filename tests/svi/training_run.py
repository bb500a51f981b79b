"""A small training run in a process of its own: python training_run.py FOLDER STEPS [stop after this step]."""

import json
import os
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2])]

import torch.distributed as dist
from conftest import CONDITION, DATA, make_backbone

from svi import lora, train
from svi.data import ClipCache, world_clips
from svi.objective import ErrorRecycling
from svi.settings import BankSettings, FlowSettings, InjectionSettings, TrainSettings

SETTINGS = TrainSettings(
    steps=20,
    batch=4,
    lr=1e-3,
    schedule="cosine",
    rank=4,
    alpha=4,
    checkpoint_every=5,
    log_every=5,
    ranks=int(os.environ.get("WORLD_SIZE", 1)),
)


def main(folder: Path, stop_after: int | None) -> None:
    """Train, and write adapter and bank as safetensors; with `stop_after`, die without warning at that step."""
    folder.mkdir(parents=True, exist_ok=True)
    backbone = make_backbone()
    cache = ClipCache.encode(backbone, world_clips(DATA), CONDITION, lambda done, total: None)
    model = lora.adapted(backbone, SETTINGS)
    injection = InjectionSettings(img_run=1, img_spread="tile", p_clean=0.3, p_noi=0.3)
    bank = BankSettings(capacity=3, warmup=1000)
    objective = ErrorRecycling(backbone, cache, FlowSettings(inference_steps=10), injection, bank, CONDITION, seed=0)
    if stop_after is not None:
        honest = objective.step

        def step(model: torch.nn.Module, samples: range, step: int) -> object:
            if step == stop_after:
                os._exit(9)
            return honest(model, samples, step)

        objective.step = step  # type: ignore[method-assign, assignment]
    trained = train.train(model, objective, SETTINGS, folder, lambda done, total: None)
    if dist.get_rank() == 0:
        weights = {name: p.detach().clone() for name, p in trained.named_parameters() if p.requires_grad}
        save_file(
            {**weights, **{f"bank.{k}": v.float() for k, v in objective.state_dict().items()}},
            folder / "result.safetensors",
        )
        (folder / "ranks.json").write_text(json.dumps(dist.get_world_size()))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else None)
