"""A Qwen2.5-VL of the real classes at tiny size, with random weights, and with the processor built from nothing."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.trainers import BpeTrainer
from transformers import (
    GenerationConfig,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2_5_VLProcessor,
    Qwen2Tokenizer,
    Qwen2VLImageProcessor,
    Qwen2VLVideoProcessor,
)

END = "<|im_end|>"
SPECIAL = ("<|endoftext|>", "<|im_start|>", END, "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% for part in message['content'] %}{% if part['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% else %}{{ part['text'] }}{% endif %}{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def tiny_processor(texts: Sequence[str]) -> Any:
    """Bytes and the commonest pieces of `texts` as tokens, then the special ones; images of at most four merged patches."""
    pieces = Tokenizer(BPE())
    pieces.pre_tokenizer = ByteLevel(add_prefix_space=False)
    alphabet = sorted(ByteLevel.alphabet())
    pieces.train_from_iterator(texts, BpeTrainer(vocab_size=600, initial_alphabet=alphabet, show_progress=False))
    learnt = json.loads(pieces.to_str())["model"]
    merges = [tuple(merge) for merge in learnt["merges"]]
    tokenizer = Qwen2Tokenizer(vocab=learnt["vocab"], merges=merges, eos_token=END)
    tokenizer.add_special_tokens({"additional_special_tokens": list(SPECIAL)})
    size = {"shortest_edge": 28 * 28, "longest_edge": 56 * 56}
    return Qwen2_5_VLProcessor(
        Qwen2VLImageProcessor(size=size), tokenizer, Qwen2VLVideoProcessor(size=size), chat_template=TEMPLATE
    )


def tiny_model(processor: Any, seed: int = 0) -> Any:
    tokenizer = processor.tokenizer
    ids = dict(zip(SPECIAL, tokenizer.convert_tokens_to_ids(list(SPECIAL)), strict=True))
    config = Qwen2_5_VLConfig(
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [1, 1, 2]},
            "bos_token_id": ids["<|endoftext|>"],
            "eos_token_id": ids[END],
            "pad_token_id": ids["<|endoftext|>"],
        },
        vision_config={
            "depth": 2,
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_heads": 2,
            "out_hidden_size": 32,
            "fullatt_block_indexes": [1],
            "window_size": 56,
        },
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
    )
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        model = Qwen2_5_VLForConditionalGeneration(config)
    model.generation_config = GenerationConfig(
        do_sample=True, temperature=0.01, top_k=1, eos_token_id=[ids[END]], pad_token_id=ids["<|endoftext|>"]
    )
    return model


def write_model(folder: Path, processor: Any, model: Any) -> Path:
    processor.save_pretrained(folder)
    model.save_pretrained(folder)
    return folder


def teach(processor: Any, model: Any, lessons: Sequence[tuple[list[dict[str, Any]], str]], steps: int = 300) -> float:
    """Train the model until it gives each conversation its answer; the last loss, which is below 0.05 where it learnt."""
    batches = [_lesson(processor, turns, answer) for turns, answer in lessons]
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    worst = float("inf")
    for _ in range(steps):
        losses = [model(**batch).loss for batch in batches]
        sum(losses).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        worst = max(loss.item() for loss in losses)
        if worst < 0.05:
            break
    return worst


def _lesson(processor: Any, turns: list[dict[str, Any]], answer: str) -> dict[str, Any]:
    asked = processor.apply_chat_template(
        turns, add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt"
    )
    said = processor.tokenizer(answer + END, return_tensors="pt")["input_ids"]
    batch = dict(asked)
    batch["input_ids"] = torch.cat([asked["input_ids"], said], 1)
    batch["attention_mask"] = torch.ones_like(batch["input_ids"])
    batch["mm_token_type_ids"] = torch.cat([asked["mm_token_type_ids"], torch.zeros_like(said)], 1)
    batch["labels"] = batch["input_ids"].clone()
    batch["labels"][:, : asked["input_ids"].shape[1]] = -100
    return batch
