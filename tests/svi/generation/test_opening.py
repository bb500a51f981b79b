"""A video that a film goes on from: its packets stand before those of clips, and its last frames are a past."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from svi.generation.free_noise import FreeNoise
from svi.generation.opening import Opening
from svi.generation.packed_history import PackedHistory
from svi.generation.reel import Script
from svi.generation.takes import Takes, links_of
from svi.generation.video import join_mp4, stream_mp4, write_mp4
from svi.settings import ConditionSettings
from tests.svi.films import SETTINGS, decoded, maker, scripts

REAL = Path(__file__).parents[4] / "shared" / "data" / "svi-toy" / "train" / "Cats"


def write_bframes(
    file: Path, frames: np.ndarray, fps: int, codec: str = "libx264", pixels: str = "yuv420p", **options: str
) -> None:
    """As cameras and editors write them: frames that are decoded in another order than they are shown."""
    with av.open(str(file), "w") as container:
        stream = container.add_stream(codec, rate=fps, options={"threads": "1", "bf": "3", **options})
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], pixels
        for image in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())


def packets(file: Path) -> list[bytes]:
    with av.open(str(file)) as container:
        return [bytes(packet) for packet in container.demux(video=0) if packet.dts is not None]


def times(file: Path) -> list[float]:
    with av.open(str(file)) as container:
        return [frame.time for frame in container.decode(video=0)]


def moving(count: int, height: int = 128, width: int = 192) -> np.ndarray:
    """A bright square on its way, over noise."""
    frames = np.random.default_rng(0).integers(90, 110, (count, height, width, 3)).astype(np.uint8)
    for i, frame in enumerate(frames):
        frame[20:60, 4 * i : 4 * i + 40] = (220, 60, 30)
    return frames


def joined(folder: Path, video: Path, added: np.ndarray, fps: int, join: Callable[..., None] = join_mp4) -> Path:
    """The film of the video and two segments."""
    opening = Opening.of(video)
    assert opening.unlike(*added.shape[1:3]) == ""
    segments = [folder / f"{i}.mp4" for i in range(2)]
    for segment, part in zip(segments, (added[:3], added[3:]), strict=True):
        write_mp4(segment, part, fps, *added.shape[1:3], behind=opening.colours)
    join(folder / "film.mp4", segments, opening=opening)
    return folder / "film.mp4"


@pytest.mark.parametrize("join", [join_mp4, stream_mp4])
def test_packets_and_frames_of_the_video_are_the_films_first(tmp_path: Path, join: Callable[..., None]) -> None:
    video, added = tmp_path / "video.mp4", moving(8)[::-1]
    write_bframes(video, moving(11), 16)
    film = joined(tmp_path, video, added, 16, join)
    own = [decoded(tmp_path / f"{i}.mp4") for i in range(2)]
    assert packets(film) == packets(video) + packets(tmp_path / "0.mp4") + packets(tmp_path / "1.mp4")
    assert np.array_equal(decoded(film), np.concatenate([decoded(video), *own]))
    found = times(film)
    assert np.allclose(np.array(found) - found[0], np.arange(19) / 16, atol=1e-3)


def test_decoded_from_anywhere_each_part_has_its_own_parameters(tmp_path: Path) -> None:
    """Also where a decoder goes back from what was added to the video."""
    video = tmp_path / "video.mp4"
    write_bframes(video, moving(11), 16, profile="main")
    film = joined(tmp_path, video, moving(8), 16)
    whole = decoded(film)
    with av.open(str(film)) as container:
        stream = container.streams.video[0]
        for wanted in (16, 2, 12, 0):
            container.seek(int(wanted / 16 / stream.time_base), stream=stream)
            for frame in container.decode(stream):
                if round(frame.time * 16) == wanted:
                    assert np.array_equal(frame.to_ndarray(format="rgb24"), whole[wanted])
                    break
            else:
                raise AssertionError(wanted)


def test_colours_go_on_as_the_video_has_them(tmp_path: Path) -> None:
    """Under HD's matrix too: a player knows one for both parts."""
    video, red = tmp_path / "video.mp4", np.full((4, 128, 128, 3), (200, 40, 90), np.uint8)
    tags = "colormatrix=bt709:colorprim=bt709:transfer=bt709"
    write_bframes(video, red, 8, **{"x264-params": tags})
    with av.open(str(video)) as container:
        assert container.streams.video[0].codec_context.colorspace == 1
    film = decoded(joined(tmp_path, video, decoded(video), 8))
    assert np.abs(film[4:].astype(int) - film[3]).max() <= 3


@pytest.mark.parametrize(
    ("name", "options", "why"),
    [
        ("a.mp4", {"codec": "mpeg4"}, "it is mpeg4, not H.264"),
        ("a.mp4", {"pixels": "yuv444p"}, "its colours are kept in another way (yuv444p)"),
        ("a.ts", {}, "its packets are laid out in another way than an mp4's"),
        ("a.mkv", {}, "it does not say when its packets are decoded"),
        ("a.mp4", {"x264-params": "sps-id=3"}, "it has several sets of H.264's parameters"),
    ],
)
def test_what_cannot_be_copied_says_why(tmp_path: Path, name: str, options: dict[str, str], why: str) -> None:
    write_bframes(tmp_path / name, moving(5), 8, **options)
    opening = Opening.of(tmp_path / name)
    assert opening.unlike(128, 192) == why
    assert opening.unlike(128, 128) == "its frames are 192 x 128, those of the mp4 128 x 128"
    assert (opening.frames, opening.fps) == (5, 8)


def test_a_portrait_that_lies_on_its_side_is_turned(tmp_path: Path) -> None:
    frames = moving(3)
    with av.open(str(tmp_path / "phone.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=8)
        stream.height, stream.width, stream.pix_fmt = 128, 192, "yuv420p"
        stream.set_display_rotation(-90)
        for image in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    opening = Opening.of(tmp_path / "phone.mp4")
    assert (opening.height, opening.width) == (192, 128)
    assert opening.unlike(192, 128) == "its pictures lie on their side"
    assert np.abs(np.rot90(frames[0], -1).astype(int) - next(opening.pictures())).mean() < 10


def test_what_is_no_video_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("not a video")
    write_bframes(tmp_path / "whole.mp4", moving(20), 8)
    (tmp_path / "cut.mp4").write_bytes((tmp_path / "whole.mp4").read_bytes()[:3000])
    for name in ("text.mp4", "cut.mp4"):
        with pytest.raises(ValueError, match=f"{name}: received no readable video"):
            Opening.of(tmp_path / name)


def test_the_last_frames_and_the_first_again_before_too_few(tmp_path: Path) -> None:
    write_bframes(tmp_path / "video.mp4", moving(6), 8)
    opening, frames = Opening.of(tmp_path / "video.mp4"), decoded(tmp_path / "video.mp4")
    assert np.array_equal(opening.last(4), frames[2:])
    assert np.array_equal(opening.last(8), frames[[0, 0, *range(6)]])


@pytest.mark.skipif(not REAL.is_dir(), reason="no sample data beside the checkout")
def test_a_real_mp4_is_kept_packet_by_packet(tmp_path: Path) -> None:
    """832 x 480, 16 frames a second, B-frames: what Wan makes films of."""
    video = min(REAL.glob("*.mp4"))
    real = decoded(video)
    film = joined(tmp_path, video, real[::-16], 16)
    assert packets(film)[:81] == packets(video)
    found = decoded(film)
    assert len(found) == 81 + 6
    assert np.array_equal(found[:81], real)


# What the first clip is made from


def links(story: Script) -> list:
    return links_of(story.prompts, SETTINGS, "root")


@pytest.mark.parametrize("handoff", ["pixel", "latent"])
@pytest.mark.parametrize(
    "condition", [ConditionSettings(motion_frames=1), ConditionSettings(motion_frames=2, anchor=True)]
)
def test_a_film_goes_on_from_frames_as_from_a_clip(tmp_path: Path, handoff: str, condition: ConditionSettings) -> None:
    """From a film's own clip the same clip follows: exactly, or as nearly as its frames give its latents back."""
    settings = SETTINGS.model_copy(update={"handoff": handoff, "seed_stride": 0})
    model, story = maker(settings, condition), scripts(2, films=1)[0]
    story = replace(story, prompts=(story.prompts[0],) * 2)
    takes = Takes(tmp_path / "takes")
    first, second = model.takes(story, links_of(story.prompts, settings, "root"), takes)
    behind = replace(story, before=takes.frames(first), prompts=story.prompts[:1])
    (found,) = maker(settings, condition).takes(behind, links_of(behind.prompts, settings, "behind"), takes)
    alone, followed = takes.frames(found).astype(int), takes.frames(second).astype(int)
    apart, moved = np.abs(alone - followed).mean(), np.abs(alone - takes.frames(first)).mean()
    assert apart <= (0 if handoff == "pixel" else moved / 4)
    assert moved > 1


def test_a_loop_that_hands_on_no_frames_refuses_them(tmp_path: Path) -> None:
    story = replace(scripts(1, films=1)[0], before=np.zeros((5, 16, 16, 3), np.uint8))
    assert len(list(maker(loop=FreeNoise).takes(story, links(story), Takes(tmp_path / "a")))) == 1
    with pytest.raises(ValueError, match="received some for PackedHistory"):
        list(maker(loop=PackedHistory).takes(story, links(story), Takes(tmp_path / "b")))
