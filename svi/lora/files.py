"""LoRA files: PEFT folders, the authors' v1 and 2.0 files, ComfyUI's, diffusers', kohya's, and few-step files with differences.

Reading is strict: what is not a plain LoRA of a Wan transformer is an error that names the keys, never left out in silence.
Tensors keep their bits and their dtype; only where a format holds no alpha and alpha / rank is not 1, B is multiplied by it
(exact for powers of two, else rounded once to float32).
"""

import json
import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from svi import disk
from svi.artifacts import ADAPTER_CONFIG, ADAPTER_WEIGHTS, LORA
from svi.backbones.adapters import SIGNAL
from svi.foreign import json_object, listed, read_object, tensors_of
from svi.lora.keys import (
    FORMATS,
    HALVES,
    Format,
    difference_key,
    every_block,
    in_block,
    key_of,
    parameter_of,
    parse,
)

EXTRA = "extra.safetensors"
DIFFUSERS_WEIGHTS, DIFFUSERS_ALPHA = "pytorch_lora_weights.safetensors", "lora_adapter_metadata"
_PART = re.compile(r"[_-]\d+[_-]of[_-](\d+)\.safetensors$")
PICKLES = (".bin", ".pt", ".pth")
SET_ASIDE = {  # parts of names of what lies beside a LoRA in one file: what signals add
    "dwpose_embedding",  # SVI-Dance's pose encoder, and UniAnimate-DiT's
    "randomref_embedding_pose",  # another one of UniAnimate-DiT's, which SVI-Dance does not use
    "audio_proj",  # MultiTalk's
    "audio_cross_attn",
    "norm_x",
    SIGNAL,  # of a signal of one's own
}
TENSORS_ALONE = ".ckpt"  # UniAnimate-DiT's file; nothing in it is run
OURS = ("format", "lora_format", "rank", "alpha", DIFFUSERS_ALPHA)  # metadata that a file's own contents decide
# PEFT options that change what a LoRA computes, beyond rank and alpha.
NOT_PLAIN = ("use_dora", "use_rslora", "lora_bias", "rank_pattern", "alpha_pattern", "modules_to_save", "use_qalora")
PLAIN = {"peft_type": "LORA", "bias": "none"}
HOLD_DIFFERENCES: Format = "comfyui"  # the one format with a place for differences
HOLD_EXTRA: tuple[Format, ...] = ("svi1", "svi2", "peft")  # formats with a place for what is set aside


@dataclass(frozen=True)
class LoraWeights:
    """A LoRA by diffusers' module names: A [rank, in], B [out, rank]; the model's weight grows by alpha / rank * B A.

    `form` is the format it was found in; `extra` holds the tensors of other modules that lay beside it, by their keys.
    `differences` grow parameters (diffusers' names) as they are: biases, norms and whatever else few-step files change.
    """

    modules: Mapping[str, tuple[Tensor, Tensor]]
    alpha: float
    form: str
    extra: Mapping[str, Tensor] = field(default_factory=dict)
    differences: Mapping[str, Tensor] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def rank(self) -> int:
        return next(iter(self.modules.values()))[0].shape[0]

    @property
    def scale(self) -> float:
        """What B A is multiplied by."""
        return self.alpha / self.rank

    def folded(self) -> "LoraWeights":
        """The same with alpha = rank, the scale moved into B: unchanged where it is 1 already, else B in float32."""
        if self.scale == 1:
            return self
        modules = {name: (a, b.float() * self.scale) for name, (a, b) in self.modules.items()}
        return replace(self, modules=modules, alpha=float(self.rank))


def read(path: Path) -> LoraWeights:
    """A safetensors file of any format, a folder of one or of its parts, PEFT's, diffusers', or Train's (its subfolder `lora`).

    Raises ValueError when there is nothing there, the file is damaged or a pickle, or its tensors are not one plain LoRA of a
    Wan transformer; the message names the keys.
    """
    if path.is_dir():
        return _read_folder(path)
    if not path.is_file():
        raise ValueError(f"{path}: no such file or folder; expected a LoRA as safetensors, or a PEFT folder")
    tensors, metadata = _load(path)
    config = path.with_name(ADAPTER_CONFIG)
    if path.name == ADAPTER_WEIGHTS and config.is_file():
        return _with_config(tensors, metadata, config)
    return collect(tensors, str(path), _diffusers_alpha(metadata, str(path)), metadata)


def _read_folder(folder: Path) -> LoraWeights:
    if (folder / LORA).is_dir():
        return _read_folder(folder / LORA)
    if (folder / ADAPTER_CONFIG).is_file() and (folder / ADAPTER_WEIGHTS).is_file():
        return read(folder / ADAPTER_WEIGHTS)
    if (folder / DIFFUSERS_WEIGHTS).is_file():
        return read(folder / DIFFUSERS_WEIGHTS)
    if parts := _parts_of_one(folder):
        loaded = [_load(file) for file in parts]
        tensors = {key: tensor for some, _ in loaded for key, tensor in some.items()}
        if len(tensors) < sum(len(some) for some, _ in loaded):
            raise ValueError(
                f"{folder}: {listed([file.name for file in parts])} hold the same tensors; expected parts of one LoRA"
            )
        return collect(tensors, str(folder), _diffusers_alpha(loaded[0][1], str(folder)), loaded[0][1])
    pickles = [file.name for file in sorted(folder.iterdir()) if file.suffix in PICKLES]
    if pickles:
        raise ValueError(f"{folder}: {_PICKLE.format(pickles[0])}")
    raise ValueError(
        f"{folder} holds no LoRA; expected {ADAPTER_CONFIG} and {ADAPTER_WEIGHTS} (PEFT), {DIFFUSERS_WEIGHTS} (diffusers), "
        "one safetensors file, or a folder `lora` as Train writes it"
    )


def _parts_of_one(folder: Path) -> list[Path]:
    """The folder's one safetensors file, or all parts of one: the authors' extraction script writes either."""
    found = (file for file in folder.glob("*.safetensors") if not file.name.startswith("."))
    files = sorted(file for file in found if file.name not in (ADAPTER_WEIGHTS, EXTRA))
    totals = {int(part[1]) if (part := _PART.search(file.name)) else 1 for file in files}
    if totals <= {len(files)}:
        return files
    names = listed([file.name for file in files])
    if len(totals) == 1 and max(totals) > len(files):
        raise ValueError(
            f"{folder} holds {len(files)} of {max(totals)} parts of a LoRA ({names}); copy the others there"
        )
    raise ValueError(f"{folder} holds several LoRA files ({names}); name the one to read")


_PICKLE = (
    "{} is a pickle, which may run any code when it is opened, so it is not; "
    "save its tensors as safetensors (safetensors.torch.save_file) where you trust it"
)


def _load(file: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and metadata of a safetensors file."""
    if file.suffix == TENSORS_ALONE:
        return tensors_of(file), {}
    if file.suffix in PICKLES:
        raise ValueError(_PICKLE.format(file))
    try:
        with safe_open(file, framework="pt", device="cpu") as opened:
            return {key: opened.get_tensor(key) for key in opened.keys()}, dict(opened.metadata() or {})  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ValueError(
            f"{file} is no safetensors file, or is damaged ({error}); download or export it again"
        ) from error


def _with_config(tensors: Mapping[str, Tensor], metadata: Mapping[str, str], file: Path) -> LoraWeights:
    config = Config.read(file)
    weights = collect(tensors, str(file.parent), config.alpha, metadata)
    weights = replace(weights, extra={**weights.extra, **read_beside(file.parent)})
    if weights.rank != config.rank:
        raise ValueError(
            f"{file} says rank r={config.rank}, but the tensors beside it have rank {weights.rank}: "
            "the two files do not belong together"
        )
    return weights


class Config(NamedTuple):
    """What of a PEFT config a plain LoRA needs."""

    rank: int
    alpha: float

    @classmethod
    def read(cls, file: Path) -> "Config":
        """From adapter_config.json. Raises ValueError when it is damaged or of anything but a plain LoRA."""
        return cls.parse(read_object(file), str(file))

    @classmethod
    def parse(cls, config: Mapping[str, Any], origin: str) -> "Config":
        special = [f"{key}={config[key]}" for key in NOT_PLAIN if config.get(key)]
        special += [f"{key}={config.get(key)}" for key, plain in PLAIN.items() if config.get(key, plain) != plain]
        if special:
            raise ValueError(f"{origin}: only a plain LoRA can be read, this adapter has {', '.join(special)}")
        try:
            return cls(int(config["r"]), float(config["lora_alpha"]))
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ValueError(f"{origin} names no rank r and lora_alpha ({error!r}); save the adapter again") from error


def _diffusers_alpha(metadata: Mapping[str, str], origin: str) -> float | None:
    """diffusers keeps a PEFT config in the file's header: "transformer.r", "transformer.lora_alpha" and so on."""
    if DIFFUSERS_ALPHA not in metadata:
        return None
    header = f"{origin}, header {DIFFUSERS_ALPHA}"
    config = json_object(metadata[DIFFUSERS_ALPHA], header)
    return Config.parse({key.removeprefix("transformer."): value for key, value in config.items()}, header).alpha


def collect(
    tensors: Mapping[str, Tensor], origin: str, alpha: float | None = None, metadata: Mapping[str, str] | None = None
) -> LoraWeights:
    """The LoRA that these tensors are; `alpha` as the file's config has it, None: its alpha keys, else the rank.

    Raises ValueError with the keys: none of a LoRA, unexpected ones, missing ones, several ranks or alphas, or none that counts.
    """
    parts, differences, extra = _sorted_out(tensors, origin)
    _check_whole(parts, origin)
    rank = _one_rank(parts, origin)
    found = _one_alpha(parts, origin)
    chosen = next(value for value in (found, alpha, float(rank)) if value is not None)
    if not math.isfinite(chosen):
        raise ValueError(f"{origin}: received alpha {chosen}, expected a finite number; save the LoRA again with one")
    return LoraWeights(
        modules={name: (parts[name]["A"], parts[name]["B"]) for name in sorted(parts, key=_order)},
        alpha=chosen,
        form=next(key.form for name in tensors if (key := parse(name))),
        extra=extra,
        differences=differences,
        metadata={key: value for key, value in (metadata or {}).items() if key not in OURS},
    )


Parts = dict[str, dict[str, Tensor]]  # by module, then "A", "B" or "alpha"


def _sorted_out(tensors: Mapping[str, Tensor], origin: str) -> tuple[Parts, dict[str, Tensor], dict[str, Tensor]]:
    """The parts of every module, differences by parameter, and what is set aside."""
    parts: Parts = {}
    differences: dict[str, Tensor] = {}
    extra: dict[str, Tensor] = {}
    forms: dict[str, str] = {}
    unexpected: list[str] = []
    for name, tensor in tensors.items():
        key = parse(name)
        if key is not None and key.part not in parts.get(key.module, {}):
            parts.setdefault(key.module, {})[key.part] = tensor
            forms.setdefault(key.form, name)
        elif (parameter := parameter_of(name)) is not None and parameter not in differences:
            differences[parameter] = tensor
        elif SET_ASIDE & set(name.split(".")):
            extra[name] = tensor
        else:
            unexpected.append(name)
    if not parts:
        raise ValueError(
            f"{origin} holds no LoRA of a Wan transformer: none of its {len(tensors)} keys matches "
            f"({listed(sorted(tensors))}); expected keys such as blocks.0.self_attn.q.lora_A.weight"
        )
    if unexpected:
        raise ValueError(f"{origin}: unexpected keys, which would be lost: {listed(sorted(unexpected))}")
    if len(forms) > 1:
        raise ValueError(f"{origin} mixes formats: {', '.join(f'{name} ({form})' for form, name in forms.items())}")
    return parts, differences, extra


def _order(module: str) -> tuple[int, str]:
    block, local = in_block(module)
    return -1 if block is None else block, local


def _check_whole(parts: Parts, origin: str) -> None:
    """Every module has A and B, every block the same modules."""
    blocks = 1 + max(_order(name)[0] for name in parts)
    kinds = {in_block(name)[1]: name for name in parts}
    wanted = {other for name in kinds.values() for other in every_block(name, blocks)}
    missing = [
        f"{name} ({part})" for name in sorted(wanted, key=_order) for part in HALVES if part not in parts.get(name, {})
    ]
    if missing:
        raise ValueError(f"{origin} is incomplete; missing in its {blocks} blocks: {listed(missing)}")


def _one_rank(parts: Parts, origin: str) -> int:
    shapes = {name: (list(parts[name]["A"].shape), list(parts[name]["B"].shape)) for name in sorted(parts, key=_order)}
    rank: int = Counter(a[0] if a else 0 for a, _ in shapes.values()).most_common(1)[0][0]
    if rank < 1:
        empty = [f"{name} (A {a}, B {b})" for name, (a, b) in shapes.items()]
        raise ValueError(
            f"{origin}: expected A [rank, in] and B [out, rank] of a rank from 1 on; received {listed(empty)}"
        )
    wrong = [
        f"{name} (A {a}, B {b})"
        for name, (a, b) in shapes.items()
        if a[:1] + b[1:] != [rank, rank] or len(a + b) != 4 or 0 in a + b
    ]
    if wrong:
        raise ValueError(f"{origin}: expected rank {rank}, as in most modules; another shape have {listed(wrong)}")
    return rank


def _one_alpha(parts: Parts, origin: str) -> float | None:
    """The value of the alpha keys; None where there are none."""
    given = {name: part["alpha"] for name, part in parts.items() if "alpha" in part}
    if not given:
        return None
    if shaped := [f"{name} {list(alpha.shape)}" for name, alpha in given.items() if alpha.numel() != 1]:
        raise ValueError(f"{origin}: expected alpha as one number a module; received {listed(shaped)}")
    alphas = {name: float(alpha.real) for name, alpha in given.items()}
    if odd := [f"{name} ({alpha})" for name, alpha in alphas.items() if not math.isfinite(alpha)]:
        raise ValueError(f"{origin}: expected finite alphas; received {listed(odd)}; save the LoRA again with one")
    usual = Counter(alphas.values()).most_common(1)[0][0]
    others = [f"{name} ({alphas.get(name, 'none')})" for name in sorted(parts, key=_order) if alphas.get(name) != usual]
    if others:
        raise ValueError(f"{origin}: expected one alpha, {usual:g} as in most modules; another have {listed(others)}")
    return usual


def write(weights: LoraWeights, path: Path, form: Format, metadata: Mapping[str, str] | None = None) -> None:
    """A safetensors file, or with form "peft" a folder; each file appears whole or not at all.

    Formats without alpha get `weights.folded()`. Only "svi1", "svi2" and "peft" (in a file of its own) have a place for
    `weights.extra`, and only "comfyui" one for differences. `metadata` goes into the safetensors header. Raises ValueError for an
    unknown format, or differences that would be lost.
    """
    if form not in FORMATS:
        raise ValueError(f"unknown LoRA format {form!r}; known are {', '.join(FORMATS)}")
    if weights.differences and form != HOLD_DIFFERENCES:
        raise ValueError(
            f"{form} has no place for differences, and this LoRA would compute something else without its "
            f"{len(weights.differences)} ({listed(sorted(weights.differences))}); write it as {HOLD_DIFFERENCES}"
        )
    if form != "peft":
        weights = weights.folded()
    header = {**weights.metadata, **(metadata or {}), "format": "pt", "lora_format": form}
    header |= {"rank": str(weights.rank), "alpha": f"{weights.alpha:g}"}
    tensors = {
        key_of(form, name, p): value
        for name, halves in weights.modules.items()
        for p, value in zip(HALVES, halves, strict=True)
    }
    tensors |= {difference_key(parameter): value for parameter, value in weights.differences.items()}
    if form != "peft":
        _save(tensors | (dict(weights.extra) if form in HOLD_EXTRA else {}), path, header)
        return
    path.mkdir(parents=True, exist_ok=True)
    (path / ADAPTER_CONFIG).unlink(missing_ok=True)  # last to come: without it this is no PEFT folder
    write_beside(weights.extra, path)
    _save(tensors, path / ADAPTER_WEIGHTS, header)
    disk.write_whole(path / ADAPTER_CONFIG, _config_text(weights).encode())


def write_beside(extra: Mapping[str, Tensor], folder: Path) -> None:
    """What lies beside a LoRA, in a file of its own; none where there is nothing."""
    (folder / EXTRA).unlink(missing_ok=True)
    if extra:
        _save(dict(extra), folder / EXTRA, {})


def read_beside(folder: Path) -> dict[str, Tensor]:
    """What `write_beside` wrote; empty where there is none. Raises ValueError for a damaged file."""
    return _load(folder / EXTRA)[0] if (folder / EXTRA).is_file() else {}


def _config_text(weights: LoraWeights) -> str:
    """PEFT's config; a module that every block has is named once."""
    from peft import LoraConfig

    targets = sorted({in_block(name)[1] for name in weights.modules})
    alpha: Any = int(weights.alpha) if weights.alpha == int(weights.alpha) else weights.alpha
    config = LoraConfig(r=weights.rank, lora_alpha=alpha, target_modules=targets, inference_mode=True)
    return json.dumps({**config.to_dict(), "target_modules": targets}, indent=2, sort_keys=True)


def _save(tensors: dict[str, Tensor], path: Path, header: dict[str, str]) -> None:
    whole = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    with disk.replacing(path) as fresh:
        save_file(whole, fresh, header)
