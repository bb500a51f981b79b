"""The same commands on Wan models in diffusers' layout, with random weights: the whole path, and single films."""

import json
import time
from pathlib import Path
from threading import Thread

import av
import numpy as np
import pytest
import torch
from PIL import Image

from svi.backbones.wan import WanBackbone
from svi.conditions.dance import Pose
from svi.conditions.signal import Signal
from svi.conditions.sound import read_sound
from svi.conditions.talk import Audio
from svi.generation.video import write_mp4
from svi.lora.adapter import adapted, save
from svi.settings import BackboneSettings, DataSettings, TrainSettings
from tests.harness.commands.wan_words import WORDS, write_videos
from tests.harness.small import harness
from tests.harness.wan import wan
from tests.svi.conditions.sounds import tone, write_film, write_wav2vec2

WIDTH = {"wan2.2-ti2v": 64}


@pytest.fixture(scope="session")
def weights() -> Path:
    return wan()


def frames_of(video: Path) -> list[bytes]:
    with av.open(str(video)) as container:
        return [frame.to_ndarray(format="rgb24").tobytes() for frame in container.decode(video=0)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "recipe", "adapters"),
    [("wan2.1-i2v", "svi-shot", 1), ("wan2.2-i2v", "svi-2.0-pro", 2), ("wan2.2-ti2v", "svi-film", 1)],
)
def test_an_ablation_on_each_kind_of_model(tmp_path: Path, kind: str, recipe: str, adapters: int) -> None:
    store = tmp_path / "runs"
    done = harness(
        "run", "ablation_eimg", "--profile", "folder", "--recipe", recipe, "--only", "base,full", *WORDS,
        f"data.width={WIDTH.get(kind, 48)}", f"backbone.weights={wan(kind)}",
        f"data.path={write_videos(tmp_path)}", "tracks=consistent-50s", "generate.fps=4", store=store,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert "colour drift" in done.stdout
    assert len(list((store / "artifacts" / "train").glob("*/lora/adapter_model.safetensors"))) == adapters
    assert not list((store / "artifacts" / "train").glob("*/checkpoints")) + list(
        store.glob("artifacts/train/*/bank-*")
    )
    base, full = (frames_of(video) for video in sorted((store / "artifacts" / "generate").glob("*/videos/*.mp4")))
    assert len(base) == len(full) == 200
    assert base != full
    metrics = [json.loads(line) for line in next((store / "artifacts" / "train").glob("*/metrics.jsonl")).open()]
    assert {"train/loss", "train/grad_norm", "bank/fill", "time/step", "speed/tokens_per_s"} <= metrics[-1].keys()


PROMPTS = 'prompts = ["a dog runs", "the dog sits"]'


def film(
    tmp_path: Path, weights: Path, *words: str, target: str = "out.mp4", prompts: str = PROMPTS
) -> tuple[int, str]:
    Image.new("RGB", (100, 70), (200, 40, 90)).save(tmp_path / "start.png")
    (tmp_path / "prompts.txt").write_text(prompts)
    done = harness(
        "generate", str(tmp_path / target), "--image", str(tmp_path / "start.png"), "--prompts",
        str(tmp_path / "prompts.txt"), "--profile", "folder", "--seconds", "6", *WORDS, "data.width=48",
        f"backbone.weights={weights}", *words, store=tmp_path / "runs",
    )  # fmt: skip
    return done.returncode, done.stderr


def small(weights: Path, signal: Signal | None = None) -> WanBackbone:
    """The model of these films."""
    settings = BackboneSettings(name="folder", weights=str(weights), text_tokens=16)
    return WanBackbone.load(weights, settings, DataSettings(height=32, width=48, clip_frames=9), signal=signal)


def test_one_film_with_and_without_a_lora(tmp_path: Path, weights: Path) -> None:
    code, said = film(tmp_path, weights)
    assert code == 0, said
    plain = frames_of(tmp_path / "out.mp4")
    assert len(plain) == 24

    model = adapted(small(weights), TrainSettings(rank=4, alpha=4))
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            parameter.data.fill_(0.3)
    save(model, tmp_path)
    converted = harness(
        "lora", str(tmp_path / "lora"), str(tmp_path / "l.safetensors"), "--format", "comfyui", store=tmp_path / "runs"
    )
    assert converted.returncode == 0, converted.stderr
    code, said = film(tmp_path, weights, "--lora", str(tmp_path / "l.safetensors"), target="with.mp4")
    assert code == 0, said
    assert frames_of(tmp_path / "with.mp4") != plain


def test_a_film_of_two_transformers_has_a_stack_for_each(tmp_path: Path) -> None:
    """One plain file each is what it was before there were stacks; more of them are told apart by name and strength."""
    weights = wan("wan2.2-i2v")
    for name, size in (("a", 0.3), ("b", -0.2)):
        model = adapted(small(weights), TrainSettings(rank=2, alpha=2))
        for key, parameter in model.named_parameters():
            if "lora_B" in key:
                parameter.data.fill_(size)
        save(model, tmp_path / name)
    a, b = (str(tmp_path / name / "lora") for name in "ab")
    seconds = ("--seconds", "2")
    code, said = film(tmp_path, weights, *seconds, "--lora", f"{a}:1", "--lora", b)
    assert code == 2
    assert f"--lora transformer={a}:1 --lora transformer_2={b}" in said
    made = []
    for words in (("--lora", a, "--lora", b), ("--lora", f"transformer_2={b}", "--lora", f"transformer={a}:1"),
                  ("--lora", f"transformer={a}", "--lora", f"transformer_2={b}", "--lora", f"transformer_2={a}:0.5")):  # fmt: skip
        code, said = film(tmp_path, weights, *seconds, *words)
        assert code == 0, said
        made.append(frames_of(tmp_path / "out.mp4"))
    assert made[0] == made[1] != made[2]
    assert len(list((tmp_path / "runs").glob("artifacts/film/*/manifest.json"))) == 2


def test_a_film_of_2_0_pro_is_saved_at_its_own_rate(tmp_path: Path) -> None:
    """15 frames a second, made of 9 frames, then of 4 more a clip: the next clip's first 5 are dropped."""
    code, said = film(tmp_path, wan("wan2.2-i2v"), "--recipe", "svi-2.0-pro", "--seconds", "0.66")
    assert code == 0, said
    with av.open(str(tmp_path / "out.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.average_rate, stream.frames) == (15, 10)
    manifest = json.loads(next((tmp_path / "runs").glob("artifacts/film/*/manifest.json")).read_text())
    assert manifest["identity"]["clips"] == 2
    assert manifest["identity"]["generate.overlap_from"] == "previous"
    assert manifest["identity"]["generate.guidance"] == 4.0


def test_a_film_may_end_with_its_prompts(tmp_path: Path, weights: Path) -> None:
    """Two prompts, two clips of 9 frames that overlap by 5; the file is a bare list, as SVI 2.0 has it."""
    words = ("--seconds", "60", "generate.fps=1", "generate.after_prompts=stop", "generate.guidance=1")
    code, said = film(tmp_path, weights, *words, prompts='["a dog runs", "it sits"]')
    assert code == 0, said
    assert "the film ends with its prompts, after 13.0 s of 60 s" in said
    assert len(frames_of(tmp_path / "out.mp4")) == 13
    manifest = json.loads(next((tmp_path / "runs").glob("artifacts/film/*/manifest.json")).read_text())
    assert manifest["identity"]["prompts"] == ["a dog runs", "it sits"]


def test_the_text_encoder_is_loaded_once_though_prompts_are_told_one_after_the_other(
    tmp_path: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded, load = list[str](), WanBackbone._encoder

    def counted(backbone: WanBackbone, name: str, dtype: torch.dtype) -> object:
        loaded.append(name)
        return load(backbone, name, dtype)

    def tell() -> None:
        for clips in (1, 2):
            until = time.monotonic() + 120
            while len(list((tmp_path / "runs" / "takes").glob("[!.]*"))) < clips:
                assert time.monotonic() < until
                time.sleep(0.05)
            with (tmp_path / "prompts.txt").open("a") as file:
                file.write("it sits\n# end\n" if clips == 2 else "a cat walks\n")

    monkeypatch.setattr(WanBackbone, "_encoder", counted)
    teller = Thread(target=tell)
    teller.start()
    words = ("--follow", "100", "generate.fps=1", "generate.guidance=1")
    code, said = film(tmp_path, weights, *words, "--seconds", "60", prompts="a dog runs\n")
    teller.join()
    assert code == 0, said
    assert loaded.count("text_encoder") == 1
    assert len(frames_of(tmp_path / "out.mp4")) == 17


@pytest.mark.parametrize("handoff", ["pixel", "latent"])
def test_a_film_goes_on_from_a_video(tmp_path: Path, weights: Path, handoff: str) -> None:
    """Clips of 9 frames, of which the first five are the video's last."""
    frames = np.random.default_rng(0).integers(0, 255, (11, 32, 48, 3)).astype(np.uint8)
    write_mp4(tmp_path / "given.mp4", frames, 4, 32, 48)
    words = ("--video", str(tmp_path / "given.mp4"), "--seconds", "2", f"generate.handoff={handoff}")
    code, said = film(tmp_path, weights, *words)
    assert code == 0, said
    assert "the film begins with the 11 frames of" in said
    assert "copied as they are" in said
    made = frames_of(tmp_path / "out.mp4")
    assert made[:11] == frames_of(tmp_path / "given.mp4")
    assert len(made) == 11 + 8


def test_a_film_is_led_away_from_the_recipes_negative_prompt_or_from_ones_own(tmp_path: Path, weights: Path) -> None:
    made = {}
    for name, words in {"recipe": (), "own": ("--negative", "red"), "none": ("--negative", "")}.items():
        code, said = film(tmp_path, weights, "--seconds", "2", *words, target=f"{name}.mp4")
        assert code == 0, said
        made[name] = frames_of(tmp_path / f"{name}.mp4")
    assert made["recipe"] != made["own"] != made["none"] != made["recipe"]


def test_a_film_has_the_sound_of_a_video_or_its_skeletons_beside_it(tmp_path: Path, weights: Path) -> None:
    """Sound that begins half a second after the pictures does so in the film; without weights nothing would follow either."""
    (tmp_path / "wav2vec2").mkdir()
    encoder = write_wav2vec2(tmp_path / "wav2vec2")
    for name, signal in {"talk": Audio(encoder), "dance": Pose()}.items():
        save(adapted(small(weights, signal), TrainSettings(rank=4, with_signal=True)), tmp_path / name)
    heard = write_film(tmp_path / "heard.mp4", 3, tone(2.5), late=0.5)
    drawn = write_film(tmp_path / "drawn.mp4", 3, None)
    talk = ("condition.signal=audio", f"condition.encoder={encoder}", "--signal", str(heard))
    code, said = film(tmp_path, weights, *talk)
    assert (code, "films have 4 frames a second" in said) == (2, True)
    for name, fps, frames, words in (
        ("talk", 25, 16, (*talk, "generate.fps=25")),
        ("dance", 4, 8, ("condition.signal=pose", "--signal", str(drawn))),
    ):
        code, said = film(tmp_path, weights, *words, target=f"{name}.mp4")
        assert code == 2
        assert (
            f"lasts for {3 * fps} frames at {fps} a second, and the film would have {6 * fps}; ask for at most --seconds 3"
            in said
        )
        words = (*words, "--seconds", str(frames / fps))
        code, said = film(tmp_path, weights, *words, target=f"{name}.mp4")
        assert (code, "nothing would follow it" in said) == (2, True)
        code, said = film(tmp_path, weights, *words, "--lora", str(tmp_path / name / "lora"), target=f"{name}.mp4")
        assert code == 0, said
        assert len(frames_of(tmp_path / f"{name}.mp4")) == frames
    sound = read_sound(tmp_path / "talk.mp4")
    assert abs(sound[:7000]).max() < 0.01 < abs(sound[9000:]).max()
    with av.open(str(tmp_path / "dance.mp4")) as container:
        assert not container.streams.audio
    assert len(frames_of(*(tmp_path / "runs").glob("artifacts/film/*/signals/film.pose.mp4"))) == 8


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--negative", "red", "generate.guidance=1"), ["--negative 'red'", "generate.guidance above 1"]),
        (("--negative", "red", "generate.negative_prompt=blue"), ["the same setting"]),
        (("--lora", "{weights}:loud"), ["received strength 'loud'", "a finite number"]),
        (("--lora", "high={weights}"), ["no such transformer", "it has transformer"]),
        (("--lora", "{weights}/model_index.json"), ["model_index.json"]),
        (("--lora", "{weights}"), ["a whole model, not a LoRA"]),
        (("generate.seed=3",), ["--seed"]),
        (("generate.method=ping_pong",), ["generate.method=ping_pong", "made by the model"]),
        (("eval.size=sample",), ["eval.size=sample", "data.height x data.width"]),
        (("--recipe", "svi-filn"), ["did you mean 'svi-film'"]),
    ],
)
def test_films_that_cannot_be_made(words: tuple[str, ...], said: list[str], tmp_path: Path, weights: Path) -> None:
    code, message = film(tmp_path, weights, *(word.format(weights=weights) for word in words))
    assert code == 2, message
    assert "Traceback" not in message
    for part in said:
        assert part in message


def test_missing_weights_end_with_what_to_type(tmp_path: Path) -> None:
    done = harness(
        "plan", "ablation_eimg", "--profile", "wan2.2-i2v-a14b", f"backbone.weights={tmp_path}", store=tmp_path / "r"
    )
    assert done.returncode == 2
    assert "hf download Wan-AI/Wan2.2-I2V-A14B-Diffusers" in done.stderr
