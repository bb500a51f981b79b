import subprocess
import sys
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
)

ROOT = Path(__file__).parents[2]
seconds_values = st.floats(0.2, 300, allow_nan=False)
rates = st.sampled_from([8, 15, 16, 23.976, 24, 25, 30])
clip_shapes = st.integers(1, 97).flatmap(lambda frames: st.tuples(st.just(frames), st.integers(0, frames - 1)))


@given(seconds_values, rates, clip_shapes)
def test_clips_cover_the_seconds_and_one_fewer_does_not(seconds, fps, shape):
    clip_frames, overlap = shape
    clips = n_clips(seconds, fps, clip_frames, overlap)
    step = clip_frames - overlap
    assert (clips * step + overlap) / fps >= seconds - 1e-6
    assert clips == 1 or ((clips - 1) * step + overlap) / fps < seconds


@given(seconds_values, rates)
def test_frames_cover_the_seconds_and_one_fewer_does_not(seconds, fps):
    frames = n_frames(seconds, fps)
    assert frames / fps >= seconds - 1e-6
    assert frames == 1 or (frames - 1) / fps < seconds


@given(seconds_values, rates, clip_shapes)
def test_clips_part_the_film_in_order(seconds, fps, shape):
    clip_frames, overlap = shape
    total, clips = n_frames(seconds, fps), n_clips(seconds, fps, clip_frames, overlap)
    slices = clip_slices(total, clips, clip_frames, overlap)
    assert len(slices) == clips
    assert [frame for clip in slices for frame in range(total)[clip]] == list(range(total))
    assert all(clip.stop - clip.start == clip_frames - overlap for clip in slices[:-1])


def test_the_toy_film_of_50_seconds_has_100_clips():
    assert (n_frames(50, 8), n_clips(50, 8, 5, 1)) == (400, 100)
    assert clip_slices(400, 100, 5, 1)[-1] == slice(396, 400)


def test_a_product_that_rounds_up_in_floating_point_costs_no_frame():
    assert 0.28 * 25 > 7
    assert n_frames(0.28, 25) == 7


def test_paper_clips_replace_the_true_seconds():
    assert {name: track.paper_clips for name, track in TRACKS.items()} == {
        "consistent-50s": 10,
        "consistent-250s": 50,
        "creative-50s": 10,
        "creative-250s": 50,
    }
    assert film_length(get_track("consistent-50s"), 16, 81, 1, rule="paper_clips") == (10, 10 * 80 + 1)
    assert film_length(get_track("consistent-50s"), 16, 81, 1) == (10, 800)
    assert film_length(get_track("creative-250s"), 8, 5, 1) == (500, 2000)
    paper = film_length(get_track("creative-250s"), 8, 5, 1, rule="paper_clips")
    assert paper == (50, 201)
    assert len(clip_slices(paper.n_frames, paper.n_clips, 5, 1)) == 50


def test_prompts_of_a_consistent_track_are_all_the_first():
    assert prompts_for(get_track("consistent-50s"), ["a", "b"], 3) == ("a", "a", "a")


def test_prompts_of_a_creative_track_stream_and_the_last_repeats():
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
        (lambda: get_track("consistant-50s"), r"received 'consistant-50s'.*Did you mean 'consistent-50s'"),
        (lambda: prompts_for(get_track("creative-50s"), [], 3), r"received none, expected at least one"),
        (lambda: prompts_for(get_track("creative-50s"), "a cat", 3), r"received 'a cat', expected a sequence"),
        (lambda: prompts_for(get_track("creative-50s"), ["a"], 0), r"number of clips: received 0"),
        (lambda: Track("t", "wild", 5, 1, ""), r"kind: received 'wild'"),
        (lambda: Track("t", "creative", -5, 1, ""), r"seconds: received -5"),
        (lambda: Track("t", "creative", 5, 0, ""), r"version: received 0"),
        (lambda: Track("", "creative", 5, 1, ""), r"name: received ''"),
    ],
)
def test_misuse_names_what_was_received_and_what_was_expected(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_tracks_and_scorers_load_no_torch():
    code = (
        "import sys, benchmarks.track; assert not {'torch', 'numpy', 'PIL'} & set(sys.modules), 'track'\n"
        "import benchmarks.samples, benchmarks.scorer as s; s.native_scorers()\n"
        "assert 'torch' not in sys.modules, 'scorers'"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
