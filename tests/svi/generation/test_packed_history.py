"""FramePack-style films: the sequence does not grow, an old frame still reaches a clip, known data back, and real Wans."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from svi.backbones.wan import WanBackbone
from svi.generation.generator import Generator
from svi.generation.packed_history import PackedHistory
from svi.method.packing import PAST, packed
from svi.settings import BackboneSettings, ConditionSettings, DataSettings
from tests.svi import films
from tests.svi.films import SETTINGS, quiet, scripts, sections, whole_and_stopped
from tests.svi.wan_folder import ONE_QUICK, Kind, WanFolder


def maker(condition: ConditionSettings = films.CONDITION) -> Generator:
    return films.maker(condition=condition, loop=PackedHistory)


def clips(generator: Generator, n: int) -> list[tuple[np.ndarray, dict[str, Tensor]]]:
    """Frames and state of the first clips of two films."""
    story, found, past = scripts(n), [], None
    generator.encode([prompt for script in story for prompt in script.prompts])
    for clip in range(n):
        frames, past = generator.loop.next(generator.films_of(story), clip, past)
        found.append((frames, past))
    return found


def test_the_sequence_does_not_grow_with_the_past(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two packed frames, the handed-on one and four new ones in every clip; what lies on disk ends growing too."""
    generator, seen = maker(), []
    plain = generator.backbone.velocity

    def spy(model: Any, x: Tensor, t: Tensor, *rest: Any) -> Tensor:
        seen.append((x, t))
        return plain(model, x, t, *rest)

    monkeypatch.setattr(generator.backbone, "velocity", spy)
    found = clips(generator, 8)
    assert {x.shape[2] for x, _ in seen} == {7}
    assert all((t[:, :3] == 1).all() and (t[:, 3:] < 1).all() for _, t in seen)
    assert [state["older"].shape[2] for _, state in found] == [4, 8, 12, 16, 20, 20, 20, 20]
    for clip, (_, state) in enumerate(found[:-1]):
        for x, _ in seen[2 * (clip + 1) : 2 * (clip + 2)]:
            torch.testing.assert_close(x[:, :, :2], packed(state["older"]))


def test_a_film_is_its_own_past(monkeypatch: pytest.MonkeyPatch) -> None:
    """With known data and an exact velocity every clip is the data, and what is packed is all of it that came before."""
    generator = maker()
    backbone, draw = generator.backbone, torch.Generator().manual_seed(3)
    film = torch.randn(2, backbone.latent_shape[0], 40, 4, 4, generator=draw) / 2
    clip = [0]

    def exact(model: object, x: Tensor, t: Tensor, *rest: object) -> Tensor:
        begin = 4 * clip[0]
        data = torch.cat([packed(film[:, :, :begin]), film[:, :, begin : begin + 5]], dim=2)
        torch.testing.assert_close(x[:, :, :3], data[:, :, :3])
        return ((data - x) / (1 - t).clamp_min(1e-9)[:, None, :, None, None]).float()

    monkeypatch.setattr(backbone, "velocity", exact)
    monkeypatch.setattr(backbone, "encode", lambda frames: film[:, :, 4 * clip[0] : 4 * clip[0] + 1])
    story, past = scripts(7), None
    generator.encode([prompt for script in story for prompt in script.prompts])
    made = generator.films_of(story)
    for clip[0] in range(7):
        frames, past = generator.loop.next(made, clip[0], past)
        expected = backbone.decode(film[:, :, 4 * clip[0] : 4 * clip[0] + 5]).numpy()
        assert np.abs(frames[:, 1:].astype(int) - expected[:, 1:]).max() <= 1  # last digits, rounded


def test_an_old_frame_still_reaches_a_clip() -> None:
    """One that lies far behind those that are handed on; one that is older than what is packed does not."""
    generator = maker()
    (_, past), *_ = clips(generator, 6)[5:]
    made = generator.films_of(scripts(6))
    frames, _ = generator.loop.next(made, 6, past)
    older = past["older"].clone()
    older[:, :, 0] += 1
    assert not np.array_equal(frames, generator.loop.next(made, 6, {**past, "older": older})[0])
    longer = torch.cat([torch.ones_like(older[:, :, :1]), past["older"]], dim=2)
    assert longer.shape[2] == PAST + 1
    assert np.array_equal(frames, generator.loop.next(made, 6, {**past, "older": longer})[0])


def test_the_gain_is_followed_into_the_first_new_frame() -> None:
    generator = maker()
    clips(generator, 1)
    made, loop = generator.films_of(scripts(1)), generator.loop
    assert isinstance(loop, PackedHistory)
    clean = loop.first(made, torch.zeros(2, 8, 4, 4))
    shown = generator.denoiser.decode(clean.made[:, :, None])
    assert np.array_equal(shown[:, 0], loop.next(made, 0, None)[0][:, 1])
    assert not torch.equal(clean.made, loop.first(made, torch.full((2, 8, 4, 4), 0.3)).made)


def test_stopped_after_every_clip_and_resumed_is_identical(tmp_path: Path) -> None:
    whole, cut = whole_and_stopped(maker, scripts(4), 17, tmp_path)
    assert np.array_equal(whole, cut)


@pytest.mark.parametrize("kind", ONE_QUICK)
def test_films_of_wan(tmp_path: Path, wan_folder: WanFolder, kind: Kind) -> None:
    """Two clips of four latents that share two, at sizes of which a quarter is left."""
    side = 64 if kind == "wan2.2-ti2v" else 32
    data = DataSettings(height=side, width=side, clip_frames=13)
    backbone = WanBackbone.load(wan_folder(kind), BackboneSettings(name="folder", text_tokens=16), data)
    read = sections(SETTINGS, ConditionSettings(motion_frames=5))
    Generator(backbone, backbone.transformers, read, PackedHistory).films(scripts(2, 1, data), 21, 8, tmp_path, quiet)
    film = np.load(tmp_path / "frames.npy")[0]
    assert film.shape == (21, side, side, 3)
    assert (np.abs(np.diff(film.astype(int), axis=0)).max(axis=(1, 2, 3)) > 0).all()
