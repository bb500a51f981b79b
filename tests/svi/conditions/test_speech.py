"""wav2vec2's hidden states by film frame: as MultiTalk's, whole however long the sound is; and folders that hold no wav2vec2."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import Wav2Vec2FeatureExtractor, Wav2Vec2Model

import svi.conditions.speech as speech_file
from svi.conditions.sound import RATE, Samples, levelled, read_sound
from svi.conditions.speech import Speech
from tests.svi.conditions.sounds import CHANNELS, LAYERS, SPEECH, tone, write_wav2vec2

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_wav2vec2(tmp_path_factory.mktemp("wav2vec2"))


def expected(folder: Path, samples: Samples) -> Tensor:
    """As MultiTalk: all at once, the convolutions' columns interpolated before the encoder, each layer's output kept. [F, 12, C]"""
    model = Wav2Vec2Model.from_pretrained(folder).eval()
    values = Wav2Vec2FeatureExtractor.from_pretrained(folder)(
        samples, sampling_rate=RATE, return_tensors="pt"
    ).input_values
    outputs: list[Tensor] = []
    for layer in model.encoder.layers:
        layer.register_forward_hook(lambda _, __, out: outputs.append(out if isinstance(out, Tensor) else out[0]))
    with torch.no_grad():
        columns = F.interpolate(
            model.feature_extractor(values), int(len(samples) / RATE * 25), mode="linear", align_corners=True
        )
        model.encoder(model.feature_projection(columns.transpose(1, 2))[0])
    return torch.cat(outputs).transpose(0, 1)


@pytest.mark.parametrize("norm", ["group", "layer"])
@pytest.mark.parametrize("piece", [7, 500])
def test_the_film_is_multitalks_however_it_is_cut(
    tmp_path: Path, norm: str, piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In pieces of seven columns, of which two seconds have a hundred, and all in one."""
    monkeypatch.setattr(speech_file, "_PIECE", piece)
    folder, samples = write_wav2vec2(tmp_path, norm), levelled(tone(2.013))
    film = Speech(folder, torch.device("cpu")).film(samples)
    assert film.shape == (50, LAYERS, CHANNELS)
    assert film.dtype == torch.float32
    torch.testing.assert_close(film, expected(folder, samples), rtol=1e-4, atol=1e-5)
    assert film.std(dim=0).min() > 0  # it follows the sound


def test_what_is_convolved_at_once_does_not_grow_with_the_sound(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speech_file, "_PIECE", 50)
    speech, sizes = Speech(folder, torch.device("cpu")), []
    speech.convolutions.conv_layers[0].conv.register_forward_hook(lambda _, __, out: sizes.append(out.numel()))
    for seconds in (2, 4):
        speech.film(tone(seconds))
    assert len(sizes) == 4 + 8  # twice over the sound: for the norm's statistics, and with them
    assert max(sizes) == max(sizes[:4])


def test_another_frame_rate(folder: Path) -> None:
    speech = Speech(folder, torch.device("cpu"))
    assert speech.film(tone(1), fps=16).shape[0] == 16
    assert len(speech.film(tone(0.04))) == 1


def test_silence_is_a_film_of_numbers(folder: Path) -> None:
    film = Speech(folder, torch.device("cpu")).film(levelled(np.zeros(RATE, dtype=np.float32)))
    assert film.isfinite().all()
    assert film.shape[0] == 25


@pytest.mark.skipif(not SPEECH.is_dir(), reason="no real speech here")
def test_real_speech(folder: Path) -> None:
    [path] = SPEECH.glob("*.wav")
    samples = levelled(read_sound(path))
    film = Speech(folder, torch.device("cpu")).film(samples)
    assert film.shape == (len(samples) * 25 // RATE, LAYERS, CHANNELS)
    assert film.isfinite().all()
    torch.testing.assert_close(film, expected(folder, samples), rtol=1e-3, atol=1e-4)


def test_too_little_sound_is_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match="received 639 samples, expected at least 640"):
        Speech(folder, torch.device("cpu")).film(tone(1)[:639])
    with pytest.raises(ValueError, match="received 399 samples, expected at least 400"):
        Speech(folder, torch.device("cpu")).film(tone(1)[:399], fps=50)


# Folders


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"lacks config\.json, preprocessor_config\.json; expected a wav2vec2 model"):
        Speech(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "whisper"}')
    (tmp_path / "preprocessor_config.json").write_text("{}")
    with pytest.raises(ValueError, match="holds a model of type 'whisper', expected wav2vec2"):
        Speech(tmp_path)


def test_missing_weights_are_refused_by_name(tmp_path: Path) -> None:
    file = write_wav2vec2(tmp_path) / "model.safetensors"
    weights = load_file(file)
    save_file({k: v for k, v in weights.items() if "layers.3.attention.q_proj" not in k}, file, {"format": "pt"})
    with pytest.raises(ValueError, match=r"lack 2 of wav2vec2's \(encoder\.layers\.3\.attention\.q_proj\.bias"):
        Speech(tmp_path)
    file.write_bytes(b"no weights")
    with pytest.raises(ValueError, match=r"cannot be read .*download the model again"):
        Speech(tmp_path)
    file.unlink()
    with pytest.raises(ValueError, match=r"cannot be read .*download the model again"):
        Speech(tmp_path)


def test_what_pretraining_alone_reads_may_be_missing_or_more(tmp_path: Path) -> None:
    """Published files are of pretraining: with its heads, which nobody asks here."""
    file = write_wav2vec2(tmp_path) / "model.safetensors"
    weights = load_file(file)
    del weights["masked_spec_embed"]
    save_file(weights | {"quantizer.codevectors": torch.zeros(3)}, file, {"format": "pt"})
    assert Speech(tmp_path, torch.device("cpu")).film(tone(0.5)).shape[0] == 12


class Payload:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


def test_a_pickle_that_runs_code_is_refused(tmp_path: Path) -> None:
    write_wav2vec2(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    (tmp_path / "pytorch_model.bin").write_bytes(pickle.dumps(Payload(tmp_path / "ran"), protocol=2))
    with pytest.raises(ValueError, match="cannot be read"):
        Speech(tmp_path)
    torch.save({"weight": Payload(tmp_path / "ran")}, tmp_path / "pytorch_model.bin")
    with pytest.raises(ValueError, match=r"cannot be read \(getattr in a pickle, which may run any code and was not"):
        Speech(tmp_path)
    assert not (tmp_path / "ran").exists()


def test_weights_as_torch_saves_them_are_read(tmp_path: Path) -> None:
    """The published model comes as pytorch_model.bin too."""
    write_wav2vec2(tmp_path)
    film = Speech(tmp_path, torch.device("cpu")).film(tone(0.5))
    torch.save(load_file(tmp_path / "model.safetensors"), tmp_path / "pytorch_model.bin")
    (tmp_path / "model.safetensors").unlink()
    speech = Speech(tmp_path, torch.device("cpu"))
    assert isinstance(speech.model, nn.Module)
    assert torch.equal(speech.film(tone(0.5)), film)
