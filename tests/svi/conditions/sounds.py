"""Small sound files, videos with sound, and a random wav2vec2 of twelve layers."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import torch
from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model

from svi.conditions.sound import RATE, Samples

SPEECH = Path(__file__).parents[4] / "shared" / "data" / "svi-toy" / "audio"
LAYERS, CHANNELS = 12, 24


def tone(seconds: float, rate: int = RATE, loud: float = 0.3) -> Samples:
    """Rises and swells. [S]"""
    time = np.arange(round(seconds * rate)) / rate
    return (loud * np.sin(2 * np.pi * (200 + 90 * time) * time) * (1 + np.sin(11 * time)) / 2).astype(np.float32)


def write_sound(path: Path, sound: Samples, rate: int = RATE, codec: str = "pcm_f32le") -> Path:
    """Of one channel [S], or of several [S, C]; the name says the container."""
    sound = sound.reshape(len(sound), -1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, layout={1: "mono", 2: "stereo", 6: "5.1"}[sound.shape[1]])
        for start in range(0, len(sound), 1024):
            part = np.ascontiguousarray(sound[start : start + 1024].T)
            frame = av.AudioFrame.from_ndarray(part, format="fltp", layout=stream.layout.name)
            frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def write_film(path: Path, seconds: float, sound: Samples | None, late: float = 0.0) -> Path:
    """Grey pictures at 25 fps, and sound that begins so many seconds after them; before them where it is negative."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=25, options={"bf": "0", "threads": "1"})
        video.height, video.width, video.pix_fmt = 32, 32, "yuv420p"
        voice = None if sound is None else container.add_stream("pcm_f32le", rate=RATE, layout="mono")
        for i in range(round(25 * seconds)):
            frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), 99, dtype=np.uint8), format="rgb24")
            frame.pts, frame.time_base = i + round(25 * max(-late, 0)), Fraction(1, 25)
            container.mux(video.encode(frame))
        container.mux(video.encode())
        if voice is not None and sound is not None:
            heard = av.AudioFrame.from_ndarray(sound[None], format="flt", layout="mono")
            heard.sample_rate, heard.pts, heard.time_base = RATE, round(RATE * max(late, 0)), Fraction(1, RATE)
            container.mux(voice.encode(heard))
            container.mux(voice.encode())
    return path


def write_wav2vec2(folder: Path, norm: str = "group") -> Path:
    """wav2vec2-base's shape and its real convolutions' strides, narrow, with random weights."""
    config = Wav2Vec2Config(
        hidden_size=CHANNELS,
        num_hidden_layers=LAYERS,
        num_attention_heads=2,
        intermediate_size=32,
        conv_dim=(16,) * 7,
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=2,
        feat_extract_norm=norm,
    )
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        Wav2Vec2Model(config).save_pretrained(folder)
    Wav2Vec2FeatureExtractor(do_normalize=True).save_pretrained(folder)
    return folder
