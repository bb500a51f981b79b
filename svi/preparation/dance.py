"""Samples of dancing people: pictures, and as many of their skeletons."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from svi.conditions.skeleton import SUFFIXES, Skeletons, draw
from svi.data.samples import POSE, VIDEO
from svi.frames import Frames
from svi.preparation.pictures import Pictures, by_time, jpeg_pictures, keep, open_jpegs, open_video
from svi.preparation.source import Made, prompt_beside
from svi.settings import DataSettings

FRAMES = "frame_data.pkl"
POSES = ("dw_pose_with_foot_wo_face.pkl", "dw_pose_with_foot_with_face.pkl")  # SVI-Dance reads the first
POSE_FILES = ("dwpose.mp4", POSE, *(f"pose{suffix}" for suffix in SUFFIXES))
CAPTION = "the person is dancing"  # SVI-Dance's, for all its samples
LAYOUT = f"a folder a sample, with {VIDEO} and one of {', '.join(POSE_FILES)}, or the authors' {FRAMES} and {POSES[0]}"
_ALIKE = 0.02  # by how much the shapes of pictures and skeletons may differ
_LATE = 1.5  # frames by which one may last longer


@dataclass(frozen=True)
class Dance:
    """A folder of pictures and skeletons. `rate`: pictures a second where they are stored without."""

    name: str
    pictures: Path
    poses: Path
    rate: Fraction

    @property
    def files(self) -> Sequence[Path]:
        """Both."""
        return [self.pictures, self.poses]

    @property
    def how(self) -> Mapping[str, Any]:
        """Their rate, where it is not theirs."""
        return {"fps": str(self.rate)} if self.pictures.name == FRAMES else {}

    @property
    def prompt(self) -> str:
        """Beside them, else the authors'."""
        return prompt_beside(self.pictures.parent, CAPTION)

    def make(self, folder: Path) -> Made:
        """Raises ValueError for skeletons that are not those of the pictures: of another length or shape."""
        video, poses = self._stored() if self.pictures.name == FRAMES else self._filmed()
        poses, count = matched(video, poses)
        keep(video, count, video.rate, folder / VIDEO)
        keep(poses, count, video.rate, folder / POSE)
        note = f"skeletons with faces ({self.poses.name}); SVI-Dance has none" if self.poses.name == POSES[1] else ""
        return Made(count, float(count / video.rate), note)

    def _stored(self) -> tuple[Pictures, Pictures]:
        """From the authors' pickles, which say by names what belongs together."""
        pictures, poses = open_jpegs(self.pictures), open_jpegs(self.poses)
        if lacking := [name for name in pictures if name not in poses]:
            raise ValueError(
                f"{self.poses}: received no skeleton for {len(lacking)} of {len(pictures)} pictures ({lacking[0]} is the "
                "first), expected one for each"
            )
        rows = [poses[name] for name in pictures]
        return (
            jpeg_pictures(self.pictures, list(pictures.values()), self.rate),
            jpeg_pictures(self.poses, rows, self.rate),
        )

    def _filmed(self) -> tuple[Pictures, Pictures]:
        drawn = self.poses.suffix in SUFFIXES
        return open_video(self.pictures), skeleton_pictures(self.poses) if drawn else open_video(self.poses)


def dance_sources(root: Path, rate: Fraction) -> tuple[list[Dance], list[tuple[str, str]]]:
    """What a folder holds, by name, and what of it lacks a part, with the reason.

    Raises ValueError for a folder of nothing known.
    """
    if not root.is_dir():
        raise ValueError(f"{root} is not a folder; expected {LAYOUT}")
    sources, lacking = [], []
    for folder in sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith(".")):
        pictures = next((folder / name for name in (VIDEO, FRAMES) if (folder / name).is_file()), None)
        names = POSES if pictures is not None and pictures.name == FRAMES else POSE_FILES
        poses = next((folder / name for name in names if (folder / name).is_file()), None)
        if pictures is not None and poses is not None:
            sources.append(Dance(folder.name, pictures, poses, rate))
        else:
            missing = f"{VIDEO} or {FRAMES}" if pictures is None else " or ".join(names)
            lacking.append((folder.name, f"{folder} lacks {missing}"))
    if not sources:
        raise ValueError(f"{root} holds nothing to make samples of; expected {LAYOUT}")
    return sources, lacking


def skeleton_pictures(file: Path) -> Pictures:
    """Key points, drawn as large as the video that they were found in. Raises ValueError as Skeletons does."""
    skeletons = Skeletons(file, DataSettings())
    height, width = skeletons.size
    count = len(skeletons.points["body"])

    def read() -> Iterator[Frames]:
        for i in range(count):
            yield draw({name: points[i] for name, points in skeletons.points.items()}, height, width)

    return Pictures(count, Fraction(skeletons.fps).limit_denominator(1001), height, width, read)


def matched(video: Pictures, poses: Pictures) -> tuple[Pictures, int]:
    """The skeletons at the video's rate, and how many frames both have.

    As many as there are pictures (but for one) belong to them one by one, whatever rate they were written with, as the authors
    read them; others, by their times, where both last as long. Raises ValueError for any other length, and for another shape.
    """
    if abs(video.width * poses.height - poses.width * video.height) > _ALIKE * video.width * poses.height:
        raise ValueError(
            f"the skeletons are {poses.width} x {poses.height} pixels, the video {video.width} x {video.height}: expected the "
            "same shape, else they do not lie on the dancer; make them from this video"
        )
    if abs(video.count - poses.count) <= 1:
        return poses, min(video.count, poses.count)
    if abs(video.seconds - poses.seconds) <= _LATE / float(min(video.rate, poses.rate)):
        poses = by_time(poses, video.rate)
        return poses, min(video.count, poses.count)
    raise ValueError(
        f"{poses.count} skeletons at {float(poses.rate):g} a second ({poses.seconds:.2f} s) for {video.count} pictures at "
        f"{float(video.rate):g} ({video.seconds:.2f} s): expected as many, or as long; make them from this video"
    )
