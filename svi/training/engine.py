"""The DeepSpeed engine of a training: AdamW, ZeRO, bf16, gradient accumulation and checkpointed activations."""

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from svi.settings import TrainSettings
from svi.training import ranks

ADDED = 1e-6  # to a norm, by DeepSpeed, before it holds it against the limit
NEAR = 1e-4  # of a limit: DeepSpeed rounds its norm in another way


def micro_batch(settings: TrainSettings, world: int) -> int:
    """settings.clips_at_once. Raises ValueError also if not settings.ranks but `world` processes were started."""
    if settings.ranks != world:
        raise ValueError(
            f"train.ranks is {settings.ranks}, but {world} processes were started; "
            f"set train.ranks={world}, or change what starts them (hostfile, srun)"
        )
    return settings.clips_at_once()


def engine_for(model: nn.Module, settings: TrainSettings) -> Any:
    """A DeepSpeed engine over the trainable parameters; ZeRO by settings.zero when there is more than one rank."""
    import deepspeed
    from deepspeed.ops import __compatible_ops__

    if not torch.cuda.is_available():
        __compatible_ops__["deepspeed_shm_comm"] = False  # would be compiled at start; gloo serves as well
    deepspeed.init_distributed(dist.get_backend(), verbose=False)
    world = dist.get_world_size()
    micro = micro_batch(settings, world)
    stage = settings.zero if world > 1 else 0
    if settings.dtype == "bfloat16":
        stage = max(settings.zero, 2)  # float32 sums of gradients take ZeRO, also with one rank
    config: dict[str, Any] = {
        "train_batch_size": settings.batch,
        "train_micro_batch_size_per_gpu": micro,
        "gradient_accumulation_steps": settings.batch // world // micro,
        "gradient_clipping": settings.grad_clip if stage else 0.0,  # without ZeRO, take_step does it
        "zero_optimization": {"stage": stage},
        "zero_allow_untested_optimizer": True,
        "zero_force_ds_cpu_optimizer": False,
        "steps_per_print": 10**9,
    }
    if settings.dtype == "bfloat16":
        config["bf16"] = {"enabled": True}
        config["data_types"] = {"grad_accum_dtype": "fp32"}
    checkpoint_activations(model, settings.checkpointing)
    optimizer = torch.optim.AdamW(
        [p for p in model.parameters() if p.requires_grad],
        lr=settings.lr,
        weight_decay=settings.weight_decay,
        fused=True,
    )
    precise = _precise(model)
    engine, *_ = deepspeed.initialize(model=model, optimizer=optimizer, config=config)
    if world == 1 and not stage:
        engine.enable_backward_allreduce = False  # it copies all gradients there and back, to add them to nobody's
    if stage < 3:  # there they lie in pieces, and stay as DeepSpeed has them
        for parameter, value in precise.items():
            parameter.data = value.to(parameter.device)
    return engine


def _precise(model: nn.Module) -> dict[nn.Parameter, Tensor]:
    """Frozen parameters that diffusers keeps in float32 in a bfloat16 model; DeepSpeed would cast them too."""
    names = {name for module in model.modules() for name in getattr(module, "_keep_in_fp32_modules", None) or ()}
    return {
        parameter: parameter.data
        for path, parameter in model.named_parameters()
        if not parameter.requires_grad and parameter.dtype == torch.float32 and names & set(path.split("."))
    }


def checkpoint_activations(model: nn.Module, mode: str) -> None:
    """Transformer blocks keep their inputs alone ("block"), and those in host memory ("offload"); the rest is computed again."""
    transformer: Any = model
    if mode == "block":
        transformer.enable_gradient_checkpointing()
    elif mode == "offload":
        transformer.enable_gradient_checkpointing(_offloaded)


def _offloaded(block: nn.Module, *inputs: Any) -> Any:
    with torch.autograd.graph.save_on_cpu(pin_memory=torch.cuda.is_available()):
        return checkpoint(block, *inputs, use_reentrant=False)


def take_step(engine: Any, clip: float) -> float:
    """After a backward pass: step, if it was the last micro-batch. The gradient's norm over all ranks, before clipping to `clip`.

    With ZeRO DeepSpeed has clipped and has the norm; 0 for another micro-batch.
    """
    from deepspeed.runtime.utils import clip_grad_norm_

    norm = 0.0
    if not engine.zero_optimization() and engine.is_gradient_accumulation_boundary():
        grads = [p.grad for p in engine.module.parameters() if p.grad is not None]
        norm = float(torch.nn.utils.get_total_norm(grads))
        if not norm + ADDED < clip * (1 - NEAR):  # else it multiplies every gradient by one
            clip_grad_norm_(engine.module.parameters(), clip)
    engine.step()
    return norm if not engine.zero_optimization() else float(engine.get_global_grad_norm() or 0)


def weights_finite(model: nn.Module) -> bool:
    """Whether every trained weight is, on all ranks: the same answer on each, which must all ask."""
    held = [_held(parameter) for parameter in model.parameters() if parameter.requires_grad]
    wrong = sum(not bool(values.isfinite().all()) for values in held)
    return float(ranks.mean(torch.tensor(float(wrong)))) == 0


def _held(parameter: nn.Parameter) -> Tensor:
    """What this rank holds of a parameter: all of it, or with ZeRO-3 its piece, without what fills up the last one."""
    if not hasattr(parameter, "ds_tensor"):
        return parameter
    whole: Any = parameter
    piece: Tensor = whole.ds_tensor
    return piece[: max(0, whole.ds_numel - dist.get_rank() * len(piece))]
