"""Sound and skeletons from files on real Wan classes: encoded, trained on for a step, and followed by two clips."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from svi.backbones.wan import WanBackbone
from svi.conditions.dance import Pose
from svi.conditions.signal import Signal
from svi.conditions.talk import Audio
from svi.data.cache import LatentCache
from svi.data.cache_writer import write_cache
from svi.data.footage import Clip, WorldFootage
from svi.generation.generator import Generator
from svi.generation.video import write_mp4
from svi.objectives.objective import Objective
from svi.settings import BackboneSettings, ConditionSettings, DataSettings
from tests.svi.conditions.sounds import tone, write_sound, write_wav2vec2
from tests.svi.films import SETTINGS, quiet, scripts, sections
from tests.svi.objectives.setups import setup
from tests.svi.wan_folder import Kind, WanFolder

DATA = DataSettings(clips=3, clip_frames=9, height=32, width=64, fps=25)
CONDITION = ConditionSettings(motion_frames=1, drop_signal=0.0)


def talk(folder: Path) -> Signal:
    write_sound(folder / "audio.wav", tone(1.0, 44_100), 44_100)
    (folder / "wav2vec2").mkdir()
    return Audio(write_wav2vec2(folder / "wav2vec2"))


def dance(folder: Path) -> Signal:
    x = np.arange(96)
    frames = (np.where(abs(x - 3 * i) < 6, 255, 0)[None, :, None].repeat(64, 0).repeat(3, 2) for i in range(25))
    write_mp4(folder / "pose.mp4", (frame.astype(np.uint8) for frame in frames), 25, 64, 96)
    return Pose()


class Following(WorldFootage):
    """Clips that are all given the beginning of one sample's signal."""

    def __init__(self, sample: Path, signal: Signal) -> None:
        super().__init__(DATA)
        self.given = {signal.key: signal.course(sample, 25, DATA).clip(0, DATA.clip_frames)}

    def read(self, i: int) -> Clip:
        return super().read(i)._replace(signals=self.given)


@pytest.mark.parametrize("made", [talk, dance])
@pytest.mark.parametrize("kind", ["wan2.1-i2v", "wan2.2-ti2v"])
def test_a_step_and_two_clips(
    made: Callable[[Path], Signal], kind: Kind, wan_folder: WanFolder, tmp_path: Path
) -> None:
    signal, settings = made(tmp_path), BackboneSettings(name="folder", text_tokens=16)
    plain = WanBackbone.load(wan_folder(kind), settings, DATA)
    backbone = WanBackbone.load(wan_folder(kind), settings, DATA, signal=signal)
    footage = Following(tmp_path, signal)
    write_cache(backbone, footage, CONDITION, DATA, tmp_path / "cache", lambda done, total: None)
    objective = Objective(setup(backbone, LatentCache.open(tmp_path / "cache"), CONDITION))
    clips, wan = objective.clips(range(2)), backbone.transformers["transformer"]
    with torch.no_grad():  # untrained, it is the plain model to the bit
        untrained = objective.velocity(wan, clips)
        assert torch.equal(
            untrained,
            plain.velocity(plain.transformers["transformer"], clips.x_t, clips.t, clips.condition, clips.text),
        )
    wan.requires_grad_(True)
    objective.loss(wan, clips, 0).backward()
    reached = [name for name, x in wan.named_parameters() if x.grad is not None and x.grad.any()]
    assert any("audio" in name or "pose" in name for name in reached)
    with torch.no_grad():
        for name, x in wan.named_parameters():
            if "audio" in name or "pose" in name:
                x.normal_(std=0.2)
    story = scripts(2, 1, DATA)
    films = []
    for name, course in (("own", signal.course(tmp_path, 17, DATA)), ("none", None)):
        (tmp_path / name).mkdir()
        following = [replace(script, signal=course) for script in story]
        maker = Generator(backbone, backbone.transformers, sections(SETTINGS, CONDITION))
        maker.films(following, 17, 25, tmp_path / name, quiet)
        films.append(np.load(tmp_path / name / "frames.npy"))
    assert films[0].shape == (1, 17, 32, 64, 3)
    assert (films[0] != films[1]).any()


def test_silence_makes_a_film_without_nan(wan_folder: WanFolder, tmp_path: Path) -> None:
    """Of layers that do something; every velocity on the way is a number."""
    signal = talk(tmp_path)
    write_sound(tmp_path / "audio.wav", np.zeros(44_100, np.float32), 44_100)
    settings = BackboneSettings(name="folder", text_tokens=16)
    backbone = WanBackbone.load(wan_folder("wan2.1-i2v"), settings, DATA, signal=signal)
    wan, seen = backbone.transformers["transformer"], []
    with torch.no_grad():
        for name, x in wan.named_parameters():
            if "audio" in name:
                x.normal_(std=0.2)
    wan.register_forward_hook(lambda _, __, out: seen.append(bool(out[0].isfinite().all())))
    [script] = scripts(2, 1, DATA)
    script = replace(script, signal=signal.course(tmp_path, 17, DATA))
    made = sections(SETTINGS.model_copy(update={"guidance": 2.0, "signal_guidance": 5.0}), CONDITION)
    Generator(backbone, backbone.transformers, made).films([script], 17, 25, tmp_path, quiet)
    assert seen
    assert all(seen)


def test_too_little_sound_says_how_long_a_film_may_be(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"ask for at most 25 frames"):
        talk(tmp_path).course(tmp_path, 30, DATA)


@pytest.mark.parametrize(("signal", "expected"), [(Audio(), "audio.wav"), (Pose(), "pose.mp4, pose.npz")])
def test_a_sample_without_its_file_says_what_is_expected(signal: Signal, expected: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"expected .*{expected}"):
        signal.course(tmp_path, 9, DATA)
