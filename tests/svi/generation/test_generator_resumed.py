"""Films cut short and gone on with, and what a long one takes."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.svi.films import SETTINGS, Stop, decoded, films, folder, maker, quiet, scripts

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(("handoff", "overlap_from"), [("pixel", "next"), ("latent", "previous")])
def test_stopped_anywhere_and_resumed_is_identical(tmp_path: Path, handoff: str, overlap_from: str) -> None:
    """Three films in groups of two, stopped after every clip in turn, and with the next one's files begun."""
    settings = SETTINGS.model_copy(update={"together": 2, "handoff": handoff, "overlap_from": overlap_from})
    whole, cut = folder(tmp_path, "whole"), folder(tmp_path, "cut")
    maker(settings).films(scripts(3, 3), 12, 8, whole, quiet)
    seen: list[tuple[int, int]] = []

    def stop(done: int, total: int) -> None:
        if seen and done > seen[-1][0]:
            seen.append((done, total))
            raise Stop
        seen[:] = seen or [(done, total)]

    for _ in range(5):
        with pytest.raises(Stop):
            maker(settings).films(scripts(3, 3), 12, 8, cut, stop)
        for work in (cut / "films").glob("*"):
            (work / f"{len(list(work.glob('*.mp4'))):05d}.mp4").write_bytes(b"begun")
            (work / ".5f3e.part").write_bytes(b"begun")
    maker(settings).films(scripts(3, 3), 12, 8, cut, quiet)
    assert seen == [(0, 9), (2, 9), (4, 9), (6, 9), (7, 9), (8, 9)]
    assert sorted(p.name for p in cut.iterdir()) == ["frames.npy", "videos"]
    assert len(list((cut / "videos").iterdir())) == 3
    for file in ["frames.npy", *(f"videos/film-{i}.mp4" for i in range(3))]:
        assert (whole / file).read_bytes() == (cut / file).read_bytes(), file


def test_killed_while_the_films_are_joined(tmp_path: Path) -> None:
    """Between two films, and between the last one and the removal of the segments."""
    whole, cut = folder(tmp_path, "whole"), folder(tmp_path, "cut")
    maker().films(scripts(3), 13, 8, whole, quiet)

    def keep(done: int, total: int) -> None:
        if done == 4:
            shutil.copytree(cut, tmp_path / "kept")

    maker().films(scripts(3), 13, 8, cut, keep)
    assert not (cut / "films").exists()
    # As it was before the last clip, but with one film that is already there.
    shutil.rmtree(cut)
    shutil.copytree(tmp_path / "kept", cut)
    (cut / "videos").mkdir()
    shutil.copy(whole / "videos" / "film-0.mp4", cut / "videos")
    maker().films(scripts(3), 13, 8, cut, quiet)
    # All films are there, and segments as well.
    shutil.copytree(tmp_path / "kept" / "films", cut / "films")
    maker().films(scripts(3), 13, 8, cut, quiet)
    assert sorted(p.name for p in cut.iterdir()) == ["frames.npy", "videos"]
    for i in range(2):
        assert (whole / f"videos/film-{i}.mp4").read_bytes() == (cut / f"videos/film-{i}.mp4").read_bytes()


def test_a_finished_run_makes_nothing_again(tmp_path: Path) -> None:
    films(tmp_path, "done")
    generator = maker()
    generator.denoiser.clip = None  # type: ignore[method-assign, assignment]
    seen: list[int] = []
    generator.films(scripts(3), 13, 8, tmp_path / "done", lambda done, total: seen.append(done))
    assert seen == [6]


def test_another_grouping_begins_again(tmp_path: Path) -> None:
    whole, cut = folder(tmp_path, "whole"), folder(tmp_path, "cut")
    apart = SETTINGS.model_copy(update={"together": 1})
    maker(apart).films(scripts(3), 12, 8, whole, quiet)

    def stop(done: int, total: int) -> None:
        if done:
            raise Stop

    with pytest.raises(Stop):
        maker().films(scripts(3), 12, 8, cut, stop)
    maker(apart).films(scripts(3), 12, 8, cut, quiet)
    assert np.array_equal(np.load(whole / "frames.npy"), np.load(cut / "frames.npy"))


FILM = """
import sys
from pathlib import Path
from svi.settings import DataSettings
from tests.svi.films import SETTINGS, maker, scripts
from tests.svi.memory import peak
seconds, side, folder = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
data = DataSettings(clips=1, height=side, width=side)
clips = -(-(8 * seconds - 1) // 4)
def tell(done, total):
    print(done, flush=True)
settings = SETTINGS.model_copy(update={"lossless": sys.argv[4] == "lossless", "steps": 1})
maker(settings, data=data).films(scripts(clips, 1, data), 8 * seconds, 8, folder, tell)
print(peak())
"""


def film_process(*arguments: object) -> "subprocess.Popen[str]":
    """Makes one film of so many seconds and pixels a side; says each clip, and its peak memory in the end."""
    command = [sys.executable, "-c", FILM, *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


@pytest.mark.slow
@pytest.mark.parametrize("lossless", [False, True])
def test_memory_does_not_grow_with_length(tmp_path: Path, lossless: bool) -> None:
    """Peak memory of the process that makes 250 s is within 5 % of that for 50 s."""
    peaks = []
    for seconds in (50, 250):
        made = folder(tmp_path, str(seconds))
        out, _ = film_process(seconds, 128, made, "lossless" if lossless else "mp4").communicate()
        peaks.append(int(out.split()[-1]))
        assert len(decoded(made / "videos" / "film-0.mp4")) == 8 * seconds
    assert peaks[1] < 1.05 * peaks[0], peaks


@pytest.mark.slow
def test_a_film_killed_at_clip_30_is_identical_once_it_ran_again(tmp_path: Path) -> None:
    whole, cut = folder(tmp_path, "whole"), folder(tmp_path, "cut")
    assert film_process(50, 32, whole, "lossless").wait() == 0
    process = film_process(50, 32, cut, "lossless")
    assert process.stdout is not None
    for line in process.stdout:
        if int(line) == 30:
            process.kill()
    assert process.wait() == -signal.SIGKILL
    assert not (cut / "videos" / "film-0.mp4").exists()
    again = film_process(50, 32, cut, "lossless")
    assert again.stdout is not None
    assert int(again.stdout.readline()) >= 30
    again.stdout.read()
    assert again.wait() == 0
    for file in ("frames.npy", "videos/film-0.mp4"):
        assert (whole / file).read_bytes() == (cut / file).read_bytes(), file
