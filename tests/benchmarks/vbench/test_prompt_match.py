"""Prompt match: the text tower by OpenAI's names, its tokens, and the cosine of a clip's frames with its own prompt."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from benchmarks.vbench.clip import ClipImages, ClipTower, read_clip
from benchmarks.vbench.dimension import VideoInfo
from benchmarks.vbench.files import VIT_B_32
from benchmarks.vbench.prompt_match import ClipTexts, PromptMatch
from tests.benchmarks.vbench.vbench_videos import moving_frames
from tests.benchmarks.vbench.vbench_weights import VOCABULARY, write_clip_b, write_clip_bpe

END = VOCABULARY - 1


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_clip_b(tmp_path, width=64, layers=1)
    write_clip_bpe(tmp_path)
    monkeypatch.setenv("VBENCH_CACHE_DIR", str(tmp_path))
    return tmp_path


def text_features(tokens: list[int]) -> torch.Tensor:
    """OpenAI's text tower, written out: causal attention of one head and layer, the end token's features."""
    of = read_clip(VIT_B_32)
    at = "transformer.resblocks.0."
    x = of["token_embedding.weight"][tokens] + of["positional_embedding"][: len(tokens)]
    y = functional.layer_norm(x, (64,), of[at + "ln_1.weight"], of[at + "ln_1.bias"])
    q, k, v = (y @ of[at + "attn.in_proj_weight"].T + of[at + "attn.in_proj_bias"]).chunk(3, dim=-1)
    scores = (q @ k.T / 8).masked_fill(torch.ones(len(tokens), len(tokens)).triu(1).bool(), -torch.inf)
    x = x + scores.softmax(-1) @ v @ of[at + "attn.out_proj.weight"].T + of[at + "attn.out_proj.bias"]
    y = functional.layer_norm(x, (64,), of[at + "ln_2.weight"], of[at + "ln_2.bias"])
    y = y @ of[at + "mlp.c_fc.weight"].T + of[at + "mlp.c_fc.bias"]
    x = x + (y * torch.sigmoid(1.702 * y)) @ of[at + "mlp.c_proj.weight"].T + of[at + "mlp.c_proj.bias"]
    return functional.layer_norm(x, (64,), of["ln_final.weight"], of["ln_final.bias"])[-1] @ of["text_projection"]


def test_prompts_are_read_as_openai_s_tower_reads_them(cache: Path) -> None:
    """Tokens by hand: letters count from "!" = 0, a word's last one 256 higher; merges follow from 512 on, "ca" and "cat"."""
    cat, dog = 513, [514, ord("g") - 33 + 256]
    found = ClipTexts().encode(["Cat", "a  dog cat"])
    expected = [[END - 1, cat, END], [END - 1, ord("a") - 33 + 256, *dog, cat, END]]
    torch.testing.assert_close(found, torch.stack([text_features(tokens) for tokens in expected]), atol=1e-4, rtol=1e-4)
    assert ClipTexts().encode(["dog " * 100]).shape == (1, 512)


def test_every_frame_is_held_against_the_prompt_of_its_clip(cache: Path) -> None:
    frames = moving_frames(7, 48, 64, 0)
    tower, images, texts = ClipTower(VIT_B_32), ClipImages(), ClipTexts().encode(["cat", "dog"])
    match = PromptMatch(tower, images, texts, [slice(0, 3), slice(3, 7)])
    match.begin(VideoInfo("a", 8, 7, 48, 64))
    for block in (frames[:2], frames[2:6], frames[6:]):
        match.feed(block)
    score = match.end()
    features = functional.normalize(tower.encode(ClipImages().of(frames)), dim=-1)
    of_clip = functional.normalize(texts, dim=-1)[[0, 0, 0, 1, 1, 1, 1]]
    np.testing.assert_allclose(score.frames, (features * of_clip).sum(dim=-1).numpy(), atol=1e-6)
    assert score.value == pytest.approx(score.frames.mean())


def test_a_block_is_encoded_once_for_all_who_ask(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tower, images, frames, calls = ClipTower(VIT_B_32), ClipImages(), moving_frames(2, 48, 64, 0), []
    forward = nn.Module.__call__
    monkeypatch.setattr(tower, "_model", lambda **given: calls.append(given) or forward(tower_model, **given))
    tower_model = ClipTower(VIT_B_32)._model
    first, second = tower.encode(images.of(frames)), tower.encode(images.of(frames))
    assert len(calls) == 1
    assert torch.equal(first, second)


def test_a_vocabulary_that_is_missing_or_another_one_is_named(cache: Path) -> None:
    file = cache / "clip_model" / "bpe_simple_vocab_16e6.txt.gz"
    file.write_bytes(b"no archive")
    with pytest.raises(ValueError, match="received an unreadable file"):
        ClipTexts()
    file.unlink()
    with pytest.raises(ValueError, match=r"bpe_simple_vocab_16e6\.txt\.gz: received no file"):
        ClipTexts()
