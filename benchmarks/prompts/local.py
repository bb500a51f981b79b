"""A model on this machine: transformers' image-text-to-text models, Qwen2.5-VL first of all. Nothing is downloaded."""

import contextlib
import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.prompts.engine import Message, Reply
from benchmarks.prompts.picture import Picture

if TYPE_CHECKING:
    import torch

DEFAULT_MODEL = "Qwen/Qwen2.5-VL-7B-Instruct"  # Apache-2.0, 16.6 GB; the 3B is for research only
DTYPES = ("auto", "float32", "bfloat16", "float16")
_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")
_CONTROL = re.compile(r"<\|[^|<>]{1,40}\|>")  # a text that holds them would be read as turns or images of its own
_WHOLE = 1 << 20  # bytes; larger files are known by samples
_SAMPLES, _SAMPLE = 16, 1 << 16


def find_model(name: str) -> Path:
    """The folder of a model: `name` itself, or where the hub's cache has the repository of this name.

    Raises:
        ValueError: neither is there; says where to get the default model.
    """
    folder = Path(name).expanduser()
    if not folder.is_dir() and _REPOSITORY.fullmatch(name):
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

        with contextlib.suppress(LocalEntryNotFoundError, HFValidationError):
            folder = Path(snapshot_download(name, local_files_only=True))
    if not (folder / "config.json").is_file():
        raise ValueError(
            f"model: received {name!r}, expected a folder with a config.json, or a repository in the hub's cache (HF_HOME "
            f"moves it); nothing is downloaded here: hf download {DEFAULT_MODEL} (Apache-2.0, about 17 GB) gets the default"
        )
    return folder


class LocalEngine:
    """A folder's model; it is loaded at the first reply.

    `temperature` None or 0: greedy, else sampled with `seed`, which gives the same reply again on the same device and versions.
    `device` "auto": the first CUDA device, else the CPU; `dtype` "auto": bfloat16 there, float32 here. A reply has at most
    `max_tokens`; a prompt of 80 words takes about 110.
    """

    def __init__(
        self,
        model: str = DEFAULT_MODEL,
        device: str = "auto",
        dtype: str = "auto",
        temperature: float | None = None,
        seed: int = 0,
        max_tokens: int = 4096,
    ) -> None:
        """Find the model, without loading it.

        Raises:
            ValueError: no such model, device or dtype, or a negative temperature.
        """
        if temperature is not None and not temperature >= 0:
            raise ValueError(f"temperature: received {temperature}, expected 0 (greedy) or more")
        self._folder = find_model(model)
        self._device = _device(device)
        self._dtype = _dtype(dtype, self._device)
        self._name, self._temperature, self._seed, self._max_tokens = model, temperature or None, seed, max_tokens
        self._loaded: tuple[Any, Any] | None = None

    def describe(self) -> dict[str, Any]:
        import torch
        import transformers

        return {
            "engine": "local",
            "name": self._name,
            "model": self._name,
            "config_sha256": hashlib.sha256((self._folder / "config.json").read_bytes()).hexdigest(),
            "files": files_digest(self._folder),
            "device": self._device.type,
            "dtype": str(self._dtype).removeprefix("torch."),
            "temperature": self._temperature,
            "seed": self._seed,
            "max_tokens": self._max_tokens,
            "torch": torch.__version__,
            "transformers": transformers.__version__,
        }

    def reply(self, messages: Sequence[Message], image: Picture, attempt: int) -> Reply:
        import torch

        processor, model = self._load()
        try:
            inputs = processor.apply_chat_template(
                _turns(messages, image),
                add_generation_prompt=True,
                tokenize=True,
                return_dict=True,
                return_tensors="pt",
            ).to(self._device, dtype=self._dtype)
            devices = [self._device] if self._device.type == "cuda" else []
            with torch.inference_mode(), torch.random.fork_rng(devices):
                torch.manual_seed(self._seed + attempt)
                whole = model.generate(**inputs, **self._sampling(), max_new_tokens=self._max_tokens)
        except Exception as error:  # whatever a model's own code, its template or the memory comes to
            raise ValueError(
                f"model {self._name}: no reply ({_one_line(error)}); expected an instruct model with a chat template that "
                "takes images, and memory for it: a smaller model or bfloat16 needs less"
            ) from error
        tokens = whole[0, inputs["input_ids"].shape[1] :]
        text = processor.batch_decode(tokens[None], skip_special_tokens=True)[0]
        return Reply(text, self._ended(tokens.tolist()), {"tokens": len(tokens)})

    def _ended(self, tokens: list[int]) -> bool:
        """Whether the model stopped by itself."""
        assert self._loaded is not None
        ends = self._loaded[1].generation_config.eos_token_id
        return len(tokens) < self._max_tokens or tokens[-1] in (ends if isinstance(ends, list) else [ends])

    def _sampling(self) -> dict[str, Any]:
        # A model's own top_k and top_p would decide what the temperature means; Qwen2-VL's are all but greedy.
        if self._temperature is None:
            return {"do_sample": False, "temperature": None, "top_p": None, "top_k": None}
        return {"do_sample": True, "temperature": self._temperature, "top_p": 1.0, "top_k": 0}

    def _load(self) -> tuple[Any, Any]:
        """Processor and model. Raises ValueError: the folder holds no whole model of images and text."""
        if self._loaded is None:
            import transformers

            automatic: Any = transformers  # its classes are only partly typed
            offline: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
            try:
                processor = automatic.AutoProcessor.from_pretrained(self._folder, **offline)
                model, info = automatic.AutoModelForImageTextToText.from_pretrained(
                    self._folder, **offline, dtype=self._dtype, output_loading_info=True
                )
                if info["missing_keys"]:  # transformers would go on with random numbers
                    raise ValueError(f"the weights lack {', '.join(sorted(info['missing_keys'])[:3])}")
                self._loaded = processor, model.to(self._device).eval()
            except Exception as error:  # a folder can be wrong in many ways, each with an exception of its own
                raise ValueError(
                    f"model {self._folder}: it cannot be loaded ({_one_line(error)}); expected the whole folder of a model "
                    f"of images and text, such as {DEFAULT_MODEL}, and memory for it"
                ) from error
        return self._loaded


def files_digest(folder: Path) -> str:
    """sha256 over names, sizes and contents of a model's files, the same wherever it lies.

    Files above 1 MB, the weights, count with 16 samples of 64 kB, evenly spread: other weights are told apart without
    reading all of them.
    """
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder)
        if any(part.startswith(".") for part in name.parts):  # what downloads leave beside the files
            continue
        size = path.stat().st_size
        digest.update(f"{name.as_posix()}\0{size}\0".encode())
        with path.open("rb") as file:
            if size <= _WHOLE:
                digest.update(file.read())
                continue
            for sample in range(_SAMPLES):
                file.seek(sample * (size - _SAMPLE) // (_SAMPLES - 1))
                digest.update(file.read(_SAMPLE))
    return digest.hexdigest()


def _turns(messages: Sequence[Message], image: Picture) -> list[dict[str, Any]]:
    """The conversation in transformers' form, the image before the first turn's words."""
    turns: list[dict[str, Any]] = []
    for message in messages:
        content = [{"type": "text", "text": _CONTROL.sub(" ", message.text)}]
        turns.append({"role": message.role, "content": content})
    turns[0]["content"] = [{"type": "image", "image": image.view()}, *turns[0]["content"]]
    return turns


def _device(name: str) -> "torch.device":
    import torch

    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(
            f"device: received {name!r} ({_one_line(error)}), expected auto, cpu, cuda or cuda:N"
        ) from error
    return device


def _dtype(name: str, device: "torch.device") -> "torch.dtype":
    import torch

    if name not in DTYPES:
        raise ValueError(f"dtype: received {name!r}, expected one of {', '.join(DTYPES)}")
    if name == "auto":
        name = "float32" if device.type == "cpu" else "bfloat16"
    dtype = getattr(torch, name)
    assert isinstance(dtype, torch.dtype)
    return dtype


def _one_line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]
