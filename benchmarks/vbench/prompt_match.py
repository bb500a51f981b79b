"""Does a film show what its prompts say? CLIP's cosine of each frame with the prompt of its clip (CLIPSIM, Wu et al. 2021)."""

import gzip
import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.arrays import UInt8
from benchmarks.vbench.clip import HEAD_WIDTH, ClipImages, ClipTower, read_clip, renamed
from benchmarks.vbench.dimension import DimensionScore, VideoInfo, mean_of_frames
from benchmarks.vbench.files import CLIP_BPE, PROMPT_FILES, VIT_B_32
from benchmarks.weights import WeightFile

if TYPE_CHECKING:
    from transformers import CLIPTokenizer

_START, _END = "<|startoftext|>", "<|endoftext|>"
# The bytes that stand for themselves in CLIP's vocabulary; the others follow, as the characters from 256 on.
_PLAIN = (*range(33, 127), *range(161, 173), *range(174, 256))


class PromptMatch:
    """Of one film (protocol: benchmarks.vbench.dimension.Dimension): the prompt of each clip, as features [n_clips, D], and the
    frames that each clip gave."""

    name = "prompt_match"
    about = "Cosine of CLIP's features of the frames with those of their clip's prompt."
    version = "1"
    files = PROMPT_FILES

    def __init__(self, tower: ClipTower, images: ClipImages, prompts: Tensor, clips: Sequence[slice]) -> None:
        self._tower, self._images, self._prompts = tower, images, functional.normalize(prompts.cpu(), dim=-1)
        self._clip_of = torch.repeat_interleave(torch.tensor([clip.stop - clip.start for clip in clips]))

    def begin(self, video: VideoInfo) -> None:
        self._values: list[Tensor] = []
        self._seen = 0

    @torch.inference_mode()
    def feed(self, frames: UInt8) -> None:
        features = functional.normalize(self._tower.encode(self._images.of(frames)).cpu(), dim=-1)
        clips = self._clip_of[self._seen : self._seen + len(frames)]
        self._values.append((features[: len(clips)] * self._prompts[clips]).sum(dim=-1).double())
        self._seen += len(frames)

    def end(self) -> DimensionScore:
        values = torch.cat(self._values).numpy()
        return DimensionScore(weight=float(len(values)), frames=values, rule=mean_of_frames)


class ClipTexts:
    """CLIP's text tower: prompts -> features [N, D]. Longer ones than the tower reads are cut off, as at 77 tokens."""

    def __init__(self, file: WeightFile = VIT_B_32, device: str | torch.device = "cpu") -> None:
        """Raises ValueError for a weight file or a vocabulary that is missing or another one."""
        from transformers import CLIPTextConfig, CLIPTextModelWithProjection

        tensors = {name: value for name, value in read_clip(file).items() if not name.startswith("visual.")}
        self._length, width = tensors["positional_embedding"].shape
        self._tokens = _tokenizer(len(tensors["token_embedding.weight"]))
        config = CLIPTextConfig(
            vocab_size=len(tensors["token_embedding.weight"]),
            hidden_size=width,
            intermediate_size=4 * width,
            projection_dim=tensors["text_projection"].shape[1],
            num_hidden_layers=sum(name.endswith("attn.in_proj_weight") for name in tensors),
            num_attention_heads=width // HEAD_WIDTH,
            max_position_embeddings=self._length,
            hidden_act="quick_gelu",
            eos_token_id=self._tokens.convert_tokens_to_ids(_END),
        )
        model = CLIPTextModelWithProjection(config)
        blocks = renamed(
            {name: value for name, value in tensors.items() if name not in ("text_projection", "logit_scale")}
        )
        blocks = {f"text_model.{name}": value for name, value in blocks.items()}
        file.load_into(model, {"text_projection.weight": tensors["text_projection"].T, **blocks})
        self._model, self._device = cast(nn.Module, model).to(device).eval().requires_grad_(False), device

    @torch.inference_mode()
    def encode(self, prompts: Sequence[str]) -> Tensor:
        tokens = self._tokens(
            list(prompts), padding=True, truncation=True, max_length=self._length, return_tensors="pt"
        ).to(self._device)
        return cast(Tensor, self._model(**tokens).text_embeds)


def _tokenizer(size: int) -> "CLIPTokenizer":
    """Of a vocabulary of `size`: bytes, bytes that end a word, what the file merges them to, start and end."""
    from transformers import CLIPTokenizer

    path = CLIP_BPE.find()
    try:
        lines = gzip.decompress(path.read_bytes()).decode("utf-8").splitlines()
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise ValueError(f"weights {path}: received an unreadable file ({error}), expected {CLIP_BPE.name}") from error
    letters = [*map(chr, _PLAIN), *(chr(256 + i) for i in range(256 - len(_PLAIN)))]
    merges = [tuple(line.split()) for line in lines[1 : size - 2 * len(letters) - 1]]
    words = [
        *letters,
        *(letter + "</w>" for letter in letters),
        *map("".join, merges),
        _START,
        _END,
    ]
    if len(words) != size:
        raise ValueError(
            f"weights {path}: received {len(words)} tokens, expected {size}; get it from {CLIP_BPE.where_to_get}"
        )
    return CLIPTokenizer(vocab={word: i for i, word in enumerate(words)}, merges=cast(list[str], merges))  # as pairs
