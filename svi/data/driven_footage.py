"""Training clips with what they follow: of samples that `harness data` made (samples.py)."""

import hashlib
from collections.abc import Callable
from pathlib import Path

from svi.course import Course
from svi.data.folder import VideoFile
from svi.data.footage import Clip, Unreadable, VideoFootage
from svi.data.samples import LAYOUT, RECORD, sample_files
from svi.settings import DataSettings

Courses = Callable[[Path, int], Course]
"""What a sample's folder follows for so many frames at the settings' fps. Raises ValueError where it is missing or too short."""


class DrivenFootage(VideoFootage):
    """Clips of a folder of samples, each with what its frames follow (protocol: svi.data.footage.Footage)."""

    layout = LAYOUT

    def __init__(self, root: Path, settings: DataSettings, courses: Courses) -> None:
        """Looks at the header of every video, and opens what it follows.

        Raises ValueError as `sample_files` does, and for no usable sample.
        """
        self._courses = courses
        self._followed: tuple[str, Course] | None = None
        files = sample_files(root)
        super().__init__(root, settings, files)
        of_samples = {video.name: _sizes(video.file.parent) for video in self.videos}
        self.fingerprint = hashlib.sha256(repr((self.fingerprint, of_samples)).encode()).hexdigest()

    def _look(self, file: VideoFile) -> None:
        """A video is usable if what it follows is."""
        super()._look(file)
        if self.videos and self.videos[-1].file == file.path:
            try:
                self._courses(file.path.parent, self.videos[-1].frames)
            except ValueError as error:
                self.videos.pop()
                self.skipped.append((file.name, str(error)))

    def later(self, i: int, frames: int) -> Clip:
        """Decoded now; the sample stays open for the clips that follow."""
        clip = super().later(i, frames)
        video, start = self._locate(i)
        try:
            if self._followed is None or self._followed[0] != video.name:
                self._followed = video.name, self._courses(video.file.parent, video.frames)
            course = self._followed[1]
            given = course.clip(start + frames, self.settings.clip_frames)
        except ValueError as error:
            raise Unreadable(video.name, str(error)) from error
        return clip._replace(signals={course.key: given})


def _sizes(sample: Path) -> list[tuple[str, int]]:
    """Of all its files but the record, which holds times."""
    return sorted((file.name, file.stat().st_size) for file in sample.iterdir() if file.name != RECORD)
