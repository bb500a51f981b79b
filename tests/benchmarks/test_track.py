import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.track import (
    TRACKS,
    Track,
    clip_slices,
    film_length,
    get_track,
    n_clips,
    n_frames,
    prompts_for,
    track_of_length,
    windows,
)

ROOT = Path(__file__).parents[2]
seconds_values = st.floats(0.2, 300, allow_nan=False)
rates = st.sampled_from([8, 15, 16, 23.976, 24, 25, 30])
clip_shapes = st.integers(1, 97).flatmap(lambda frames: st.tuples(st.just(frames), st.integers(0, frames - 1)))


@given(seconds_values, rates, clip_shapes)
def test_clips_cover_the_seconds_and_one_fewer_does_not(seconds: float, fps: float, shape: tuple[int, int]) -> None:
    clip_frames, overlap = shape
    clips = n_clips(seconds, fps, clip_frames, overlap)
    step = clip_frames - overlap
    assert (clips * step + overlap) / fps >= seconds - 1e-6
    assert clips == 1 or ((clips - 1) * step + overlap) / fps < seconds


@given(seconds_values, rates)
def test_frames_cover_the_seconds_and_one_fewer_does_not(seconds: float, fps: float) -> None:
    frames = n_frames(seconds, fps)
    assert frames / fps >= seconds - 1e-6
    assert frames == 1 or (frames - 1) / fps < seconds


@given(seconds_values, rates, clip_shapes)
def test_clips_part_the_film_in_order(seconds: float, fps: float, shape: tuple[int, int]) -> None:
    clip_frames, overlap = shape
    total, clips = n_frames(seconds, fps), n_clips(seconds, fps, clip_frames, overlap)
    slices = clip_slices(total, clips, clip_frames, overlap)
    assert len(slices) == clips
    assert [frame for clip in slices for frame in range(total)[clip]] == list(range(total))
    assert all(clip.stop - clip.start == clip_frames - overlap for clip in slices[:-1])


def test_the_toy_film_of_50_seconds_has_100_clips() -> None:
    assert (n_frames(50, 8), n_clips(50, 8, 5, 1)) == (400, 100)
    assert clip_slices(400, 100, 5, 1)[-1] == slice(396, 400)


def test_where_shared_frames_are_the_previous_clips_each_clip_begins_behind_them() -> None:
    assert clip_slices(13, 3, 5, 1, "previous") == (slice(0, 5), slice(5, 9), slice(9, 13))
    pro = film_length(get_track("consistent-50s"), 15, 81, 5, rule="paper_clips")
    clips = clip_slices(pro.n_frames, pro.n_clips, 81, 5, "previous")
    assert (pro.n_frames, {c.stop - c.start for c in clips}, clips[0]) == (765, {81, 76}, slice(0, 81))


def test_a_product_that_rounds_up_in_floating_point_costs_no_frame() -> None:
    assert 0.28 * 25 > 7
    assert n_frames(0.28, 25) == 7


def test_paper_clips_replace_the_true_seconds() -> None:
    assert {name: track.paper_clips for name, track in TRACKS.items()} == {
        "consistent-50s": 10,
        "consistent-250s": 50,
        "consistent-300s": 60,
        "creative-50s": 10,
        "creative-250s": 50,
        "talk-300s": 60,
        "dance-50s": 10,
    }
    assert film_length(get_track("consistent-50s"), 16, 81, 1, rule="paper_clips") == (10, 10 * 80 + 1)
    assert film_length(get_track("consistent-50s"), 16, 81, 1) == (10, 800)
    assert film_length(get_track("creative-250s"), 8, 5, 1) == (500, 2000)
    paper = film_length(get_track("creative-250s"), 8, 5, 1, rule="paper_clips")
    assert paper == (50, 201)
    assert len(clip_slices(paper.n_frames, paper.n_clips, 5, 1)) == 50


@pytest.mark.parametrize("name", ["consistent-50s", "talk-300s", "dance-50s"])
def test_prompts_of_other_tracks_are_all_the_first(name: str) -> None:
    assert prompts_for(get_track(name), ["a", "b"], 3) == ("a", "a", "a")


def test_conditional_tracks_say_what_moves_them() -> None:
    talk, dance = get_track("talk-300s"), get_track("dance-50s")
    assert (talk.condition, talk.fps, talk.seconds) == ("audio", 25.0, 300.0)
    assert (dance.condition, dance.fps, dance.seconds) == ("pose", None, 50.0)
    assert [name for name, track in TRACKS.items() if track.condition] == ["talk-300s", "dance-50s"]


@pytest.mark.parametrize("fps", [8, 12.5, 15, 16, 23.976, 25, 30000 / 1001])
@pytest.mark.parametrize(("name", "count"), [("consistent-50s", 10), ("creative-250s", 50), ("talk-300s", 60)])
def test_windows_of_5_s_part_a_film(name: str, count: int, fps: float) -> None:
    track = get_track(name)
    if track.fps is not None:
        fps = track.fps
    frames = n_frames(track.seconds, fps)
    for total in (frames, frames - 1, frames + 40):
        parts = windows(track, total, fps)
        assert len(parts) == count
        assert [frame for part in parts for frame in range(total)[part]] == list(range(total))
        assert all(abs((part.stop - part.start) - 5 * fps) <= 1 for part in parts[:-1])
        assert parts[1].start == round(5 * fps)


def test_the_last_window_takes_what_is_left() -> None:
    assert windows(get_track("consistent-50s"), 801, 16)[-1] == slice(720, 801)
    assert windows(get_track("consistent-50s"), 784, 16)[-1] == slice(720, 784)


@pytest.mark.parametrize(
    ("name", "frames", "fps", "message"),
    [
        (
            "consistent-50s",
            783,
            16,
            r"received 783 frames, 48.94 s at 16 fps, expected at least 784 frames of its 50 s",
        ),
        ("creative-250s", 3920, 16, r"at least 3921 frames"),  # 98 %, but nothing of the last 5 s
        ("talk-300s", 7375, 25, r"at least 7376 frames of its 300 s"),
        ("talk-300s", 9000, 30, r"fps of a film on track 'talk-300s': received 30, expected 25"),
        ("dance-50s", 0, 16, r"received 0 frames"),
        ("dance-50s", 800, 0.1, r"fps: received 0.1, expected a frame in every 5 s"),
        ("dance-50s", 800, float("nan"), r"fps: received nan"),
    ],
)
def test_a_film_that_is_too_short_for_its_track_is_refused(name: str, frames: int, fps: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        windows(get_track(name), frames, fps)


def test_prompts_of_a_creative_track_stream_and_the_last_repeats() -> None:
    track = get_track("creative-50s")
    assert prompts_for(track, ["a", "b"], 4) == ("a", "b", "b", "b")
    assert prompts_for(track, ["a", "b", "c"], 2) == ("a", "b")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: n_frames(0, 8), r"seconds: received 0, expected"),
        (lambda: n_frames(float("nan"), 8), r"seconds: received nan"),
        (lambda: n_frames(5, float("inf")), r"fps: received inf"),
        (lambda: n_clips(5, 8, 0, 0), r"clip frames: received 0"),
        (lambda: n_clips(5, 8, 5, 5), r"overlap: received 5, expected 0 to 4"),
        (lambda: n_clips(5, 8, 5, -1), r"overlap: received -1"),
        (lambda: clip_slices(4, 3, 5, 1), r"received 4, expected 9 to 13"),
        (lambda: clip_slices(14, 3, 5, 1), r"received 14, expected 9 to 13"),
        (lambda: clip_slices(4, 0, 5, 1), r"number of clips: received 0"),
        (lambda: film_length(get_track("creative-50s"), 8, 5, 1, rule="clips"), r"rule: received 'clips'"),
        (
            lambda: get_track("consistant-50s"),
            r"received 'consistant-50s'; did you mean 'consistent-50s'\? expected one of",
        ),
        (lambda: prompts_for(get_track("creative-50s"), [], 3), r"received none, expected at least one"),
        (lambda: prompts_for(get_track("creative-50s"), "a cat", 3), r"received 'a cat', expected a sequence"),
        (lambda: prompts_for(get_track("creative-50s"), ["a"], 0), r"number of clips: received 0"),
        (lambda: Track("t", "wild", 5, 1, ""), r"kind: received 'wild'"),
        (lambda: Track("t", "creative", -5, 1, ""), r"seconds: received -5"),
        (lambda: Track("t", "creative", 5, 0, ""), r"version: received 0"),
        (lambda: Track("", "creative", 5, 1, ""), r"name: received ''"),
        (lambda: Track("t", "creative", 5, 1, "", "audio"), r"condition of a creative track: received 'audio'.*None"),
        (lambda: Track("t", "conditional", 5, 1, ""), r"received None, expected 'audio' or 'pose'"),
        (lambda: Track("t", "conditional", 5, 1, "", "pose", 0), r"track fps: received 0"),
    ],
)
def test_misuse_names_what_was_received_and_what_was_expected(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_tracks_and_scorers_load_no_torch() -> None:
    code = (
        "import sys, benchmarks.track; assert not {'torch', 'numpy', 'PIL'} & set(sys.modules), 'track'\n"
        "import benchmarks.samples, benchmarks.suites.embedded\n"
        "assert 'torch' not in sys.modules, 'scorers'"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


@pytest.mark.parametrize(
    ("seconds", "name", "number"),
    [
        (49.06, "consistent-50s", 10),
        (50.9, "consistent-50s", 10),
        (248.0, "consistent-250s", 50),
        (300.0, "consistent-300s", 60),
        (81 / 16, "videos-5s", 1),
        (501 / 16, "videos-30s", 6),
        (60.5, "videos-60s", 12),
        (121.0, "videos-120s", 24),
        (2.062, "videos-2.06s", 1),
    ],
)
def test_videos_of_any_length_have_a_track_whose_windows_they_fill(seconds: float, name: str, number: int) -> None:
    track = track_of_length(seconds)
    assert (track.name, track.kind) == (name, "consistent")
    assert len(windows(track, round(seconds * 16), 16.0)) == number
