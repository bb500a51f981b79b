"""The same command on real videos, in the authors' layout."""

from pathlib import Path

import av
import pytest

from tests.harness.small import SMALL, harness

SHARED = Path(__file__).parents[4] / "shared" / "data" / "svi-toy"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not SHARED.is_dir(), reason="no sample data beside the checkout"),
]


@pytest.mark.parametrize("start", ["samples", "held back"])
def test_films_start_from_the_given_images_or_from_held_back_clips(tmp_path: Path, start: str) -> None:
    words = [f"eval.path={SHARED / 'test'}"] if start == "samples" else []
    store = tmp_path / "runs"
    done = harness(
        "run", "ablation_eimg", "--only", "base,full", f"data.path={SHARED / 'train'}", *words, "tracks=consistent-50s",
        *(word for word in SMALL if not word.startswith("data.clips")), store=store,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert "background PSNR" in done.stdout  # named among what was not scored: these films have no known truth
    assert "Not scored" in done.stdout
    videos = list((store / "artifacts" / "generate").glob("*/videos/*.mp4"))
    assert len(videos) == 4
    for video in videos:
        with av.open(str(video)) as container:
            stream = container.streams.video[0]
            assert float(stream.duration * stream.time_base) == pytest.approx(50.0)
    if start == "samples":
        assert {v.stem for v in videos} == {"film", "shot"}
        assert "dance is left out: no prompt.txt" in done.stderr
    else:
        assert {v.stem for v in videos} == {"held-back-00", "held-back-01"}
