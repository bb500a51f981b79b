"""Wan models in diffusers' layout: where their weights are, what identifies them, and which sizes they take. Loads no weights."""

import json
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from svi.settings import BackboneSettings, ConditionSettings

FOLDER = "folder"  # the name of a backbone that is whatever its folder holds
HUB_SHA256 = 64  # letters; the hub's cache names a large file's blob by the SHA-256 of its content
EXPERT, LOW_NOISE = "transformer", "transformer_2"  # as diffusers names them: the only or high-noise one, and the other
CLASSES = {EXPERT: "WanTransformer3DModel", LOW_NOISE: "WanTransformer3DModel", "vae": "AutoencoderKLWan"}


@dataclass(frozen=True)
class Geometry:
    """The shapes that a model is made for, as its config files say."""

    z_dim: int = 16
    spatial: int = 8
    """Pixels of a latent's side."""
    frames_a_latent: int = 4
    patch: int = 2
    """Latents of a token's side."""
    experts: tuple[str, ...] = (EXPERT,)
    boundary: float | None = None
    """Two experts: the noise level from which on the first works."""
    image_dim: int | None = None
    """Channels of the CLIP feature; None: the model takes none."""
    expand_timesteps: bool = False
    """Given latents replace noisy ones and have timestep 0 (TI2V-5B), instead of lying beside them in further channels."""

    @property
    def side(self) -> int:
        """Height and width are multiples of this, pixels."""
        return self.spatial * self.patch

    @property
    def mask_channels(self) -> int:
        """Mask channels before the condition latents: one a pixel frame of a latent, or one in all."""
        return 1 if self.expand_timesteps else self.frames_a_latent

    @property
    def conditioning(self) -> str:
        """How the image gets in, in words."""
        if self.expand_timesteps:
            return "given latents, clean at timestep 0"
        return "condition latents" if self.image_dim is None else "condition latents, CLIP feature"

    def latent_frames(self, frames: int) -> int:
        """Latent frames that hold a clip's last `frames` pixel frames, or the whole clip."""
        return -(-frames // self.frames_a_latent)

    def latent_shape(self, height: int, width: int, frames: int) -> tuple[int, int, int, int]:
        """[C, T, h, w] of a clip. Raises ValueError as `check_size` does."""
        self.check_size(height, width, frames)
        return self.z_dim, self.latent_frames(frames), height // self.spatial, width // self.spatial

    def check_size(self, height: int, width: int, frames: int) -> None:
        """Raises ValueError for a clip that does not divide into tokens, with the nearest sizes that do."""
        if height % self.side or width % self.side:
            near = " x ".join(str(max(round(size / self.side), 1) * self.side) for size in (height, width))
            raise ValueError(
                f"data.height x data.width is {height} x {width}; this model needs multiples of {self.side} "
                f"({self.spatial} pixels a latent, {self.patch} latents a token), such as {near}"
            )
        if frames % self.frames_a_latent != 1:
            near = str(max(round((frames - 1) / self.frames_a_latent), 1) * self.frames_a_latent + 1)
            raise ValueError(
                f"data.clip_frames is {frames}; this model needs {self.frames_a_latent} k + 1 frames, such as {near}"
            )

    def check_condition(self, condition: ConditionSettings) -> None:
        """Raises ValueError for a condition that would do nothing, or fall between latent frames, in this model."""
        if self.expand_timesteps and condition.padding != "zeros":
            raise ValueError(
                f"condition.padding is {condition.padding!r}; this model is given the motion frames alone, and nothing after "
                "them: set condition.padding=zeros"
            )
        extra = 0 if condition.anchor else 1
        if self.expand_timesteps and condition.motion_frames % self.frames_a_latent != extra:
            raise ValueError(
                f"condition.motion_frames is {condition.motion_frames}; this model is given whole latents, which hold "
                f"{self.frames_a_latent} k + {extra} frames{' behind an anchor' if condition.anchor else ''}"
            )


@dataclass(frozen=True)
class Model:
    """A published model: its repository on the hub, its size, and the clips that it was made for."""

    repository: str
    download: int
    """GB, about."""
    parameters: float
    """1e9, of all transformers."""
    height: int
    width: int
    frames: int
    fps: int
    geometry: Geometry


_A14B = Geometry(experts=(EXPERT, LOW_NOISE), boundary=0.9)
_CLIP = Geometry(image_dim=1280)
_5B = Geometry(z_dim=48, spatial=16, expand_timesteps=True)

MODELS: dict[str, Model] = {
    "wan2.1-i2v-14b-480p": Model("Wan-AI/Wan2.1-I2V-14B-480P-Diffusers", 91, 16.4, 480, 832, 81, 16, _CLIP),
    "wan2.1-i2v-14b-720p": Model("Wan-AI/Wan2.1-I2V-14B-720P-Diffusers", 91, 16.4, 720, 1280, 81, 16, _CLIP),
    "wan2.2-i2v-a14b": Model("Wan-AI/Wan2.2-I2V-A14B-Diffusers", 126, 28.6, 480, 832, 81, 16, _A14B),
    "wan2.2-ti2v-5b": Model("Wan-AI/Wan2.2-TI2V-5B-Diffusers", 34, 5.0, 704, 1280, 121, 24, _5B),
}


def find_weights(settings: BackboneSettings) -> Path:
    """The folder of a model's files: `settings.weights`, else where the hub's cache (HF_HOME) has them.

    Raises ValueError when nothing is there, files are missing, or the folder holds another model than the one named.
    """
    model = MODELS.get(settings.name)
    if settings.name == FOLDER and settings.weights is None:
        raise ValueError(
            "backbone.name=folder needs backbone.weights=FOLDER: a Wan image-to-video model in diffusers' layout"
        )
    if settings.weights is not None:
        folder = Path(settings.weights).expanduser()
    elif model is not None:
        folder = _cached(settings.name, model)
    else:
        known = ", ".join(MODELS)
        raise ValueError(
            f"backbone.name is {settings.name!r}, which is no published model ({known}): "
            f"set backbone.name={FOLDER} and backbone.weights=FOLDER to a folder in diffusers' layout"
        )
    missing = missing_files(folder)
    if missing:
        raise ValueError(
            f"{folder} is not a whole Wan model in diffusers' layout; missing: {', '.join(missing)}. {_how(settings, model)}"
        )
    found = geometry(folder)
    if model is not None and found != model.geometry:
        raise ValueError(
            f"backbone.name is {settings.name}, but {folder} holds another model ({_differences(found, model.geometry)}): "
            f"set backbone.name={FOLDER}, or another backbone.weights"
        )
    return folder


def _differences(found: Geometry, wanted: Geometry) -> str:
    pairs = [(key, value, getattr(wanted, key)) for key, value in vars(found).items()]
    return ", ".join(f"{key} {value} instead of {other}" for key, value, other in pairs if value != other)


def missing_files(folder: Path) -> list[str]:
    """Files of a model that are not there, relative to its folder; shards of weights by name."""
    if not (folder / "model_index.json").is_file():
        return ["model_index.json"]
    return [
        name for component in _components(folder) for name in _needs(folder, component) if not (folder / name).is_file()
    ]


def geometry(folder: Path) -> Geometry:
    """Shapes from the config files. Raises ValueError when the folder holds something other than an image-to-video Wan."""
    index = _read(folder / "model_index.json")
    for component, wanted in CLASSES.items():
        found = (index.get(component) or [None, None])[1]
        if found != wanted and not (component == LOW_NOISE and found is None):
            raise ValueError(f"{folder}: {component} is a {found}, not the {wanted} of Wan image-to-video")
    config = folder / EXPERT / "config.json"
    transformer, vae = _read(config), _read(folder / "vae" / "config.json")
    if absent := [key for key in ("patch_size", "in_channels") if key not in transformer]:
        raise ValueError(f"{config} has no {', '.join(absent)}; download the model again")
    shape = Geometry(
        z_dim=vae.get("z_dim", 16),
        spatial=vae.get("scale_factor_spatial") or 8,
        frames_a_latent=vae.get("scale_factor_temporal") or 4,
        patch=transformer["patch_size"][1],
        experts=tuple(name for name in (EXPERT, LOW_NOISE) if (index.get(name) or [None])[0]),
        boundary=index.get("boundary_ratio"),
        image_dim=transformer.get("image_dim"),
        expand_timesteps=bool(index.get("expand_timesteps")),
    )
    if transformer.get("pos_embed_seq_len") is not None:
        raise ValueError(f"{folder}: this model wants the last frame too (FLF2V), which no film has")
    beside = 0 if shape.expand_timesteps else shape.frames_a_latent + shape.z_dim
    if transformer["in_channels"] != shape.z_dim + beside:
        raise ValueError(
            f"{folder}: the transformer takes {transformer['in_channels']} channels, an image-to-video model takes "
            f"{shape.z_dim + beside}: {shape.z_dim} noisy and {beside} of the condition"
        )
    return shape


def weights_digest(folder: Path, digest_file: Callable[[Path], str]) -> str:
    """SHA-256 hex digest of the names and contents of a model's files.

    `digest_file` gives the SHA-256 of a file; it is not asked where the hub's cache names the file by it, so that 100 GB need
    not be read. The digest is the same for a copy outside the cache.
    """
    lines = [
        f"{name}\0{_known_sha256(folder / name) or digest_file(folder / name)}\n" for name in sorted(_files(folder))
    ]
    return sha256("".join(lines).encode()).hexdigest()


def _known_sha256(file: Path) -> str | None:
    name = file.resolve().name
    hexadecimal = len(name) == HUB_SHA256 and set(name) <= set("0123456789abcdef")
    return name if file.is_symlink() and file.resolve().parent.name == "blobs" and hexadecimal else None


def _files(folder: Path) -> Iterator[str]:
    yield "model_index.json"
    for component in _components(folder):
        yield from (f"{component}/{file.name}" for file in (folder / component).iterdir() if file.is_file())


def _components(folder: Path) -> list[str]:
    """Subfolders that are read; the scheduler is set up by the settings instead."""
    index = _read(folder / "model_index.json")
    listed = [name for name, entry in index.items() if isinstance(entry, list) and entry[0] and name != "scheduler"]
    return sorted({EXPERT, "vae", "text_encoder", "tokenizer", *listed})


def _needs(folder: Path, component: str) -> list[str]:
    if component == "tokenizer":
        return [f"{component}/tokenizer_config.json"]
    if component == "image_processor":
        return [f"{component}/preprocessor_config.json"]
    stem = "model" if component in ("text_encoder", "image_encoder") else "diffusion_pytorch_model"
    index = folder / component / f"{stem}.safetensors.index.json"
    shards = sorted(set(_read(index)["weight_map"].values())) if index.is_file() else [f"{stem}.safetensors"]
    return [f"{component}/{name}" for name in ("config.json", *shards)]


def _cached(name: str, model: Model) -> Path:
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return Path(snapshot_download(model.repository, local_files_only=True))
    except LocalEntryNotFoundError:
        raise ValueError(
            f"the weights of {name} are not in the hub's cache ({constants.HF_HUB_CACHE}; HF_HOME moves it). "
            f"{_how(BackboneSettings(name=name), model)}"
        ) from None


def _how(settings: BackboneSettings, model: Model | None) -> str:
    if model is None:
        return "Models in diffusers' layout have -Diffusers at the end of their names on the hub"
    where = shlex.quote(settings.weights) if settings.weights else None
    download = f"hf download {model.repository}"
    if where:
        return f"Download {model.repository} (about {model.download} GB): {download} --local-dir {where}"
    return (
        f"Download {model.repository} (about {model.download} GB) into it: {download} ; or elsewhere: "
        f"{download} --local-dir FOLDER, and set backbone.weights=FOLDER"
    )


def _read(file: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise ValueError(f"{file} cannot be read: {error}") from error
    return content
