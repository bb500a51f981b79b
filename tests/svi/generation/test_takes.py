"""Takes: a film made of them is the film that is made at once, and no clip is made twice."""

import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from svi.generation import takes as takes_module
from svi.generation.generator import Generator, parts_shown
from svi.generation.loop import Films, State
from svi.generation.reel import Script
from svi.generation.takes import Link, Takes, links_of, names
from svi.generation.video import join_mp4
from tests.svi.films import SETTINGS, maker, quiet, scripts

ROOT, CLIPS, LENGTH = "model, settings, image", 4, 17


@pytest.fixture(scope="module")
def story() -> Script:
    return scripts(CLIPS, films=1)[0]


def usual(story: Script) -> list[Link]:
    return links_of(story.prompts, SETTINGS, ROOT)


def counted(made: list[int]) -> Generator:
    """Writes down the clips that it makes."""
    model = maker()
    make = model.loop.next

    def counting(films: Films, clip: int, past: State | None) -> object:
        made.append(clip)
        return make(films, clip, past)

    model.loop.next = counting  # type: ignore[method-assign, assignment]
    return model


def whole(model: Generator, found: list[str], takes: Takes) -> np.ndarray:
    """The frames that the film shows."""
    parts = parts_shown(len(found), LENGTH, model.backbone.clip_frames, model.condition, model.settings)
    return np.concatenate([takes.frames(name)[part] for name, part in zip(found, parts, strict=True)])


def test_a_film_of_takes_is_the_film_that_is_made_at_once(tmp_path: Path, story: Script) -> None:
    model, takes = maker(), Takes(tmp_path / "takes")
    model.films([story], LENGTH, 8, tmp_path, quiet)
    by_clip = tmp_path / "by clip"
    by_clip.mkdir()
    maker(SETTINGS.model_copy(update={"lossless": False})).films([story], LENGTH, 8, by_clip, quiet)
    found = list(model.takes(story, usual(story), takes))
    assert np.array_equal(whole(model, found, takes), np.load(tmp_path / "frames.npy")[0])
    parts = parts_shown(CLIPS, LENGTH, model.backbone.clip_frames, model.condition, model.settings)
    segments = [takes.segment(name, part, 8) for name, part in zip(found, parts, strict=True)]
    join_mp4(tmp_path / "joined.mp4", segments)
    assert (tmp_path / "joined.mp4").read_bytes() == (by_clip / "videos" / f"{story.name}.mp4").read_bytes()


def test_only_what_is_new_is_made(tmp_path: Path, story: Script) -> None:
    takes, made = Takes(tmp_path / "takes"), list[int]()
    first = list(counted(made).takes(story, usual(story), takes))
    assert made == [0, 1, 2, 3]
    turned = [
        *usual(story)[:2],
        replace(usual(story)[2], prompt="blue square slowly north sea stripes"),
        usual(story)[3],
    ]
    again = [*turned[:3], replace(turned[3], seed=77)]
    for links, new in ((turned, [2, 3]), (usual(story), []), (again, [3]), (usual(story)[:2], [])):
        made.clear()
        found = list(counted(made).takes(story, links, takes))
        assert (found[:2], made) == (first[:2], new)
    alone = Takes(tmp_path / "elsewhere")
    for name in maker().takes(story, again, alone):
        assert np.array_equal(alone.frames(name), takes.frames(name))


def test_stopped_anywhere_it_goes_on(tmp_path: Path, story: Script) -> None:
    alone, cut, made = Takes(tmp_path / "alone"), Takes(tmp_path / "cut"), list[int]()
    wanted = list(maker().takes(story, usual(story), alone))
    for clip in range(CLIPS):
        run = counted(made).takes(story, usual(story), cut)
        assert [next(run) for _ in range(clip + 1)] == wanted[: clip + 1]
        run.close()
        (cut.folder / ".1234.part").mkdir(exist_ok=True)  # as a killed process leaves it
    assert made == [0, 1, 2, 3]
    for name in wanted:
        assert np.array_equal(cut.frames(name), alone.frames(name))
        past, other = cut.past(name), alone.past(name)
        assert past.keys() == other.keys()
        assert all(np.array_equal(past[key], other[key]) for key in past)


def test_a_name_says_what_a_take_was_made_from() -> None:
    links = [Link(ROOT, prompt, 42 * clip) for clip, prompt in enumerate("abc")]
    usual = names(links)
    assert len(set(usual)) == 3
    assert names(links[:2]) == usual[:2]
    for changed in (Link(ROOT, "d", 84), Link(ROOT, "c", 85), Link("another model", "c", 84)):
        found = names([*links[:2], changed])
        assert found[:2] == usual[:2]
        assert found[2] != usual[2]
    assert not set(names([Link(ROOT, "a", 1), *links[1:]])) & set(usual)


def test_a_take_never_changes(tmp_path: Path) -> None:
    takes, frames = Takes(tmp_path), np.arange(2 * 6 * 10 * 3, dtype=np.uint8).reshape(2, 6, 10, 3)
    for content in (frames, 255 - frames):
        takes.keep("ab" * 32, Link(ROOT, "a", 0), content, {"x": np.ones(3, np.float32)})
    assert np.array_equal(takes.frames("ab" * 32), frames)
    assert sorted(path.name for path in tmp_path.iterdir()) == [("ab" * 32)[:32]]


def test_a_clip_that_was_just_kept_is_not_decoded_to_be_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its mp4 is, byte by byte, that of the frames on disk."""
    draw = np.random.default_rng(0)
    first, second = (draw.integers(0, 255, (4, 16, 24, 3)).astype(np.uint8) for _ in range(2))
    takes, shown = Takes(tmp_path), list[bytes]()
    with monkeypatch.context() as closed:
        closed.delattr(takes_module, "read_lossless")
        for name, frames in (("a" * 64, first), ("b" * 64, second)):
            takes.keep(name, Link(ROOT, "a", 0), frames, {})
            segment = takes.segment(name, slice(1, 4), 8)
            shown.append(segment.read_bytes())
            segment.unlink()
        with pytest.raises(NameError):
            takes.segment("a" * 64, slice(1, 4), 8)
    found = [Takes(tmp_path).segment(letter * 64, slice(1, 4), 8).read_bytes() for letter in "ab"]
    assert found == shown


def test_two_films_may_make_the_same_take_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    takes, frames = Takes(tmp_path), np.zeros((2, 6, 10, 3), np.uint8)
    write = takes_module.write_lossless

    def slow(file: Path, content: np.ndarray) -> None:
        write(file, content)
        monkeypatch.setattr(takes_module, "write_lossless", write)
        takes.keep("ab" * 32, Link(ROOT, "a", 0), frames, {})  # the other one is done first

    monkeypatch.setattr(takes_module, "write_lossless", slow)
    takes.keep("ab" * 32, Link(ROOT, "a", 0), frames, {})
    assert [path.name for path in tmp_path.iterdir()] == [("ab" * 32)[:32]]


def test_what_killed_writers_left_goes_after_a_day(tmp_path: Path) -> None:
    for name, age in ((".old.part", 25 * 3600), (".new.part", 3600)):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (0, time.time() - age))
    Takes(tmp_path).tidy()
    assert [path.name for path in tmp_path.iterdir()] == [".new.part"]
