"""A few DeepSpeed steps of a LoRA on a tiny Wan transformer: python lora_run.py FOLDER STAGE DTYPE, once a rank."""

import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
import torch.distributed as dist
from diffusers import WanTransformer3DModel
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).parents[3]))

from svi.lora import adapter as lora
from svi.settings import TrainSettings

TARGETS = ("to_q", "to_k", "to_v", "to_out.0", "ffn.net.0.proj", "ffn.net.2")


def tiny_transformer(layers: int = 2, heads: int = 2) -> Any:
    """Random weights, the same every time; no image encoder, so that latents, time and text are all it takes."""
    torch.manual_seed(0)
    return WanTransformer3DModel(
        num_attention_heads=heads,
        attention_head_dim=12,
        in_channels=8,
        out_channels=4,
        text_dim=16,
        freq_dim=16,
        ffn_dim=32,
        num_layers=layers,
        cross_attn_norm=True,
        rope_max_seq_len=32,
    )


@torch.no_grad()
def output(model: nn.Module) -> Tensor:
    """What the transformer makes of one fixed input."""
    generator = torch.Generator().manual_seed(1)
    x, text, image = (torch.randn(shape, generator=generator) for shape in ((1, 36, 3, 4, 6), (1, 7, 32), (1, 5, 32)))
    velocity: Tensor = model(x, torch.tensor([500.0]), text, image, return_dict=False)[0]
    return velocity


def main(folder: Path, stage: int, dtype: str) -> None:
    """Train, write a checkpoint as svi.training names it, and save the LoRA."""
    import deepspeed
    from deepspeed.ops import __compatible_ops__

    __compatible_ops__["deepspeed_shm_comm"] = False
    deepspeed.init_distributed("gloo", verbose=False)
    transformer = tiny_transformer()
    if dtype == "bfloat16":
        transformer.to(torch.bfloat16)
    backbone: Any = SimpleNamespace(transformers={"transformer": transformer}, lora_targets=TARGETS)
    model = lora.adapted(backbone, TrainSettings(rank=4, alpha=2))
    engine, *_ = deepspeed.initialize(
        model=model,
        optimizer=torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-2),
        config={
            "train_micro_batch_size_per_gpu": 1,
            "zero_optimization": {"stage": stage},
            "bf16": {"enabled": dtype == "bfloat16"},
            "zero_allow_untested_optimizer": True,
            "zero_force_ds_cpu_optimizer": False,
            "steps_per_print": 10**9,
        },
    )
    generator = torch.Generator().manual_seed(dist.get_rank())
    for _ in range(3):
        x, text = (
            torch.randn(shape, generator=generator).to(engine.module.dtype) for shape in ((1, 8, 2, 4, 4), (1, 3, 16))
        )
        out = engine(x, torch.tensor([500.0]), text, return_dict=False)[0]
        engine.backward(out.float().square().mean())
        engine.step()
    steps = folder / "checkpoints"
    engine.save_checkpoint(str(steps), tag="step-0000003", save_latest=False, exclude_frozen_parameters=True)
    lora.save(model, folder, write=dist.get_rank() == 0)
    if dist.get_rank() == 0:
        lora.save_config(model, steps)
        (steps / "latest.json").write_text(json.dumps({"name": "step-0000003", "step": 3}))
    dist.barrier()


if __name__ == "__main__":
    os.environ.setdefault("LOCAL_RANK", os.environ["RANK"])
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
