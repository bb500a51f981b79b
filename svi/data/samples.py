"""Training samples with a signal, as `harness data` lays them out and training reads them: a folder a sample.

torch is loaded where it is needed: a plan looks at such folders, too.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from svi.data.folder import VideoFile

if TYPE_CHECKING:
    from torch import Tensor

VIDEO, PROMPT = "video.mp4", "prompt.txt"
SOUND, SPEECH = "audio.wav", "audio.safetensors"
SPEECH_FPS = 25  # rows a second of those features, one a frame (MultiTalk, SVI-Talk)
POSE = "pose.mp4"
RECORD = "made.json"  # what a sample was made of, and how
FILM = "film"  # the tensor of a file of features
LAYOUT = f"a folder a sample, with {VIDEO}, {PROMPT} and its signal, as `harness data` writes them"


def sample_files(root: Path) -> list[VideoFile]:
    """The video of every sample, by name, with its caption; a folder without one is no sample.

    Raises ValueError for a missing folder, one without any sample, and a caption that is no text.
    """
    folders = sorted(path.parent for path in root.glob(f"*/{VIDEO}") if not path.parent.name.startswith("."))
    if not folders:
        raise ValueError(f"data.path is {root}, which holds no samples; expected {LAYOUT}")
    return [_file(folder) for folder in folders]


def _file(folder: Path) -> VideoFile:
    try:
        caption = " ".join((folder / PROMPT).read_text(encoding="utf-8").split())
    except FileNotFoundError:
        caption = ""
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{folder / PROMPT} cannot be read ({error}); save it as UTF-8") from error
    return VideoFile(folder / VIDEO, folder.name, caption or "A video", bool(caption))


def write_speech(file: Path, film: "Tensor") -> None:
    """Keep what wav2vec2 made of a film's sound, [F, layers, channels]. Raises OSError."""
    from safetensors.torch import save_file

    save_file({FILM: film.contiguous()}, file)


def read_speech(file: Path) -> "Tensor":
    """[F, layers, channels] float32, mapped: only frames that are looked at are read. Raises ValueError for anything else."""
    import torch
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="pt") as tensors:
            film: Tensor = tensors.get_tensor(FILM)
    except (OSError, SafetensorError) as error:
        raise ValueError(
            f"{file}: received no features of speech ({error}), expected a tensor {FILM!r} in safetensors; make them with "
            "`harness data talk`"
        ) from error
    if film.ndim != 3 or film.dtype != torch.float32:
        raise ValueError(
            f"{file}: received {film.dtype} {list(film.shape)}, expected float32 [frames, layers, channels] of wav2vec2; make "
            "them again with `harness data talk`"
        )
    return film
