"""The latent cache: every clip encoded once, into safetensors shards, so that nothing is encoded during training.

    plan.json                 what the cache is made from, and how it is cut into shards; written first
    text-00000.safetensors    embeddings of distinct prompts: tokens [sum of lengths, channels], starts [n + 1]
    clips-00000.safetensors   of n clips: latents, mask and the condition's tensors, each [n, V, K, ...]; prompt [n]
    index.json                written last: a cache without it is not finished

V counts the motion variants (all m motion frames, then one), K the alternative reference images. A tensor that does not change
along n, V or K is stored once along it: its size there is 1.
"""

import json
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from svi.backbones.backbone import Condition
from svi.data.encode import Tensors, assembled

INDEX = "index.json"
CLIPS, TEXT = "clips-{:05d}.safetensors", "text-{:05d}.safetensors"
PROMPTS = 64  # embeddings a file


@dataclass(frozen=True)
class Batch:
    """Some clips as a training step reads them, float32 copies: latents [B, C, T, h, w], condition, text [B, tokens, channels]."""

    latents: Tensor
    condition: Condition
    text: Tensor


class LatentCache:
    """A finished cache. Its files are mapped into memory and read as they are needed."""

    def __init__(
        self,
        folder: Path,
        shards: Sequence[int],
        references: int,
        anchor: bool,
        text_tokens: int,
        clips: int | None = None,
    ) -> None:
        """`shards`: clips of each shard; `references`: alternatives a clip, 1 where no reference is shown; `clips`: see `open`."""
        self.folder, self.references, self.anchor, self.text_tokens = folder, references, anchor, text_tokens
        self._ends = list(accumulate(shards))
        self._clips = min(self._ends[-1], clips or self._ends[-1])
        self._files: dict[str, Tensors] = {}

    @classmethod
    def open(cls, folder: Path, clips: int | None = None) -> "LatentCache":
        """What write_cache wrote, or at most its first `clips` clips. Raises ValueError if it is not finished."""
        if not (folder / INDEX).is_file():
            raise ValueError(f"{folder} holds no finished latent cache: {INDEX} is missing; write it to its end first")
        index = json.loads((folder / INDEX).read_text())
        return cls(folder, index["shards"], index["references"], index["anchor"], index["text_tokens"], clips)

    def __len__(self) -> int:
        return self._clips

    @property
    def written(self) -> int:
        """Clips that lie there, of which it may be opened with fewer."""
        return self._ends[-1]

    def batch(self, rows: Sequence[int], short: Sequence[bool], reference: Sequence[int]) -> Batch:
        """Clips `rows`, each conditioned on one motion frame (short) or all, and on one of its `references` images.

        Raises ValueError if a file of the cache is damaged.
        """
        found = [self._find(row) for row in rows]
        indices = [(index, int(s), k) for (_, index), s, k in zip(found, short, reference, strict=True)]
        shards = [shard for shard, _ in found]

        def column(name: str) -> Tensor:
            return torch.stack([_at(x[name], index) for x, index in zip(shards, indices, strict=True)]).float()

        names = ("latents", "mask", *(name for name in shards[0] if name.startswith("condition.")))
        latents, condition = assembled({name: column(name) for name in names}, self.anchor)
        text = torch.stack([self._text(self.prompt(row)) for row in rows])
        return Batch(latents, condition, text)

    def prompt(self, row: int) -> int:
        """Which of the cache's prompts a clip has: clips of one caption have one number."""
        shard, index = self._find(row)
        return int(shard["prompt"][index])

    def _find(self, row: int) -> tuple[Tensors, int]:
        """The clip's shard, and its index there."""
        shard = bisect_right(self._ends, row)
        return self._file(CLIPS.format(shard)), row - (self._ends[shard - 1] if shard else 0)

    def _text(self, prompt: int) -> Tensor:
        """Padded with zeros. [tokens, channels]"""
        number, index = divmod(prompt, PROMPTS)
        text = self._file(TEXT.format(number))
        start, end = text["starts"][index : index + 2].tolist()
        padded = torch.zeros(self.text_tokens, text["tokens"].shape[1])
        padded[: end - start] = text["tokens"][start:end]
        return padded

    def _file(self, name: str) -> Tensors:
        if name not in self._files:
            try:
                self._files[name] = load_file(self.folder / name)  # mapped: nothing is read yet
            except (SafetensorError, FileNotFoundError) as error:
                raise ValueError(
                    f"{self.folder / name} is damaged ({error}); delete {INDEX} beside it and write the cache again: "
                    "only what is damaged is encoded again"
                ) from error
        return self._files[name]


def _at(x: Tensor, index: Sequence[int]) -> Tensor:
    """x[n, V, K]; where a dimension has size 1 there is one for all."""
    return x[tuple(min(i, size - 1) for i, size in zip(index, x.shape, strict=False))]
