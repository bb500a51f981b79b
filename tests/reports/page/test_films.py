"""The films of a page: which are embedded, and how."""

import base64
import io
from pathlib import Path

import av
import numpy as np
import pytest

from reports.page.films import film_rows, small_mp4
from tests.reports.page.films import LINK, TRACK, Films
from tests.reports.report_frames import TRACKS, info


def test_the_first_sample_of_every_track_comes_before_the_second_of_any(tmp_path: Path) -> None:
    def film(track: str, sample: str) -> str:
        path = tmp_path / track / f"{sample}.mp4"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x" * 300)
        return str(path)

    videos = {track: {"full": [film(track, sample) for sample in "ab"]} for track in TRACKS}
    rows = film_rows(info(videos=videos), LINK, 3 * 400)
    assert [[(row.sample, row.embedded) for row in rows[track]] for track in TRACKS] == [
        [("a", True), ("b", True)],
        [("a", True), ("b", False)],
    ]


def test_small_films_are_embedded_at_their_own_size_behind_the_true_one(known: Films) -> None:
    rows = film_rows(info(**known), LINK)[TRACK]
    assert [name for name, _ in rows[0].films] == ["true film", "full", "base"]
    content = [base64.b64decode(urls[0].partition(",")[2]) for _, urls in rows[0].films]
    with av.open(io.BytesIO(content[0])) as container:
        shown = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(shown) == 16
    assert shown[0].shape == (32, 32, 3)  # each pixel as four
    true = np.load(str(known["truth"][TRACK]))[0]  # type: ignore[index]
    apart = np.abs(np.stack(shown)[:, ::2, ::2].astype(int) - true).mean()
    assert apart < 25  # of 255, of noise; any other film is 85 apart
    mp4 = Path(known["videos"][TRACK]["full"][0])  # type: ignore[index]
    assert len(content[1]) < mp4.stat().st_size / 2


def test_a_sample_whose_films_are_linked_has_its_start_image(known: Films) -> None:
    (row, _) = film_rows(info(**known), LINK, budget=0)[TRACK]
    assert [name for name, _ in row.films] == ["full", "base"]  # the true film is no video anywhere
    assert row.start.startswith("data:image/png;base64,")
    copies = {**known, "truth": {}, "still": "full"}
    both = [one.start for one in film_rows(info(**copies), LINK)[TRACK]]
    assert all(start.startswith("data:image/png;base64,") for start in both)
    (mp4, other) = known["videos"][TRACK]["full"]  # type: ignore[index]
    less = {"videos": {TRACK: {"base": [mp4, other], "full": [other]}}, "variants": {"base": {}, "full": {}}}
    rows = film_rows(info(**copies | less | {"baseline": "base", "frames": {}}), LINK)[TRACK]
    assert [(one.sample, bool(one.start)) for one in rows] == [("scene-00", False), ("scene-01", True)]


def test_a_film_too_large_for_the_page_is_not_read(known: Films, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "read_bytes", lambda self: pytest.fail(f"{self.name} is read"))
    (row, _) = film_rows(info(**known | {"frames": {}, "truth": {}}), LINK, budget=100)[TRACK]
    assert not row.embedded


def test_of_many_variants_those_seen_first_are_embedded(known: Films) -> None:
    (row, _) = film_rows(info(**known), LINK, seen_first=["full"])[TRACK]
    addresses = {name: urls[0][:5] for name, urls in row.films}
    assert addresses == {"true film": "data:", "full": "data:", "base": addresses["base"]}
    assert not addresses["base"].startswith("data:")


@pytest.mark.slow
def test_small_frames_are_the_same_bytes_every_time() -> None:
    """Whatever was in memory before: of 40 encodings, 8 differed once."""
    draw = np.random.default_rng(0)
    frames = (draw.normal(0, 4, (100, 16, 16, 3)).cumsum(axis=0) + 128).clip(0, 255).astype(np.uint8)
    littered, found = [], set()
    for _ in range(60):
        littered.append(draw.bytes(int(draw.integers(1, 200_000))))
        found.add(small_mp4(frames, 2.0))
    assert len(found) == 1
