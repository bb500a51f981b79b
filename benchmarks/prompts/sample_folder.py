"""A sample's folder, in the layout that `benchmarks.samples` reads: an image, prompt.txt, and where both come from."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.artifacts import IMAGES, PROMPTS, PROVENANCE
from benchmarks.atomic import write_whole
from benchmarks.prompts.picture import Picture
from benchmarks.samples import Sample, read_prompts


def check_free(folder: Path, image: Picture | None) -> None:
    """Whether a sample with this image may be written to `folder`, before anyone is asked for prompts; None: with one that
    is still to be painted, which no image there is.

    Raises:
        ValueError: the name could leave its folder or is hidden from `load_samples`, or something else is there.
    """
    if ".." in folder.parts or folder.name.startswith(".") or not folder.name:
        raise ValueError(
            f"sample folder: received {str(folder)!r}, expected a path without '..' and with a name of its own"
        )
    Sample(folder.name, folder, ("checked",))  # its name must do as the name of output files
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"sample folder: {folder} is a file, expected a folder, or nothing")
    above = next((parent for parent in folder.parents if parent.exists()), folder)
    if above != folder and not above.is_dir():
        raise ValueError(f"sample folder: {above} is a file, expected a folder that {folder} can be made in")
    for name in IMAGES:
        path = folder / name
        same = (
            image is not None and name == f"frame{image.suffix}" and path.exists() and path.read_bytes() == image.data
        )
        if path.exists() and not same:
            raise _taken(folder, f"the {name} there is another image")


def write_sample(folder: Path, image: Picture, prompts: Sequence[str], provenance: Mapping[str, Any]) -> bool:
    """Write the sample, prompt.txt last, so that a folder cut short is no sample; False: the same one is there already.

    Raises:
        ValueError: as `check_free`, other prompts are there, or the folder cannot be written.
    """
    check_free(folder, image)
    if (folder / PROMPTS).exists():
        try:
            same = read_prompts(folder / PROMPTS) == tuple(prompts)
        except ValueError:
            same = False
        if not same:
            raise _taken(folder, f"the {PROMPTS} there is another")
        if (folder / f"frame{image.suffix}").exists():
            return False
    about = {
        **provenance,
        "image": {"file": f"frame{image.suffix}", "sha256": image.sha256, "source": dict(image.source)},
    }
    told = (json.dumps(about, indent=1, ensure_ascii=False) + "\n").encode(errors="backslashreplace")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / f"frame{image.suffix}", image.data)
        write_whole(folder / PROVENANCE, told)
        write_whole(folder / PROMPTS, prompt_file(prompts).encode())
    except OSError as error:
        raise ValueError(
            f"sample folder: {folder} cannot be written ({error.strerror}), expected a folder that can; choose another"
        ) from error
    return True


def prompt_file(prompts: Sequence[str]) -> str:
    """The text of prompt.txt: `prompts = [...]`, a Python list whose strings are JSON's, which Python reads alike."""
    lines = "".join(f"    {json.dumps(prompt, ensure_ascii=False)},\n" for prompt in prompts)
    return f"prompts = [\n{lines}]\n"


def _taken(folder: Path, why: str) -> ValueError:
    return ValueError(
        f"sample folder: {folder} holds a sample already ({why}), and is left as it is; choose another folder"
    )
