"""The samples that come with the harness: their files and their stories."""

import pytest
from PIL import Image

from benchmarks.samples import BUNDLED, content_hash, load_samples
from benchmarks.track import TRACKS, prompts_for

NAMES = ["hot_air_balloon", "lighthouse", "red_fox", "sailing_boat"]
SUBJECTS = {"hot_air_balloon": "balloon", "lighthouse": "lighthouse", "red_fox": "fox", "sailing_boat": "boat"}


def test_all_of_them_are_usable_on_every_track() -> None:
    for track in TRACKS.values():
        samples, skipped = load_samples(BUNDLED, track)
        assert ([sample.name for sample in samples], skipped) == (NAMES, [])
    for sample in samples:
        assert sample.image.stat().st_size < 80_000
        assert Image.open(sample.image).size == (832, 480)


@pytest.mark.parametrize("name", NAMES)
def test_a_story_has_50_prompts_that_each_name_its_subject(name: str) -> None:
    sample = next(sample for sample in load_samples(BUNDLED)[0] if sample.name == name)
    assert len(set(sample.prompts)) == len(sample.prompts) == 50
    for prompt in sample.prompts:
        assert SUBJECTS[name] in prompt.lower(), prompt
        assert prompt.endswith(".")
        assert prompt.count(". ") <= 1, prompt
        assert prompt.isascii()
    assert prompts_for(TRACKS["creative-250s"], sample.prompts, 50) == sample.prompts


def test_they_stay_what_films_were_made_from() -> None:
    """Other pictures or prompts would be other films, under every experiment that takes these."""
    expected = "bacab99a928b1807f5bdfca9f20f6a86134557d04cc25dba5d6f5962ebc43ad8"
    assert content_hash(load_samples(BUNDLED)[0]) == expected
