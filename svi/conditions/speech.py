"""What wav2vec2 makes of speech: the hidden states of its encoder's layers, a column for each frame of the film.

MultiTalk brings what wav2vec2's convolutions give (50 columns a second) to the film's frames *before* the encoder, and its weights
were trained on that, so it is done here too. All its layers see the whole sound. The convolutions look at few samples each: they
are worked out piece by piece, which changes nothing and keeps their memory, by far the most, from growing with the sound.
"""

import math
from collections.abc import Iterator
from math import prod
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from svi.backbones.speed import default_device
from svi.conditions.sound import RATE, Samples, possible_frames
from svi.data.samples import SPEECH_FPS
from svi.foreign import read_object, reason

CONFIG, PROCESSOR = "config.json", "preprocessor_config.json"
_PIECE = 500  # columns that are worked out at once: ten seconds
_OF_TRAINING = {"masked_spec_embed"}  # weights that some files lack, and that only pretraining reads


class Speech:
    """A wav2vec2 model in files."""

    def __init__(self, folder: Path, device: torch.device | None = None) -> None:
        """From a folder in transformers' layout; in float32, on the GPU if there is one.

        Raises ValueError for a folder that holds no whole wav2vec2 for sound at 16 kHz.
        """
        device = device or default_device()
        self.processor, self.model = _loaded(folder)
        self.model.requires_grad_(False).eval().to(device)
        # The model is given what its convolutions made of the sound, one column a film frame.
        self.convolutions, self.model.feature_extractor = self.model.feature_extractor, nn.Identity()

    @torch.no_grad()
    def film(self, samples: Samples, fps: float = SPEECH_FPS) -> Tensor:
        """Hidden states 1, 2, ... of all frames that the sound lasts: [F, layers, channels] float32, on the CPU.

        Raises ValueError for sound that is shorter than a frame, or than what one column sees (0.025 s).
        """
        frames = possible_frames(samples, fps)
        if len(samples) < (least := max(self._field, math.ceil(RATE / fps))):
            raise ValueError(f"sound: received {len(samples)} samples, expected at least {least}, a frame of the film")
        values = self.processor(samples, sampling_rate=RATE, return_tensors="pt").input_values[0]
        columns = F.interpolate(self._convolved(values)[None], frames, mode="linear", align_corners=True)
        states = self.model(columns, output_hidden_states=True).hidden_states[1:]
        return torch.stack([state[0] for state in states], dim=1).float().cpu()

    def _convolved(self, values: Tensor) -> Tensor:
        """What the convolutions make of samples [S]: [channels, columns], as they make it of all at once."""
        first, *others = self.convolutions.conv_layers
        statistics = self._statistics(values) if isinstance(first.layer_norm, nn.GroupNorm) else None
        parts = []
        for piece in self._pieces(values, self._field, self._hop, _PIECE):
            x = first(piece) if statistics is None else _normed(first, piece, *statistics)
            for layer in others:
                x = layer(x)
            parts.append(x[0])
        return torch.cat(parts, dim=-1)

    def _statistics(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance over the whole sound of each channel of the first convolution, [channels] float32."""
        convolution = self.convolutions.conv_layers[0].conv
        [field], [hop] = convolution.kernel_size, convolution.stride
        count, total, squares = 0, torch.zeros(()), torch.zeros(())
        for piece in self._pieces(values, field, hop, _PIECE * self._hop // hop):
            x = convolution(piece)[0]
            count += x.shape[1]
            total, squares = (
                sums + part.sum(1, dtype=torch.float64).cpu() for sums, part in ((total, x), (squares, x.square()))
            )
        mean = total / count
        variance = squares / count - mean.square()
        return mean.float().to(self.model.device), variance.float().to(self.model.device)

    @property
    def _field(self) -> int:
        """Samples that one column sees."""
        kernels: list[int] = list(self.model.config.conv_kernel)
        steps: list[int] = [prod(self.model.config.conv_stride[:i]) for i in range(len(kernels))]
        return 1 + sum((kernel - 1) * step for kernel, step in zip(kernels, steps, strict=True))

    @property
    def _hop(self) -> int:
        """Samples from one column to the next."""
        return int(prod(self.model.config.conv_stride))

    def _pieces(self, values: Tensor, field: int, hop: int, most: int) -> Iterator[Tensor]:
        """Samples [1, 1, n] of at most so many columns; a column sees `field` samples, the next begins `hop` after it."""
        columns = (len(values) - field) // hop + 1
        for start in range(0, columns, most):
            end = min(start + most, columns)
            yield values[None, None, start * hop : (end - 1) * hop + field].to(self.model.device)


def _normed(layer: Any, piece: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
    """The first layer, whose norm takes its statistics from the whole sound, on a piece of it."""
    norm = layer.layer_norm
    x = F.batch_norm(layer.conv(piece), mean, variance, norm.weight, norm.bias, eps=norm.eps)
    normed: Tensor = layer.activation(x)
    return normed


def _loaded(folder: Path) -> tuple[Any, Any]:
    """Processor and model. Raises ValueError as `Speech` does; weights are read as data alone."""
    import transformers
    from safetensors import SafetensorError

    if absent := [name for name in (CONFIG, PROCESSOR) if not (folder / name).is_file()]:
        raise ValueError(
            f"speech: {folder} lacks {', '.join(absent)}; expected a wav2vec2 model in transformers' layout "
            f"({CONFIG}, {PROCESSOR}, model.safetensors), such as TencentGameMate/chinese-wav2vec2-base"
        )
    if (kind := read_object(folder / CONFIG).get("model_type")) != "wav2vec2":
        raise ValueError(f"speech: {folder} holds a model of type {kind!r}, expected wav2vec2")
    try:
        processor = transformers.Wav2Vec2FeatureExtractor.from_pretrained(folder, local_files_only=True)
        loaded: Any = transformers.Wav2Vec2Model.from_pretrained(
            folder, local_files_only=True, output_loading_info=True
        )
    except (OSError, ValueError, RuntimeError, SafetensorError, UnpicklingError) as error:
        raise ValueError(f"speech: {folder} cannot be read ({reason(error)}); download the model again") from error
    model, report = loaded
    if missing := sorted(set(report["missing_keys"]) - _OF_TRAINING):
        raise ValueError(
            f"speech: the weights in {folder} lack {len(missing)} of wav2vec2's ({', '.join(missing[:5])}); download them again"
        )
    if processor.sampling_rate != RATE:
        raise ValueError(f"speech: {folder} hears {processor.sampling_rate} samples a second, expected {RATE}")
    return processor, model
