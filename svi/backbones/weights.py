"""A model's files in diffusers' layout: found, checked, identified and asked for shapes. Loads no weights."""

import shlex
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

from svi.artifacts import MODEL_INDEX
from svi.backbones.catalogue import EXPERT, FOLDER, LOW_NOISE, MODELS, Geometry, Published
from svi.foreign import read_object
from svi.settings import BackboneSettings

HUB_SHA256 = 64  # letters; the hub's cache names a large file's blob by the SHA-256 of its content
CLASSES = {EXPERT: "WanTransformer3DModel", LOW_NOISE: "WanTransformer3DModel", "vae": "AutoencoderKLWan"}


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
    found = read_geometry(folder)
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
    if not (folder / MODEL_INDEX).is_file():
        return [MODEL_INDEX]
    return [
        name for component in _components(folder) for name in _needs(folder, component) if not (folder / name).is_file()
    ]


def read_geometry(folder: Path) -> Geometry:
    """Shapes from the config files. Raises ValueError when the folder holds something other than an image-to-video Wan."""
    index = read_object(folder / MODEL_INDEX)
    for component, wanted in CLASSES.items():
        found = (index.get(component) or [None, None])[1]
        if found != wanted and not (component == LOW_NOISE and found is None):
            raise ValueError(f"{folder}: {component} is a {found}, not the {wanted} of Wan image-to-video")
    config = folder / EXPERT / "config.json"
    transformer, vae = read_object(config), read_object(folder / "vae" / "config.json")
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
    yield MODEL_INDEX
    for component in _components(folder):
        yield from (f"{component}/{file.name}" for file in (folder / component).iterdir() if file.is_file())


def _components(folder: Path) -> list[str]:
    """Subfolders that are read; the scheduler is set up by the settings instead."""
    index = read_object(folder / MODEL_INDEX)
    listed = [name for name, entry in index.items() if isinstance(entry, list) and entry[0] and name != "scheduler"]
    return sorted({EXPERT, "vae", "text_encoder", "tokenizer", *listed})


def _needs(folder: Path, component: str) -> list[str]:
    if component == "tokenizer":
        return [f"{component}/tokenizer_config.json"]
    if component == "image_processor":
        return [f"{component}/preprocessor_config.json"]
    stem = "model" if component in ("text_encoder", "image_encoder") else "diffusion_pytorch_model"
    index = folder / component / f"{stem}.safetensors.index.json"
    shards = sorted(set(read_object(index)["weight_map"].values())) if index.is_file() else [f"{stem}.safetensors"]
    return [f"{component}/{name}" for name in ("config.json", *shards)]


def _cached(name: str, model: Published) -> Path:
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return Path(snapshot_download(model.repository, local_files_only=True))
    except LocalEntryNotFoundError:
        raise ValueError(
            f"the weights of {name} are not in the hub's cache ({constants.HF_HUB_CACHE}; HF_HOME moves it). "
            f"{_how(BackboneSettings(name=name), model)}"
        ) from None


def _how(settings: BackboneSettings, model: Published | None) -> str:
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
