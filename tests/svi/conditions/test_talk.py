"""Sound as a signal of samples: what is heard, and what of it a film has."""

from pathlib import Path

import pytest
import torch

from svi.conditions.talk import Audio
from svi.data.samples import SOUND, SPEECH, write_speech
from svi.settings import DataSettings
from tests.svi.conditions.sounds import tone, write_sound


def test_features_without_their_sound_make_a_silent_film(tmp_path: Path) -> None:
    """As the authors' own come; with a sound beside them, the film has it."""
    film, data, signal = torch.rand(30, 2, 3), DataSettings(fps=25), Audio(encoder=tmp_path)
    write_speech(tmp_path / SPEECH, film)
    course = signal.course(tmp_path, 20, data)
    assert course.clip(2, 5).equal(film[:9])
    assert course.keep(tmp_path / "film") is None
    write_sound(tmp_path / SOUND, tone(1.2))
    assert signal.course(tmp_path, 20, data).keep(tmp_path / "film") == tmp_path / SOUND
    assert signal.frames(tmp_path, data) == 30
    with pytest.raises(ValueError, match="features of 30 frames, expected 31"):
        signal.course(tmp_path, 31, data)
