"""The stream: one chunk every s micro-steps, the diagonal at each, known data back, and films of real Wans."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from svi.axes import StreamSettings
from svi.backbones.wan import WanBackbone
from svi.generation.generator import Generator
from svi.generation.stream import StreamLoop
from svi.settings import BackboneSettings, ConditionSettings, DataSettings
from tests.svi import films
from tests.svi.conftest import CONDITION
from tests.svi.films import SETTINGS, quiet, scripts, sections, whole_and_stopped
from tests.svi.wan_folder import KINDS, Kind, WanFolder

STEPS = SETTINGS.model_copy(update={"steps": 4})


def maker(condition: ConditionSettings = CONDITION, **stream: Any) -> Generator:
    return films.maker(STEPS, condition, loop=StreamLoop, stream=StreamSettings(**stream))


def clips(generator: Generator, n: int) -> list[tuple[np.ndarray, dict[str, Tensor]]]:
    """Frames and state of the first clips of two films."""
    story, found, past = scripts(6), [], None
    generator.encode([prompt for script in story for prompt in script.prompts])
    made = generator.films_of(story)
    for clip in range(n):
        frames, past = generator.loop.next(made, clip, past)
        found.append((frames, past))
    return found


def told(generator: Generator, monkeypatch: pytest.MonkeyPatch) -> list[Tensor]:
    """The noise levels of every forward from now on, [T] each."""
    levels, plain = [], generator.backbone.velocity

    def spy(model: Any, x: Tensor, t: Tensor, *rest: Any) -> Tensor:
        assert (t == t[0]).all()
        levels.append(1 - t[0])
        return plain(model, x, t, *rest)

    monkeypatch.setattr(generator.backbone, "velocity", spy)
    return levels


@pytest.mark.parametrize(("chunk", "micro_steps", "chunks"), [(1, 3, 5), (2, 3, 2), (2, None, 2)])
def test_a_chunk_is_emitted_every_s_micro_steps(
    chunk: int, micro_steps: int | None, chunks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By forwards: a film's first clip also takes an ordinary clip's; every forward raises each t by 1 / (s N)."""
    generator = maker(chunk=chunk, micro_steps=micro_steps)
    levels, s = told(generator, monkeypatch), micro_steps or 2  # 4 steps a clip of 4 new frames, 2 of them in a chunk
    at_first: list[int] = []
    generator.denoiser.known = lambda: at_first.append(len(levels))
    (_, first), *_, (_, last) = clips(generator, 4)
    reference = 5 - chunks * chunk
    emitted = 4 * 4 + last["ready"].shape[2] - reference
    assert emitted % chunk == 0
    assert len(levels) == STEPS.steps + s * emitted // chunk
    assert at_first[0] == STEPS.steps + s * (1 if reference else 2)  # the first frame behind the image's is there
    for step, level in enumerate(levels[STEPS.steps :]):
        u = 1 - (step % s) / s
        expected = [0.0] * reference + [(i + u) / chunks for i in range(chunks) for _ in range(chunk)]
        torch.testing.assert_close(level, torch.tensor(expected, dtype=torch.float64))
    assert first["buffer"].shape == last["buffer"].shape == (2, 8, chunks * chunk, 4, 4)


@pytest.mark.parametrize("chunk", [1, 2])
def test_at_each_emission_the_buffer_is_on_the_diagonal(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """With known data and an exact velocity what is emitted is the data, and what is left is the data at its level of noise."""
    generator = maker(chunk=chunk)
    backbone, loop = generator.backbone, generator.loop
    assert isinstance(loop, StreamLoop)
    draw = torch.Generator().manual_seed(3)
    film = torch.randn(2, backbone.latent_shape[0], 40, 4, 4, generator=draw) / 2
    begin = [0]  # of the window, in the film

    def exact(model: object, x: Tensor, t: Tensor, *rest: object) -> Tensor:
        data = film[:, :, begin[0] : begin[0] + 5]
        return ((data - x) / (1 - t).clamp_min(1e-9)[:, None, :, None, None]).float()

    advanced = loop._advanced

    def counted(made: Any, first: int, reference: Tensor, buffer: Tensor) -> tuple[Tensor, Tensor]:
        begin[0] = first - reference.shape[2]
        return advanced(made, first, reference, buffer)

    monkeypatch.setattr(backbone, "velocity", exact)
    monkeypatch.setattr(backbone, "encode", lambda frames: film[:, :, :1])
    monkeypatch.setattr(loop, "_advanced", counted)
    part = loop.partition
    for clip, (frames, state) in enumerate(clips(generator, 4)):
        expected = backbone.decode(film[:, :, 4 * clip : 4 * clip + 5]).numpy()
        assert np.abs(frames.astype(int) - expected).max() <= 1  # last digits, rounded
        oldest = 4 * (clip + 1) + state["ready"].shape[2]
        data, t = film[:, :, oldest : oldest + part.buffer], part.times(1.0)[-part.buffer :].float()
        noise = state["buffer"] - t[:, None, None] * data
        spread = noise.std(dim=(0, 1, 3, 4)) / (1 - t)
        assert ((spread > 0.8) & (spread < 1.2)).all()


@pytest.mark.parametrize(("chunk", "motion"), [(1, 1), (2, 1), (2, 3)])
def test_clips_share_their_overlap_and_a_film_is_one_stream(chunk: int, motion: int) -> None:
    """However the film is cut into clips: the same chunks come out of the same buffer."""
    condition = ConditionSettings(motion_frames=motion)
    found = [frames for frames, _ in clips(maker(condition, chunk=chunk, micro_steps=2), 3)]
    for before, after in pairwise(found):
        assert np.array_equal(before[:, -motion:], after[:, :motion])
        assert not np.array_equal(before[:, -motion - 1 : -1], before[:, -motion:])


@pytest.mark.parametrize("chunk", [1, 2])
def test_stopped_after_every_clip_and_resumed_is_identical(tmp_path: Path, chunk: int) -> None:
    whole, cut = whole_and_stopped(lambda: maker(chunk=chunk), scripts(4), 17, tmp_path)
    assert np.array_equal(whole, cut)


def test_the_image_and_the_prompts_reach_the_film() -> None:
    generator = maker(chunk=1)
    story = scripts(3)
    generator.encode([prompt for script in story for prompt in script.prompts])
    made = generator.films_of(story)
    frames, past = generator.loop.next(made, 0, None)
    later, _ = generator.loop.next(made, 1, past)
    told_otherwise = generator.films_of([*reversed(story)])
    assert not np.array_equal(later, generator.loop.next(told_otherwise, 1, past)[0])
    made.images = 255 - made.images
    assert not np.array_equal(frames, generator.loop.next(made, 0, None)[0])


def test_the_gain_is_followed_into_the_first_new_frame() -> None:
    """The frame that the probe measures is the film's own, and an error of the image reaches it."""
    for chunk in (1, 2):
        generator = maker(chunk=chunk)
        clips(generator, 1)
        made, loop = generator.films_of(scripts(6)), generator.loop
        assert isinstance(loop, StreamLoop)
        clean = loop.first(made, torch.zeros(2, 8, 4, 4))
        shown = generator.denoiser.decode(clean.made[:, :, None])
        assert np.array_equal(shown[:, 0], loop.next(made, 0, None)[0][:, 1])
        assert clean.given is None
        assert not torch.equal(clean.made, loop.first(made, torch.full((2, 8, 4, 4), 0.3)).made)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("chunk", [1, 2])
def test_films_of_wan(tmp_path: Path, wan_folder: WanFolder, kind: Kind, chunk: int) -> None:
    """Two clips of six latents that share two, of each kind of Wan; no chunk ever has the place of a clip's first latent."""
    data = DataSettings(height=32, width=32, clip_frames=21)
    backbone = WanBackbone.load(wan_folder(kind), BackboneSettings(name="folder", text_tokens=16), data)
    settings = STEPS.model_copy(update={"guidance": 3.0})
    read = sections(settings, ConditionSettings(motion_frames=5), stream=StreamSettings(chunk=chunk))
    generator = Generator(backbone, backbone.transformers, read, StreamLoop)
    loop = generator.loop
    assert isinstance(loop, StreamLoop)
    assert (loop.partition.lead, loop.partition.buffer) == (1, 5 - loop.partition.reference)
    generator.films(scripts(2, 1, data), 37, 8, tmp_path, quiet)
    film = np.load(tmp_path / "frames.npy")[0]
    assert film.shape == (37, 32, 32, 3)
    assert (np.abs(np.diff(film.astype(int), axis=0)).max(axis=(1, 2, 3)) > 0).all()
