"""What films follow, on the page: sound that is still theirs, its outline, and a row of skeletons."""

import base64
import re
from pathlib import Path

import numpy as np
import pytest

from reports.figures.sheet import TRUE
from reports.page.films import film_rows, relative_links
from reports.page.signals import COLUMNS, HEIGHT, PICTURES, Signals, outline, pose_beside, signals_of, skeletons
from svi.generation.sound import Sound
from svi.generation.video import join_mp4, write_mp4
from tests.reports.page.films import TRACK, film, write_page
from tests.reports.report_frames import info
from tests.svi.sounds import heard, segments, write_wav
from tests.undrawn import undrawn

NAMES = ("base", "full", "shuffled")
SOUNDS = {"full": 0, "shuffled": 1}


def heights(path: str) -> np.ndarray:
    """Highest and lowest y of each column of an outline, [2, COLUMNS]."""
    there, back = path.removeprefix("M0,").removesuffix("z").split("V")
    first, steps = there.split("l")
    last, turned = back.split("l")
    up = np.cumsum([int(first), *(int(step.split(",")[1]) for step in steps.split())])
    down = np.cumsum([int(last), *(int(step.split(",")[1]) for step in turned.split())])
    return np.stack([-up, -down[::-1]])


def test_an_outline_is_the_sound_over_the_pictures_time(tmp_path: Path) -> None:
    """Loud in the second quarter, half as loud in the last, and of one sign there."""
    rate, sound = 16_000, np.zeros(4 * 16_000)
    sound[rate : 2 * rate] = 0.4 * np.sin(np.arange(rate) * 0.3)
    sound[3 * rate :] = 0.2 * np.sin(np.arange(rate) * 0.3)
    join_mp4(tmp_path / "film.mp4", segments(tmp_path, 4), Sound(write_wav(tmp_path / "a.wav", sound, rate)))
    path = outline(tmp_path / "film.mp4")
    high, low = heights(path)
    assert len(high) == len(low) == COLUMNS
    quarters = [slice(COLUMNS * i // 4 + 5, COLUMNS * (i + 1) // 4 - 5) for i in range(4)]
    for part, expected in zip(quarters, (0, 1, 0, 0.5), strict=True):
        assert high[part] == pytest.approx(np.full(90, HEIGHT * expected), abs=6)
        assert low[part] == pytest.approx(np.full(90, -HEIGHT * expected), abs=6)
    assert max(high.max(), -low.min()) == HEIGHT
    assert len(path) < 6000


def test_the_outline_of_silence_is_a_line(tmp_path: Path) -> None:
    join_mp4(tmp_path / "film.mp4", segments(tmp_path, 1), Sound(write_wav(tmp_path / "a.wav", np.zeros(9), 16_000)))
    assert not heights(outline(tmp_path / "film.mp4")).any()


def test_films_of_one_sound_share_its_outline(tmp_path: Path) -> None:
    """And what is silent, or no film at all, has none."""
    films = {name: film(tmp_path / name / "a.mp4", 2, 8, 0, sound=sound) for name, sound in (("a", 0), ("b", 1))}
    films |= {name: film(tmp_path / name / "a.mp4", 2, 8, 5, sound=sound) for name, sound in (("c", 0), ("d", None))}
    (tmp_path / "text.mp4").write_text("no film")
    found = signals_of({**films, "text": tmp_path / "text.mp4", "gone": tmp_path / "gone.mp4"})
    assert found.heard == {"a": 0, "b": 1, "c": 0}
    assert found.outlines == (outline(films["a"]), outline(films["b"]))
    assert (found.skeletons, found.posed) == ((), "")


def test_skeletons_are_those_from_the_middle_of_each_part(tmp_path: Path) -> None:
    """A film that grows brighter, kept where generation keeps it."""
    made = film(tmp_path / "videos" / "a.mp4", 2, 8, 0)
    pose = pose_beside(made)
    assert pose == tmp_path / "signals" / "a.pose.mp4"
    pose.parent.mkdir()
    write_mp4(pose, [np.full((90, 160, 3), 4 * i, np.uint8) for i in range(60)], 30, 90, 160)
    found = signals_of({"silent": film(tmp_path / "other" / "b.mp4", 2, 8, 0), "full": made})
    assert (found.posed, list(found.skeletons)) == ("full", skeletons(pose))
    assert len(found.skeletons) == PICTURES
    import matplotlib.image

    greys = []
    for i, uri in enumerate(found.skeletons):
        (tmp_path / f"{i}.jpg").write_bytes(base64.b64decode(uri.removeprefix("data:image/jpeg;base64,")))
        picture = matplotlib.image.imread(tmp_path / f"{i}.jpg")
        assert picture.shape[1] <= 96
        greys.append(picture.mean())
    assert greys == pytest.approx([4 * int((i + 0.5) * 60 / 12) for i in range(12)], abs=4)


def test_small_films_keep_their_sound_and_the_true_one_has_the_baselines(tmp_path: Path) -> None:
    """Encoded anew at their own size, packet by packet the sound of the mp4s."""
    videos = {name: [str(film(tmp_path / name / "a.mp4", 2, 8, 0, sound=SOUNDS.get(name)))] for name in NAMES}
    for name in ("frames", "truth"):
        np.save(tmp_path / f"{name}.npy", np.zeros((1, 16, 16, 16, 3), np.uint8))
    about = info(
        variants={name: {} for name in NAMES}, tracks=[TRACK], fps=8.0, videos={TRACK: videos}, compare_to=(),
        frames={TRACK: {name: str(tmp_path / "frames.npy") for name in NAMES}},
        truth={TRACK: str(tmp_path / "truth.npy")},
    )  # fmt: skip
    [row] = film_rows(about, relative_links(tmp_path))[TRACK]
    assert row.signals.heard == {"full": 0, TRUE: 0, "shuffled": 1}
    for name, [address] in row.films:
        embedded = tmp_path / "embedded.mp4"
        embedded.write_bytes(base64.b64decode(address.partition(",")[2]))
        if name == "base":
            with pytest.raises(IndexError):
                heard(embedded)
            continue
        found, rate = heard(embedded)
        expected, _ = heard(Path(videos["full" if name == TRUE else name][0]))
        assert (len(found), rate) == (2 * 16_000, 16_000)
        assert np.array_equal(found, expected)


def test_a_page_offers_the_sounds_that_there_are_and_no_other(tmp_path: Path) -> None:
    with undrawn():
        heard_of = write_page(tmp_path, 2, 8, names=NAMES, sounds=SOUNDS).read_text()
    figures = dict(re.findall(r'<figure data-variant="(\w+)"([^>]*)><noscript>', heard_of))
    assert figures == {"base": "", "full": ' data-sound="0"', "shuffled": ' data-sound="1"'}
    videos = re.findall(r"<video controls( muted)? playsinline", heard_of)
    assert videos == [" muted", "", ""]
    assert len(re.findall(r'<svg data-row="0" data-sound="\d"', heard_of)) == 2
    assert "<kbd>M</kbd> sound" in heard_of


def test_a_page_without_sound_has_nothing_of_it(tmp_path: Path) -> None:
    with undrawn():
        body = write_page(tmp_path, 2, 8, names=NAMES).read_text().partition("<body>")[2].partition("<script>")[0]
    assert "signals" not in body
    assert "data-sound" not in body
    assert "<kbd>M</kbd>" not in body
    assert Signals() == signals_of({})
