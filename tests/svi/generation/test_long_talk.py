"""Films that follow a sound for 300 s at 25 frames a second, as track talk-300s has them."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from svi.conditions.sound import RATE, write_sound
from svi.conditions.talk import Audio
from svi.data import talking
from svi.data.samples import SOUND
from svi.frames import Frames
from svi.generation.loop import Films, State
from svi.settings import DataSettings
from tests.svi.conditions.sounds import write_wav2vec2
from tests.svi.films import Stop, decoded, folder, maker, quiet, scripts
from tests.svi.sounds import heard

ROOT = Path(__file__).parents[3]
FPS, CLIP = 25, 41
DATA = DataSettings(clips=1, clip_frames=CLIP, fps=FPS)


def voice(sample: Path, seconds: int) -> Path:
    """A sample's folder, with speech of so many seconds."""
    sample.mkdir()
    write_sound(sample / SOUND, talking.sound(talking.loudness(("voice",), FPS * seconds, FPS), FPS))
    return sample


class Painted:
    """Paints every frame as bright as the sound that its clip is given is loud there (protocol: svi.generation.loop.Loop)."""

    def __init__(self, *_: object) -> None: ...

    def next(self, films: Films, clip: int, past: State | None) -> tuple[Frames, State]:
        heard = films.signals(clip)["audio"][:, 2:-2, 0].mean(-1)  # two more frames on either side; -2 is silence
        grey = (60 * (heard + 2)).clamp(0, 255).to(torch.uint8)
        return grey[..., None, None, None].expand(*grey.shape, *films.images.shape[1:]).numpy(), {"clip": torch.ones(1)}


def early(brightness: np.ndarray, sound: np.ndarray, part: slice) -> tuple[float, float]:
    """By how many frames the pictures of a film are earlier than its sound, to an eighth, in these frames; and the correlation."""
    a_frame = RATE // FPS
    offsets = np.arange(-3 * a_frame, 3 * a_frame + 1, a_frame // 8)
    begin = np.arange(part.start, part.stop)[:, None] * a_frame + np.arange(a_frame)
    found = []
    for offset in offsets:
        power = (sound[(begin + offset).clip(0, len(sound) - 1)] ** 2).mean(axis=1)
        found.append(np.corrcoef(brightness[part], np.log(power + 1e-7))[0, 1])
    return offsets[np.argmax(found)] / a_frame, max(found)


@pytest.mark.slow
def test_pictures_and_sound_are_in_step_to_the_end(tmp_path: Path) -> None:
    """From a wav through the clips' share of it to an mp4, read as a player does; stopped midway, too."""
    sample, made = voice(tmp_path / "sample", 300), folder(tmp_path, "made")
    course = Audio().course(sample, 300 * FPS, DATA)
    clips = -(-(300 * FPS - 1) // (CLIP - 1))
    [script] = scripts(1, 1, DATA)
    script = replace(script, prompts=("talking",) * clips, signal=course, sound=sample / SOUND)

    def stop(done: int, total: int) -> None:
        if done == clips // 2:
            raise Stop

    for progress in (stop, quiet):
        try:
            maker(data=DATA, loop=Painted).films([script], 300 * FPS, FPS, made, progress)
        except Stop:
            continue
    film = made / "videos" / "film-0.mp4"
    brightness, (sound, rate) = decoded(film).mean(axis=(1, 2, 3)), heard(film)
    assert (len(brightness), len(sound), rate) == (300 * FPS, 300 * RATE, RATE)
    for part in (slice(0, 5 * FPS), slice(295 * FPS, 300 * FPS)):
        frames, correlation = early(brightness, sound, part)
        assert abs(frames) < 0.5
        assert correlation > 0.95


FILM = """
import sys
from dataclasses import replace
from pathlib import Path
import psutil, torch
from svi.backbones.catalogue import EXPERT
from svi.conditions.audio import LAYER
from svi.conditions.talk import Audio
from tests.svi.films import SETTINGS, maker, scripts
from tests.svi.generation.test_long_talk import CLIP, DATA, FPS, SOUND
from tests.svi.memory import peak
sample, model, made, seconds = *map(Path, sys.argv[1:4]), int(sys.argv[4])
clips, signal = -(-(FPS * seconds - 1) // (CLIP - 1)), Audio(model)
course = signal.course(sample, FPS * seconds, DATA)
generator = maker(SETTINGS.model_copy(update={"lossless": False, "steps": 1}), data=DATA)
wan = generator.backbone.transformers[EXPERT]
signal.attach(wan, 1, 8)
for block in wan.blocks:
    torch.nn.init.normal_(block.get_submodule(LAYER).proj.weight, generator=torch.Generator().manual_seed(0))
[script] = scripts(1, 1, DATA)
script = replace(script, prompts=("talking",) * clips, signal=course, sound=sample / SOUND)
def tell(done, total):
    print(done, psutil.Process().memory_info().rss, flush=True)
generator.films([script], FPS * seconds, FPS, made, tell)
print(peak())
"""


def process(*arguments: object) -> "subprocess.Popen[str]":
    """Makes one film; says each clip with the memory in use then, and the peak in the end."""
    # glibc keeps freed memory as it pleases: it is told to give it back.
    environment = {**os.environ, "MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": "65536", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", FILM, *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=environment)


@pytest.mark.slow
def test_memory_is_that_of_a_minute_and_a_kill_leaves_no_trace(tmp_path: Path) -> None:
    """A transformer that hears a wav2vec2, both small. While clips are made the process keeps its memory within 1 % behind the
    first minute, and within 3 % of what a film of a minute takes; before them the whole sound is heard once.
    """
    model, sample = write_wav2vec2(tmp_path / "wav2vec2"), voice(tmp_path / "sample", 300)
    short = process(voice(tmp_path / "minute", 60), model, folder(tmp_path, "short"), 60).communicate()[0]
    long = process(sample, model, folder(tmp_path, "whole"), 300).communicate()[0]
    (minute, minute_peak), (used, used_peak) = told(short), told(long)
    assert max(used[len(used) // 5 :]) < 1.01 * used[len(used) // 5]
    assert max(used) < 1.03 * max(minute)
    assert used_peak < minute_peak + 240 * 0.5 * 1024
    cut, killed = folder(tmp_path, "cut"), process(sample, model, tmp_path / "cut", 300)
    assert killed.stdout is not None
    for line in killed.stdout:
        if int(line.split()[0]) == len(used) // 2:
            killed.kill()
    assert killed.wait() == -signal.SIGKILL
    assert not (cut / "videos").exists()
    again = process(sample, model, cut, 300).communicate()[0]
    assert int(again.split()[0]) >= len(used) // 2
    whole, resumed = (tmp_path / made / "videos" / "film-0.mp4" for made in ("whole", "cut"))
    assert len(heard(whole)[0]) == 300 * RATE
    assert whole.read_bytes() == resumed.read_bytes()


def told(out: str) -> tuple[list[int], int]:
    """Memory in use at each clip, bytes, and the peak, KiB."""
    *clips, peak = out.splitlines()
    return [int(line.split()[1]) for line in clips], int(peak)
