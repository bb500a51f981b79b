"""Seeded random weights under the published names, for VBench's quality dimensions that look at single frames."""

import gzip
import shutil
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from benchmarks.vbench.dino import Dino
from benchmarks.vbench.files import CLIP_BPE, DINO_WEIGHTS, LAION_LINEAR, MUSIQ_SPAQ, VIT_B_32, VIT_L_14
from benchmarks.vbench.musiq import Musiq
from benchmarks.weights import WeightFile

VOCABULARY = 2 * 256 + 3 + 2  # of the text tower
HUBCONF = Path(__file__).with_name("dino_hubconf.py")


def write_dino(torch_home: Path, cache: Path) -> None:
    """DINO's file, and a stand-in for its repository, which official VBench loads the model from."""
    _save(torch_home, DINO_WEIGHTS, randomised(Dino(), seed=1).state_dict())
    repository = cache / "dino_model" / "facebookresearch_dino_main"
    repository.mkdir(parents=True)
    shutil.copy(HUBCONF, repository / "hubconf.py")


def write_clip_b(cache: Path, width: int = 768, layers: int = 12) -> None:
    """ViT-B-32.pt; a smaller `width` and fewer `layers` make a smaller tower."""
    _save_archive(cache, VIT_B_32, clip_tensors(width, layers, patch=32, features=512, seed=2))


def write_clip_bpe(cache: Path) -> None:
    """A vocabulary of the bytes and of three merges, and a line that is no longer read, as the published one has many."""
    lines = ["#version: 0.2", "c a", "ca t</w>", "d o", "x y"]
    _place(cache, CLIP_BPE).write_bytes(gzip.compress("\n".join(lines).encode()))


def write_clip_l(cache: Path, width: int = 1024, layers: int = 24) -> None:
    """ViT-L-14.pt and the linear layer on its features, whose ratings lie about 5."""
    _save_archive(cache, VIT_L_14, clip_tensors(width, layers, patch=14, features=768, seed=3))
    _save(cache, LAION_LINEAR, _rated(randomised(nn.Linear(768, 1), seed=4).state_dict(), "", 5))


def write_musiq(cache: Path) -> None:
    """MUSIQ's file; its scores lie about 50, as real ones do."""
    _save(cache, MUSIQ_SPAQ, _rated(randomised(Musiq(), seed=5).state_dict(), "head.", 50))


def randomised(module: nn.Module, seed: int) -> nn.Module:
    """Every parameter drawn anew: matrices keep the size of their outputs, scales lie about 1, the rest about 0."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in module.named_parameters():
            value.copy_(_drawn(name, value.shape, generator))
    return module


def clip_tensors(width: int, layers: int, patch: int, features: int, seed: int) -> dict[str, Tensor]:
    """A CLIP model by OpenAI's names: an image tower of that size and the smallest text tower, in half precision."""
    shapes = {
        "visual.class_embedding": (width,),
        "visual.positional_embedding": (1 + (224 // patch) ** 2, width),
        "visual.proj": (width, features),
        "visual.conv1.weight": (width, 3, patch, patch),
        **{f"visual.{norm}.{kind}": (width,) for norm in ("ln_pre", "ln_post") for kind in ("weight", "bias")},
        "positional_embedding": (77, 64),
        "text_projection": (64, features),
        "token_embedding.weight": (VOCABULARY, 64),
        "ln_final.weight": (64,),
        "ln_final.bias": (64,),
        "logit_scale": (),
        **_transformer("transformer", 64, 1),
        **_transformer("visual.transformer", width, layers),
    }
    generator = torch.Generator().manual_seed(seed)
    return {name: _drawn(name, torch.Size(shape), generator).half() for name, shape in shapes.items()}


def _transformer(prefix: str, width: int, layers: int) -> dict[str, tuple[int, ...]]:
    parts: dict[str, tuple[int, ...]] = {
        "attn.in_proj_weight": (3 * width, width),
        "attn.in_proj_bias": (3 * width,),
        "attn.out_proj.weight": (width, width),
        "attn.out_proj.bias": (width,),
        "mlp.c_fc.weight": (4 * width, width),
        "mlp.c_fc.bias": (4 * width,),
        "mlp.c_proj.weight": (width, 4 * width),
        "mlp.c_proj.bias": (width,),
        **{f"{norm}.{kind}": (width,) for norm in ("ln_1", "ln_2") for kind in ("weight", "bias")},
    }
    return {f"{prefix}.resblocks.{i}.{name}": shape for i in range(layers) for name, shape in parts.items()}


def _drawn(name: str, shape: torch.Size, generator: torch.Generator) -> Tensor:
    noise = torch.randn(shape, generator=generator)
    if len(shape) > 1:
        return noise * shape[1:].numel() ** -0.5
    return 0.1 * noise + float(name.endswith("weight"))


def _rated(tensors: dict[str, Tensor], layer: str, level: float) -> dict[str, Tensor]:
    """The last layer's outputs raised to `level` and spread, as real ratings are."""
    tensors[f"{layer}weight"] *= 20
    tensors[f"{layer}bias"] += level
    return tensors


def _save(root: Path, file: WeightFile, tensors: Mapping[str, Tensor]) -> None:
    torch.save(dict(tensors), _place(root, file))


def _save_archive(root: Path, file: WeightFile, tensors: Mapping[str, Tensor]) -> None:
    """As OpenAI publishes CLIP: a TorchScript archive whose modules hold the tensors."""
    archive = nn.Module()
    for name, value in tensors.items():
        *folders, leaf = name.split(".")
        module = archive
        for folder in folders:
            if folder not in module._modules:
                module.add_module(folder, nn.Module())
            module = module.get_submodule(folder)
        module.register_parameter(leaf, nn.Parameter(value, requires_grad=False))
    torch.jit.script(archive).save(str(_place(root, file)))


def _place(root: Path, file: WeightFile) -> Path:
    path = root / file.path_under / file.name
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
