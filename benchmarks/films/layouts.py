"""Output folders of other projects, as they are: which film is which sample's, and what in the folder is no film of its own.

A table of how each project's script names its files; docs/benchmarks.md has the source of each. A folder that none of them
names so is read by its files' names alone.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.films.mp4 import mp4s

_PROMPT = r"(?=(?:[^ ]+ +){3})"  # a name of four words or more is a prompt's beginning
_DAY = r"\d{8}_\d{6}"
_OTHERS = "another that names films by prompts"
_SHOWN = 3


@dataclass(frozen=True)
class Layout:
    """How a project names a film, without .mp4: the group `sample`, and of files with the same sample and `seed` the one with the
    highest `order` is the film, the others are what `others` says; where that says nothing, each file is a film.

    Files lie up to `depth` folders deep. More than half of a folder's files must be named so, or all of them (`every`) where
    that says little; `by_folder`: and the folder must be called as the project. Where several projects name alike, the folder's
    name decides, or nothing does. `proof`: at least one name of a file beside the films, or of theirs, with its ending. `samples`:
    what a sample is called by, `caution` what a reader of the scores must know.
    """

    projects: tuple[str, ...]
    named: str
    samples: str
    depth: int = 0
    others: str = ""
    every: bool = False
    by_folder: bool = False
    proof: str = ""
    caution: str = ""


_BESIDE = "each frame shows the {} beside the film: scores are of both"
LAYOUTS = (
    Layout(
        ("SVI",), rf"i2v_(?P<sample>.+)_[^_]+_cfgt[\d.]+_step\d+_(?P<order>{_DAY})", "its sample's folder", depth=1,
        others="an earlier run of the same sample", caution="the script writes 24 fps, the model's frames are 16 a second",
    ),
    Layout(
        ("SVI-Talk",), rf"(?P<sample>.+)_[^_]+_cfga[\d.]+_cfgt[\d.]+_step\d+_(?P<order>{_DAY}_chunk_\d+)_of_\d+(?:_with_audio)?",
        "its picture's folder and its sound", others="the same film after fewer clips", caution=_BESIDE.format("picture"),
    ),
    Layout(
        ("SVI-Dance",), rf"(?P<sample>output_cfgt[\d.]+_step\d+_{_DAY})_chunk_(?P<order>\d+)_of_\d+", "its run",
        others="the same film after fewer clips", caution=_BESIDE.format("picture and the skeleton"),
    ),
    Layout(
        ("FramePack",), r"(?P<sample>\d{6}_\d{6}_\d{3}_\d{1,4})_(?P<order>\d+)", "its job",
        others="the same film after fewer sections",
    ),
    Layout(("Wan2GP",), r"\d{4}-\d\d-\d\d-\d\dh\d\dm\d\ds_seed(?P<seed>-?\d+)_(?P<sample>.+)", "its prompt's beginning"),
    Layout(
        ("LongLive",), r"rank\d+-(?P<sample>.+)-(?P<seed>\d+)(?:_(?:lora|ema|regular|quantized)(?:_(?:dp\d+_)?sp\d+)?)?",
        "its prompt's number or beginning",
    ),
    Layout(
        ("Self-Forcing", "Rolling Forcing"), r"(?P<sample>\d+)-(?P<seed>\d+)_(?:regular|ema)", "its prompt's number",
    ),
    Layout(("Helios",), r"(?P<sample>\d{4}_(?:t2v|i2v|v2v))_\d{9,}", "its number"),
    Layout(("HeliosBench",), r"(?P<sample>\d+)_[^_]+_ori[^_]*", "its prompt's number"),
    Layout(("Helios",), r"(?P<sample>\d+)", "its prompt's number", every=True, by_folder=True),
    Layout(
        ("LightX2V",), r"output_(?P<sample>(?:lightx2v|helios)_.+)", "its script", every=True,
        caution="each file is of another script, so of another method: score one by itself",
    ),
    Layout(
        ("ComfyUI",), r"(?P<sample>.+_\d{5})(?:_|(?P<order>-audio))?", "its file's name", depth=2,
        others="the same film without its sound", proof=r".+_\d{5}(_\.mp4|\.png)",
    ),
    Layout(
        ("Self-Forcing", "Rolling Forcing"), rf"{_PROMPT}(?P<sample>.{{1,100}})-(?P<seed>\d+)", "its prompt's beginning",
    ),
    Layout(
        ("FastVideo", _OTHERS), rf"{_PROMPT}(?P<sample>[^\\/:*?\"<>|]{{1,100}}?)(?:_(?P<seed>\d+))?", "its prompt's beginning",
        every=True,
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Recognised:
    """A folder of `project`'s: its films by sample (a second one of a sample is called `sample`-1), and files that are left out by
    the reason; `alike`: whether the name says that it is one project and no other."""

    project: str
    layout: Layout
    videos: Mapping[str, Path]
    left_out: Mapping[str, list[str]] = field(default_factory=dict)

    @property
    def alike(self) -> bool:
        """Whether other projects name their films so too, and the folder's name does not tell which it is."""
        return " or " in self.project

    @property
    def prompts(self) -> dict[str, str]:
        """Sample -> as much of its prompt as the folder tells: a text beside the film (LongLive), else the name."""
        found = {}
        for name, path in self.videos.items():
            beside = path.with_name(f"{path.stem}_prompts.txt")
            if beside.is_file():
                found[name] = beside.read_text(encoding="utf-8", errors="replace").strip()
            elif re.match(_PROMPT, name):
                found[name] = name
        return found

    def told(self) -> Iterator[str]:
        """What a person should know of it: what was recognised, and what was left out and why."""
        name, path = next(iter(self.videos.items()))
        one = "video" if len(self.videos) == 1 else "videos"
        called = f"each called by {self.layout.samples} ({path.name} is {name!r})"
        yield f"{len(self.videos)} {one} of {self.project}, {called}" + (
            f"; {caution}" if (caution := self.layout.caution) else ""
        )
        for reason, files in self.left_out.items():
            listed = ", ".join(files[:_SHOWN]) + (", ..." if len(files) > _SHOWN else "")
            yield f"{len(files)} left out, {reason}: {listed}"


def videos_of(folder: Path, samples: Sequence[str] | None = None) -> tuple[dict[str, Path], Recognised | None]:
    """The mp4s of a folder by the names of their samples; and what the folder was recognised as, None where it is read by its
    files' names: where no project names them so, or `samples` are named as the files are.

    Raises:
        ValueError: two files of one name in a folder that was not recognised.
    """
    stems = {path.stem for path in _files(folder, 0)}
    if samples is None or not set(samples) <= stems:
        found = recognised(folder)
        if found is not None and (samples is None or set(samples) & set(found.videos)):
            return dict(found.videos), found
    return mp4s(folder), None


def recognised(folder: Path) -> Recognised | None:
    """The first layout that the folder's files have."""
    for layout in LAYOUTS:
        files = _files(folder, layout.depth)
        named = {path: found for path in files if (found := re.fullmatch(layout.named, path.stem, re.DOTALL))}
        project = _project(layout, folder)
        enough = len(named) == len(files) if layout.every else 2 * len(named) > len(files)
        if named and enough and project and _proved(layout, named):
            videos, left_out = _films(layout, named)
            strange = [path.relative_to(folder).as_posix() for path in files if path not in named]
            if strange:
                left_out[f"not named as {project} names films"] = strange
            return Recognised(project, layout, videos, left_out)
    return None


def _files(folder: Path, depth: int) -> list[Path]:
    """The mp4s up to so many folders deep, in the order of their paths; none of hidden folders."""
    found = [
        path for level in range(depth + 1) for path in folder.glob("*/" * level + "*") if path.suffix.lower() == ".mp4"
    ]
    hidden = [path for path in found if any(part.startswith(".") for part in path.relative_to(folder).parts)]
    return sorted(set(found) - set(hidden))


def _proved(layout: Layout, named: Mapping[Path, re.Match[str]]) -> bool:
    places = {path.parent for path in named}
    return not layout.proof or any(re.fullmatch(layout.proof, one.name) for place in places for one in place.iterdir())


def _project(layout: Layout, folder: Path) -> str:
    """The projects that name films so; where the folder's name tells, the one; none if it must and does not."""
    words = folder.resolve().name.lower()
    said = [project for project in layout.projects if re.split(r"[ -]", project.lower())[0] in words]
    if layout.by_folder and not said:
        return ""
    return said[0] if len(said) == 1 else " or ".join(layout.projects)


def _films(layout: Layout, named: Mapping[Path, re.Match[str]]) -> tuple[dict[str, Path], dict[str, list[str]]]:
    """The films by sample, in natural order, and the files that are no film of their own."""
    takes: dict[tuple[str, str], list[tuple[str, Path]]] = {}
    for place, (path, found) in enumerate(named.items()):
        groups = found.groupdict()
        again = (groups.get("seed") or "") if layout.others else f"{groups.get('seed') or ''} {place}"
        takes.setdefault((groups["sample"].strip(), again), []).append((groups.get("order") or "", path))
    films: dict[str, Path] = {}
    less: list[str] = []
    for (sample, _), files in sorted(takes.items(), key=lambda one: [_natural(word) for word in one[0]]):
        *before, (_, path) = sorted(files, key=lambda one: (len(one[0]), one))
        less += [other.name for _, other in before]
        number = next(n for n in range(len(takes)) if (f"{sample}-{n}" if n else sample) not in films)
        films[f"{sample}-{number}" if number else sample] = path
    return films, {layout.others: less} if less else {}


def _natural(text: str) -> list[tuple[int, str]]:
    """Sorts 2 before 10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", text)]
