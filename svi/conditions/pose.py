"""A film's skeletons, and what they add to a Wan: UniAnimate-DiT's encoder, whose features join the tokens."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from svi.artifacts import POSE
from svi.backbones.adapters import Adapter
from svi.conditions.skeleton import SUFFIXES, Skeletons
from svi.data.open_video import OpenVideo
from svi.frames import Frames
from svi.generation.video import write_mp4
from svi.settings import DataSettings

KEY = "pose"
LAYERS = 7
WIDTH = 16  # channels between the layers
MODULE = "dwpose_embedding"  # the encoder in UniAnimate-DiT's and SVI-Dance's files


class Source(Protocol):
    """Skeletons at the settings' fps and size: of a video, or drawn from key points."""

    def __len__(self) -> int: ...

    def frames(self, picks: Sequence[int]) -> Frames:
        """[len(picks), H, W, 3]; raises ValueError if one cannot be read."""


class PoseFilm:
    """The skeletons of one film, of which a clip's worth is read at a time (protocol: svi.course.Course)."""

    key = KEY

    def __init__(self, file: Path, frames: int, source: Source, fps: int) -> None:
        """The first `frames` of the source, which are at this rate; what follows is never read."""
        self.file, self.frames, self._source, self._fps = file, frames, source, fps

    def clip(self, start: int, length: int) -> Tensor:
        """uint8 [length, H, W, 3], from film frame `start` on; behind the film's end its last frame. Raises ValueError."""
        picks = [min(max(frame, 0), self.frames - 1) for frame in range(start, start + length)]
        try:
            return torch.from_numpy(self._source.frames(picks))
        except ValueError as error:
            which = f"frames {picks[0]} to {picks[-1]}" if picks[0] < picks[-1] else f"frame {picks[0]}"
            raise ValueError(
                f"{self.file}: {which} of its skeletons cannot be read ({error}); copy the file again"
            ) from error

    def keep(self, file: Path) -> Path:
        """As the film has them: at its rate, as long and as large."""
        video = file.with_name(f"{file.name}{POSE}")
        drawn = (self.clip(i, 1)[0].numpy() for i in range(self.frames))
        write_mp4(video, drawn, self._fps, *self.clip(0, 1).shape[1:3])
        return video


def open_pose(file: Path, frames: int, settings: DataSettings) -> PoseFilm:
    """For a film of so many frames at the settings' fps and size; only the header of a video is read, the points of a file of them.

    `file`: a video of skeletons of any rate, size and length, cropped and resized as training videos and start images are; or key
    points (skeleton.Skeletons). Raises ValueError for neither of them, and for fewer frames, with the seconds that there are.
    """
    source = open_source(file, settings)
    if len(source) < frames:
        raise ValueError(
            f"{file} holds skeletons for {len(source)} frames at {settings.fps} a second, and the film has {frames}: "
            f"received {_seconds(frames, settings.fps)} s, possible are {_seconds(len(source), settings.fps)} s; ask for that, "
            "or give a longer one"
        )
    return PoseFilm(file, frames, source, settings.fps)


def open_source(file: Path, settings: DataSettings) -> Source:
    """All skeletons of a file as `open_pose` takes them. Raises ValueError for neither a video nor key points."""
    if file.suffix in SUFFIXES:
        return Skeletons(file, settings)
    try:
        return OpenVideo(file, settings)
    except ValueError as error:
        raise ValueError(
            f"{file}: received no readable video ({error}); expected one of skeletons, or key points ({', '.join(SUFFIXES)})"
        ) from error


def _seconds(frames: int, fps: int) -> str:
    """Rounded down to hundredths, so that what is called possible is."""
    return f"{frames * 100 // fps / 100:g}"


class PoseAdapter(Adapter):
    """Seven 3D convolutions; what they make of skeletons is added to the tokens behind the patch embedding.

    A clip's frames, 0 to 1, with the first one repeated until they fill latent frames, become one feature a token: the last layers
    halve height and width, the ones before the last halve time. In Wan 2.1, 81 + 3 frames become 21, and 16 pixels one. The last
    layer starts at zero, which changes no bit. A clip that is black throughout is no signal: nothing is added, by no weights.

    Source: `dwpose_embedding` of UniAnimate-DiT and of SVI-Dance; they, too, drop the signal by adding zeros.
    """

    key = KEY

    def __init__(self, channels: int, frames_a_latent: int, side: int) -> None:
        """channels: the transformer's; side: pixels of a token's. Raises ValueError for a factor that is no power of two."""
        super().__init__()
        space = _halvings("pixels of a token's side", side)
        time = _halvings("frames of a latent frame", frames_a_latent)
        layers: list[nn.Module] = []
        for i in range(LAYERS - 1):
            along, across = 2 if i >= LAYERS - 1 - time else 1, 2 if i >= LAYERS - space else 1
            layer = nn.Conv3d(WIDTH if i else 3, WIDTH, 3, (along, across, across), padding=1)
            layers += [_started(layer, gain=2), nn.SiLU()]
        last = (1, 2, 2) if space else (1, 1, 1)
        self.encoder = nn.Sequential(*layers, _started(nn.Conv3d(WIDTH, channels, last, last), gain=0))
        self.channels, self.ahead = channels, frames_a_latent - 1

    def attach(self, wan: Any) -> None:
        """Also hears the patch embedding. Raises ValueError for a transformer of other channels."""
        expected = wan.patch_embedding.out_channels
        if self.channels != expected:
            raise ValueError(
                f"received a pose encoder of {self.channels} channels, expected {expected} as the transformer has"
            )
        super().attach(wan)
        wan.patch_embedding.register_forward_hook(self._add)

    def names(self, wan: Any) -> dict[str, str]:
        """UniAnimate-DiT's and SVI-Dance's; the odd numbers are activations, which have no tensors."""
        layers = [f"{2 * layer}.{kind}" for layer in range(LAYERS) for kind in ("weight", "bias")]
        return {f"{MODULE}.{layer}": f"{KEY}.encoder.{layer}" for layer in layers}

    def shown(self, given: Tensor) -> None:
        """Blocks are shown nothing: tokens carry the pose."""

    def forward(self, given: Tensor) -> Tensor:
        """[B, L, H, W, 3] of 0 to 255 -> [B, channels, T, h, w], zeros where a clip is black."""
        drawn = given.flatten(1).any(1)
        stored = next(self.encoder.parameters()).dtype
        x = (
            given.permute(0, 4, 1, 2, 3).to(given.dtype if stored.itemsize == 1 else stored) / 255
        )  # not in float8's numbers
        x = torch.cat([x[:, :, :1].expand(-1, -1, self.ahead, -1, -1), x], dim=2)
        encoded: Tensor = self.encoder(x)
        return encoded * drawn[:, None, None, None, None]

    def _add(self, _: nn.Module, __: tuple[Any, ...], tokens: Tensor) -> Tensor:
        if self.given is None:
            return tokens
        encoded: Tensor = self(self.given.to(tokens.device)).type_as(tokens)
        if encoded.shape != tokens.shape:
            raise ValueError(
                f"received a pose {list(self.given.shape)} [clips, frames, height, width, 3], which gives features "
                f"{list(encoded.shape)}; expected as many as the clip has tokens, {list(tokens.shape)}"
            )
        return tokens + encoded


def _halvings(what: str, factor: int) -> int:
    """Of a power of two that the layers reach."""
    times = factor.bit_length() - 1
    if factor != 2**times or times >= LAYERS:
        raise ValueError(f"{what}: received {factor}, expected a power of two up to {2 ** (LAYERS - 1)}")
    return times


def _started(layer: nn.Conv3d, gain: float) -> nn.Conv3d:
    """At gain 2 a small signal keeps its size, for SiLU halves it; of PyTorch's own weights six layers leave some hundredth."""
    nn.init.normal_(layer.weight, std=gain * layer.weight[0].numel() ** -0.5)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer
