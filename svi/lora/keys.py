"""Names of LoRA tensors in the Wan world: the same modules, called differently by every tool.

Canonical here are diffusers' module names ("blocks.0.attn1.to_q"); the authors, ComfyUI and kohya's tools use Wan's own
("blocks.0.self_attn.q"). Sources: the released files of SVI v1 and 2.0, and diffusers' conversion of Wan LoRAs.
"""

import re
from typing import Literal, NamedTuple

Format = Literal["peft", "svi1", "svi2", "comfyui", "diffusers"]
Half = Literal["A", "B"]
HALVES: tuple[Half, Half] = ("A", "B")
FORMATS: dict[Format, str] = {
    "peft": "folder: adapter_config.json, adapter_model.safetensors (keeps alpha)",
    "svi1": "the authors' v1 files: pipe.dit.blocks.0.self_attn.q.lora_A.default.weight",
    "svi2": "the authors' 2.0 files: blocks.0.self_attn.q.lora_A.default.weight",
    "comfyui": "diffusion_model.blocks.0.self_attn.q.lora_A.weight; diffusers loads it too",
    "diffusers": "transformer.blocks.0.attn1.to_q.lora_A.weight, for load_lora_weights",
}
KOHYA = "kohya"  # read, not written: lora_unet_blocks_0_self_attn_q.lora_down.weight

_PREFIX = {
    "pipe.dit.": "svi1",
    "diffusion_model.": "comfyui",
    "transformer.": "diffusers",
    "base_model.model.": "peft",
    "lora_unet_": KOHYA,
}
_BOTH = {"self_attn": "attn1", "cross_attn": "attn2"}
_ATTENTION = {"q": "to_q", "k": "to_k", "v": "to_v", "o": "to_out.0"}
_IN_BLOCK = {
    **{f"{a}.{wan}": f"{b}.{ours}" for a, b in _BOTH.items() for wan, ours in _ATTENTION.items()},
    "cross_attn.k_img": "attn2.add_k_proj",
    "cross_attn.v_img": "attn2.add_v_proj",
    "ffn.0": "ffn.net.0.proj",
    "ffn.2": "ffn.net.2",
}
_OUTSIDE = {
    "text_embedding.0": "condition_embedder.text_embedder.linear_1",
    "text_embedding.2": "condition_embedder.text_embedder.linear_2",
    "time_embedding.0": "condition_embedder.time_embedder.linear_1",
    "time_embedding.2": "condition_embedder.time_embedder.linear_2",
    "time_projection.1": "condition_embedder.time_proj",
    "img_emb.proj.1": "condition_embedder.image_embedder.ff.net.0.proj",
    "img_emb.proj.3": "condition_embedder.image_embedder.ff.net.2",
    "head.head": "proj_out",
}
_DIFFUSERS = {**_IN_BLOCK, **_OUTSIDE}
# What only differences name: layers that no LoRA is of, and the tables that Wan calls modulation.
_REST_IN_BLOCK = {
    **{f"{wan}.norm_{half}": f"{ours}.norm_{half}" for wan, ours in _BOTH.items() for half in "qk"},
    "cross_attn.norm_k_img": "attn2.norm_added_k",
    "norm3": "norm2",
}
_REST_OUTSIDE = {
    "patch_embedding": "patch_embedding",
    "img_emb.proj.0": "condition_embedder.image_embedder.norm1",
    "img_emb.proj.4": "condition_embedder.image_embedder.norm2",
}
_WAN = {ours: wan for wan, ours in _DIFFUSERS.items()}
_WITH_REST = {**_DIFFUSERS, **_REST_IN_BLOCK, **_REST_OUTSIDE}
_WAN_WITH_REST = {ours: wan for wan, ours in _WITH_REST.items()}
_EITHER = {name: ours for wan, ours in _DIFFUSERS.items() for name in (wan, ours)}
_FLAT = {name.replace(".", "_"): ours for name, ours in _EITHER.items()}

_BLOCK = re.compile(r"(blocks[._](?:0|[1-9][0-9]{0,3})[._])(.+)")  # no model has 10000, and names of all are listed
_TENSOR = re.compile(r"(.+)\.(?:(lora_A|lora_B|lora_down|lora_up)(?:\.default)?\.weight|(alpha))")
_DIFFERENCE = re.compile(r"(.+)\.(diff|diff_b|diff_m)")
_OF = {"diff": "weight", "diff_b": "bias"}
_MODULATION, _TABLE = "modulation", "scale_shift_table"
_IMAGE = re.compile(
    r"(?:blocks\.[0-9]+\.attn2\.(?:add_k_proj|add_v_proj|norm_added_k)|condition_embedder\.image_embedder)(?:\..+)?"
)
_PART: dict[str, Literal["A", "B", "alpha"]] = {
    "lora_A": "A",
    "lora_down": "A",
    "lora_B": "B",
    "lora_up": "B",
    "alpha": "alpha",
}


class Key(NamedTuple):
    """What a tensor of a LoRA file is: the tool's format, the module by diffusers' name, A, B or alpha."""

    form: str
    module: str
    part: Literal["A", "B", "alpha"]


def parse(key: str) -> Key | None:
    """None for the key of anything but a plain LoRA of a Wan transformer."""
    prefix = next((prefix for prefix in _PREFIX if key.startswith(prefix)), "")
    found = _TENSOR.fullmatch(key.removeprefix(prefix))
    if found is None:
        return None
    name, part = found[1], _PART[found[2] or found[3]]
    module = _module(name, flat=prefix == "lora_unet_")
    if module is None:
        return None
    # Without a prefix: Wan's own names are SVI 2.0's, diffusers' are what its models save by themselves.
    form = _PREFIX.get(prefix) or ("diffusers" if module == name else "svi2")
    return Key(form, module, part)


def parameter_of(key: str) -> str | None:
    """The parameter, by diffusers' name, that a file's tensor of this key is the difference of; None for another key.

    `diff` is a weight's, `diff_b` a bias's and `diff_m` a modulation's, as LightX2V's extractor writes them beside a LoRA, by Wan's
    own names.
    """
    prefix = next((prefix for prefix in _PREFIX if key.startswith(prefix)), "")
    found = _DIFFERENCE.fullmatch(key.removeprefix(prefix))
    if found is None or _PREFIX.get(prefix) == KOHYA:
        return None
    name, kind = (f"{found[1]}.{_MODULATION}", "diff") if found[2] == "diff_m" else (found[1], found[2])
    block = _BLOCK.fullmatch(name)
    head, local = (block[1], block[2]) if block else ("", name)
    if kind == "diff" and (head + local).removeprefix(head or "head.") == _MODULATION:
        return f"{head}{_TABLE}"
    ours = _WITH_REST.get(local)
    inside = local in _IN_BLOCK or local in _REST_IN_BLOCK
    return f"{head}{ours}.{_OF[kind]}" if ours is not None and inside == bool(head) else None


def difference_key(parameter: str) -> str:
    """The key of a parameter's difference in a file of ComfyUI's format: `parameter_of` the other way round."""
    module, _, part = parameter.rpartition(".")
    if part == _TABLE:
        return f"diffusion_model.{module or 'head'}.diff_m"
    block = _BLOCK.fullmatch(module)
    wan = f"{block[1]}{_WAN_WITH_REST[block[2]]}" if block else _WAN_WITH_REST[module]
    return f"diffusion_model.{wan}.{'diff' if part == 'weight' else 'diff_b'}"


def of_image(name: str) -> bool:
    """Whether a module or parameter is of the branch that attends to the image's CLIP feature, which not every Wan has."""
    return _IMAGE.fullmatch(name) is not None


def _module(name: str, flat: bool) -> str | None:
    block = _BLOCK.fullmatch(name)
    head, local = (block[1].replace("_", "."), block[2]) if block else ("", name)
    ours = _FLAT.get(local) if flat else _EITHER.get(local)
    inside = ours in _IN_BLOCK.values()
    return f"{head}{ours}" if ours is not None and inside == bool(head) else None


def key_of(form: Format, module: str, part: Half) -> str:
    """The key of one tensor of a module (diffusers' name) in a file of that format."""
    block = _BLOCK.fullmatch(module)
    wan = f"{block[1]}{_WAN[block[2]]}" if block else _WAN[module]
    return {
        "peft": f"base_model.model.{module}.lora_{part}.weight",
        "svi1": f"pipe.dit.{wan}.lora_{part}.default.weight",
        "svi2": f"{wan}.lora_{part}.default.weight",
        "comfyui": f"diffusion_model.{wan}.lora_{part}.weight",
        "diffusers": f"transformer.{module}.lora_{part}.weight",
    }[form]


def in_block(module: str) -> tuple[int | None, str]:
    """("blocks.3.attn1.to_q") -> (3, "attn1.to_q"); None as the block of a module outside the blocks."""
    block = _BLOCK.fullmatch(module)
    return (int(block[1].split(".")[1]), block[2]) if block else (None, module)


def every_block(module: str, blocks: int) -> list[str]:
    """The module of that name in each of the blocks; itself if it is outside them."""
    block, local = in_block(module)
    return [module] if block is None else [f"blocks.{i}.{local}" for i in range(blocks)]
