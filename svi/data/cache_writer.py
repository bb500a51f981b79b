"""Writes the latent cache: clips encoded block by block, shard by shard; an interrupted run goes on behind its last whole shard."""

import hashlib
import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from svi import disk
from svi.backbones.backbone import Backbone
from svi.data.augment import augmented
from svi.data.cache import CLIPS, INDEX, PROMPTS, TEXT
from svi.data.encode import Tensors, alternatives, encode_clips, once
from svi.data.footage import Clip, Footage, Unreadable
from svi.frames import Frames, Progress
from svi.settings import ConditionSettings, DataSettings

PLAN = "plan.json"
PATIENCE = 0.2  # seconds between looks for it
BLOCK_BYTES, BLOCK_CLIPS = 4 * 2**20, 256  # pixels, and clips, encoded at once: a large clip goes alone
SHARD_BYTES = 256 * 2**20  # a shard is put together in memory
Skipped = tuple[str, str]


class Read(NamedTuple):
    """A clip as it is encoded: its reference images [K, H, W, 3], and motion frames [K, m, H, W, 3] where they are augmented."""

    clip: Clip
    references: Frames
    augmented: Tensor | None


def write_cache(
    backbone: Backbone,
    footage: Footage,
    condition: ConditionSettings,
    data: DataSettings,
    folder: Path,
    progress: Progress,
    share: slice = slice(None),
    others: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """Encode every clip of the footage once, into `folder`. An interrupted run goes on behind its last whole shard.

    `share`: of the shards, those that this process encodes; it waits for the `others` then, each of which calls `help_cache`.

    Returns {"clips": clips in the cache, "skipped": [[file, reason], ...]}: a clip that cannot be decoded is left out and its
    file listed. Raises ValueError: too little free space, a disk that fills up (whole shards stay), a folder that holds another
    cache, no clip that can be decoded.
    """
    writer = _Writer(backbone, footage, condition, data, folder)
    try:
        with torch.no_grad():
            index = writer.write(progress, share, others)
    except OSError as error:
        if not disk.is_full(error):
            raise
        raise ValueError(
            f"the disk is full at {folder} ({error.strerror}): {writer.done} of {len(footage)} clips are in the latent cache, "
            "and nothing half-written counts. Make room and run the same command again: it goes on from there"
        ) from error
    return {"clips": sum(index["shards"]), "skipped": index["skipped"]}


def help_cache(
    backbone: Backbone, footage: Footage, condition: ConditionSettings, data: DataSettings, folder: Path, share: slice
) -> None:
    """Encode a share of the shards of the cache that another process writes, once that has planned it. Raises OSError."""
    while not (folder / PLAN).is_file():
        time.sleep(PATIENCE)
    with torch.no_grad():
        _Writer(backbone, footage, condition, data, folder).help(share)


@dataclass(frozen=True)
class CachePlan:
    """What a cache is made from (`source`), and what its first clip told: bytes a clip, clips a shard, tokens and bytes a text."""

    source: dict[str, Any]
    clips: int
    clip_bytes: int
    shard_clips: int
    text_tokens: int
    text_bytes: int

    @property
    def digest(self) -> str:
        """By which a finished file is known as part of this plan."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()

    @property
    def shards(self) -> list[range]:
        """Clips of each shard."""
        return [range(at, min(at + self.shard_clips, self.clips)) for at in range(0, self.clips, self.shard_clips)]


class _Writer:
    """One run of write_cache."""

    def __init__(
        self, backbone: Backbone, footage: Footage, condition: ConditionSettings, data: DataSettings, folder: Path
    ) -> None:
        self.backbone, self.footage, self.condition, self.data, self.folder = backbone, footage, condition, data, folder
        self.dtype: torch.dtype = getattr(torch, data.dtype)
        self.done = 0  # clips in whole shards

    def write(self, progress: Progress, share: slice, others: Callable[[], None]) -> dict[str, Any]:
        """Plan, texts, clips, index, in this order. Returns the index."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if share == slice(None):  # else others may be writing
            disk.remove_halves(self.folder)
        plan = self._plan()
        if not (self.folder / INDEX).is_file():
            prompts = list(dict.fromkeys(self.footage.prompt(i) for i in range(plan.clips)))
            self._require_space(plan, len(prompts))
            self._write_text(plan, prompts)
            self.backbone.free_text_encoder()
            if share != slice(None):
                self._write_clips(plan, prompts, progress, share)
                others()
                disk.remove_halves(self.folder)
            notes = self._write_clips(plan, prompts, progress)
            self._write_index(plan, notes)
        index: dict[str, Any] = json.loads((self.folder / INDEX).read_text())
        return index

    def help(self, share: slice) -> None:
        """Clips alone, of a plan that is there."""
        if not (self.folder / INDEX).is_file():
            plan = self._plan()
            prompts = list(dict.fromkeys(self.footage.prompt(i) for i in range(plan.clips)))
            self._write_clips(plan, prompts, lambda done, total: None, share)

    def _plan(self) -> CachePlan:
        """The folder's own where it has one, else a new one. Raises ValueError if the folder's is of something else."""
        source, file = self._source(), self.folder / PLAN
        if not file.is_file():
            plan = self._new_plan(source)
            disk.write_whole(file, json.dumps(asdict(plan), indent=2).encode())
            return plan
        plan = CachePlan(**json.loads(file.read_text()))
        others = [key for key in {**plan.source, **source} if plan.source.get(key) != source.get(key)]
        if others:
            raise ValueError(
                f"{self.folder} holds a latent cache of something else: "
                + "; ".join(f"{key} was {plan.source.get(key)}, now it is {source.get(key)}" for key in others)
                + ". Write to another folder, or delete this one"
            )
        return plan

    def _source(self) -> dict[str, Any]:
        """What decides the cache's contents, but for the backbone's weights: whoever names the folder tells those apart."""
        condition, data = self.condition, self.data
        source = {
            "footage": self.footage.fingerprint,
            "latent shape": list(self.backbone.latent_shape),
            "condition.motion_frames": condition.motion_frames,
            "condition.padding": condition.padding,
            "condition.anchor": condition.anchor,
            "data.dtype": data.dtype,
        }
        if condition.shows_reference:
            drawn = {
                "data.references": data.references,
                "data.reference_from": data.reference_from,
                "data.seed": data.seed,
            }
            source |= drawn
        if data.augment_motion:
            source |= {"data.augment_motion": True, "data.references": data.references, "data.seed": data.seed}
        return source

    def _new_plan(self, source: dict[str, Any]) -> CachePlan:
        """From the first clip that can be decoded, and its caption."""
        left_out: list[Skipped] = []
        block = next(self._blocks(range(len(self.footage)), left_out, most=1), None)
        if block is None:
            raise _nothing_decoded(left_out)
        tensors = self._encode(block)
        clip_bytes = sum(tensor.nbytes for name, tensor in tensors.items() if name != "mask")  # the mask: once a shard
        text = self.backbone.encode_text([block[0].clip.prompt])[0]
        return CachePlan(
            source=source,
            clips=len(self.footage),
            clip_bytes=clip_bytes,
            shard_clips=max(1, min(self.data.shard_clips, SHARD_BYTES // clip_bytes)),
            text_tokens=len(text),
            text_bytes=self._trimmed(text).nbytes,
        )

    def _require_space(self, plan: CachePlan, prompts: int) -> None:
        """Raises ValueError if what is not written yet will not fit."""
        missing = [len(clips) for n, clips in enumerate(plan.shards) if self._note(plan, CLIPS.format(n)) is None]
        clips = sum(missing)
        disk.require_space(
            self.folder,
            clips * plan.clip_bytes + prompts * plan.text_bytes,
            f"the latent cache ({clips} clips still to encode, {disk.size(plan.clip_bytes)} each)",
            "make room, choose another disk with --store, or set fewer data.clips, a larger data.hop, fewer data.references "
            "or data.dtype=bfloat16",
        )

    def _write_text(self, plan: CachePlan, prompts: Sequence[str]) -> None:
        for number, at in enumerate(range(0, len(prompts), PROMPTS)):
            if self._note(plan, TEXT.format(number)) is None:
                texts = [self._trimmed(self.backbone.encode_text([prompt])[0]) for prompt in prompts[at : at + PROMPTS]]
                starts = torch.tensor([0, *accumulate(map(len, texts))])
                self._write(plan, TEXT.format(number), {"tokens": torch.cat(texts), "starts": starts}, {})

    def _trimmed(self, text: Tensor) -> Tensor:
        """[tokens, channels] up to the last token that is not zero."""
        used = text.any(dim=1).nonzero().flatten().tolist()
        return text[: used[-1] + 1 if used else 0].to(self.dtype)

    def _write_clips(
        self, plan: CachePlan, prompts: Sequence[str], progress: Progress, share: slice = slice(None)
    ) -> list[dict[str, Any]]:
        """Every shard of a share that is not there yet. Returns what each says of itself."""
        numbers = {prompt: number for number, prompt in enumerate(prompts)}
        notes = []
        for number, clips in list(enumerate(plan.shards))[share]:
            name = CLIPS.format(number)
            note = self._note(plan, name)
            if note is None:
                left_out: list[Skipped] = []
                tensors = self._shard(clips, numbers, left_out, lambda done: progress(done, plan.clips))
                note = {"clips": len(tensors["prompt"]), "left_out": left_out}
                self._write(plan, name, tensors, note)
            notes.append(note)
            self.done = clips.stop
            progress(clips.stop, plan.clips)
        return notes

    def _shard(
        self, clips: range, numbers: dict[str, int], left_out: list[Skipped], progress: Callable[[int], None]
    ) -> Tensors:
        """Clips that can be decoded, encoded block by block."""
        parts: dict[str, list[Tensor]] = {}
        picked: list[int] = []
        for block in self._blocks(clips, left_out):
            if picked:
                progress(clips.start + len(picked))
            for name, tensor in self._encode(block).items():
                parts.setdefault(name, []).append(tensor)
            picked += [numbers[read.clip.prompt] for read in block]
        tensors = {name: once(torch.cat(parts.pop(name))) for name in list(parts)}
        return {**tensors, "prompt": torch.tensor(picked, dtype=torch.int64)}

    def _blocks(self, clips: Iterable[int], left_out: list[Skipped], most: int = BLOCK_CLIPS) -> Iterator[list[Read]]:
        """Decoded clips with their references, as many as are encoded at once; the others are noted in `left_out`."""
        block: list[Read] = []
        for i in clips:
            try:
                block.append(self._read(i))
            except Unreadable as error:
                left_out.append((error.name, error.why))
                continue
            if len(block) == most or len(block) * block[0].clip.frames.nbytes >= BLOCK_BYTES:
                yield block
                block = []
        if block:
            yield block

    def _read(self, i: int) -> Read:
        """Clip i. Raises Unreadable."""
        clip, many = self.footage.read(i), alternatives(self.condition, self.data)
        shown = self.footage.references(i) if self.condition.shows_reference else clip.frames[:1].repeat(many, axis=0)
        if not self.data.augment_motion:
            return Read(clip, shown, None)
        motion = clip.frames[: self.condition.motion_frames]
        return Read(clip, shown, torch.stack([augmented(motion, self.data.seed, i, k) for k in range(many)]))

    def _encode(self, block: Sequence[Read]) -> Tensors:
        frames = torch.from_numpy(np.stack([read.clip.frames for read in block]))
        references = torch.from_numpy(np.stack([read.references for read in block]))
        changed = [read.augmented for read in block if read.augmented is not None]
        motions = torch.stack(changed) if changed else None
        encoded = encode_clips(self.backbone, frames, references, self.condition, motions)
        for name in block[0].clip.signals:
            encoded[f"condition.{name}"] = torch.stack([read.clip.signals[name] for read in block])[:, None, None]
        return {name: x.to(self.dtype) if x.is_floating_point() else x for name, x in encoded.items()}

    def _note(self, plan: CachePlan, name: str) -> dict[str, Any] | None:
        """What a finished file says of itself; None: missing, torn, or of another plan."""
        try:
            with safe_open(self.folder / name, "pt") as file:
                note: dict[str, Any] = json.loads((file.metadata() or {}).get("note", "{}"))
        except (FileNotFoundError, SafetensorError):
            return None
        return note if note.get("plan") == plan.digest else None

    def _write(self, plan: CachePlan, name: str, tensors: Tensors, note: dict[str, Any]) -> None:
        # One entry of metadata: safetensors keeps several in no fixed order, and the same cache is to be the same bytes.
        content = save(tensors, {"note": json.dumps({"plan": plan.digest, **note})})
        disk.write_whole(self.folder / name, content)

    def _write_index(self, plan: CachePlan, notes: Sequence[dict[str, Any]]) -> None:
        """Raises ValueError if the cache is empty."""
        left_out = [(name, why) for note in notes for name, why in note["left_out"]]
        shards = [note["clips"] for note in notes]
        if not sum(shards):
            raise _nothing_decoded(left_out)
        torn = [(name, f"{why} ({count} clips left out)") for (name, why), count in Counter(left_out).items()]
        index = {
            "shards": shards,
            "references": alternatives(self.condition, self.data),
            "anchor": self.condition.anchor,
            "text_tokens": plan.text_tokens,
            "skipped": [*self.footage.skipped, *torn],
        }
        disk.write_whole(self.folder / INDEX, json.dumps(index, indent=2).encode())


def _nothing_decoded(left_out: Sequence[Skipped]) -> ValueError:
    reasons = "; ".join(sorted({f"{name}: {why}" for name, why in left_out}))
    return ValueError(
        f"none of the {len(left_out)} clips can be decoded ({reasons}); replace the files under data.path"
    )
