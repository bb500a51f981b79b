"""The local engine on a tiny Qwen2.5-VL of the real classes: taught two films by their first images, or knowing nothing."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from benchmarks.prompts.engine import Message, write_storyline
from benchmarks.prompts.local import DEFAULT_MODEL, LocalEngine, _turns, files_digest, find_model
from benchmarks.prompts.storyline import StorylineRequest
from tests.benchmarks.prompts.prompts_model import teach, tiny_model, tiny_processor, write_model
from tests.benchmarks.prompts.prompts_server import picture

REQUEST = StorylineRequest(2)
RED, BLUE = picture((220, 30, 30)), picture((30, 30, 220))
FOX = ("A red fox wakes up in the snow.", "The red fox walks off into the trees.")
WHALE = ("A blue whale rises from the sea.", "The blue whale dives and is gone.")


@pytest.fixture(scope="module")
def processor() -> Any:
    return tiny_processor([REQUEST.text(), *FOX, *WHALE])


@pytest.fixture(scope="module")
def random(processor: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("random"), processor, tiny_model(processor))


@pytest.mark.slow
def test_the_image_decides_what_a_taught_model_writes(processor: Any, tmp_path: Path) -> None:
    model = tiny_model(processor)
    asked = [Message("user", REQUEST.text())]
    lessons = [(_turns(asked, RED), json.dumps(FOX)), (_turns(asked, BLUE), json.dumps(WHALE))]
    assert teach(processor, model, lessons) < 0.05
    engine = LocalEngine(str(write_model(tmp_path, processor, model)), device="cpu")
    for image, prompts in ((RED, FOX), (BLUE, WHALE)):
        story = write_storyline(engine, image, REQUEST, retries=0)
        assert story.prompts == prompts
        assert story.attempts[0].details["tokens"] > 10
    short = LocalEngine(str(tmp_path), device="cpu", max_tokens=8)
    assert not short.reply(asked, RED, 0).finished
    with pytest.raises(ValueError, match="the reply was cut off after"):
        write_storyline(short, RED, REQUEST, retries=0)


def test_garbage_is_asked_for_again_and_then_refused_with_its_text(random: Path) -> None:
    engine, said = LocalEngine(str(random), device="cpu", max_tokens=24), []
    with pytest.raises(
        ValueError, match=r"received 3 replies of .* that cannot be used, expected 2 prompts"
    ) as refusal:
        write_storyline(engine, RED, REQUEST, retries=2, say=said.append)
    assert len(said) == 3
    text = engine.reply([Message("user", REQUEST.text())], RED, 0).text
    with pytest.raises(ValueError, match="one reply") as first:
        write_storyline(engine, RED, REQUEST, retries=0)
    assert repr(text) in str(first.value)
    assert "; its text: " in str(refusal.value)
    assert str(refusal.value).isprintable()


def test_sampling_follows_the_seed_and_the_attempt_and_leaves_the_generator_alone(random: Path) -> None:
    asked = [Message("user", "Go on.")]
    warm = LocalEngine(str(random), device="cpu", temperature=1.0, seed=3, max_tokens=16)
    state = torch.get_rng_state()
    first, second = (warm.reply(asked, RED, attempt).text for attempt in (0, 1))
    assert torch.equal(torch.get_rng_state(), state)
    assert first != second
    assert (
        LocalEngine(str(random), device="cpu", temperature=1.0, seed=4, max_tokens=16).reply(asked, RED, 0).text
        == second
    )
    greedy = LocalEngine(str(random), device="cpu", max_tokens=16)
    assert greedy.reply(asked, RED, 0).text == greedy.reply(asked, RED, 5).text


def test_control_tokens_in_a_text_are_no_turns_or_images(random: Path) -> None:
    engine = LocalEngine(str(random), device="cpu", max_tokens=4)
    turns = [Message("user", "Go on."), Message("assistant", "<|image_pad|><|im_end|>"), Message("user", "Again.")]
    assert engine.reply(turns, RED, 0).details["tokens"] <= 4
    assert "<|" not in json.dumps([turn["content"][-1] for turn in _turns(turns, RED)])


def test_provenance(random: Path, tmp_path: Path) -> None:
    about = LocalEngine(str(random), device="cpu", seed=5).describe()
    assert about["model"] == str(random)
    assert (about["device"], about["dtype"], about["seed"], about["temperature"]) == ("cpu", "float32", 5, None)
    assert json.loads(json.dumps(about)) == about
    assert LocalEngine(str(random), device="cpu", dtype="bfloat16").describe()["dtype"] == "bfloat16"
    shutil.copytree(random, tmp_path / "copy")
    (tmp_path / "copy" / ".cache").mkdir()
    (tmp_path / "copy" / ".cache" / "x").write_text("left by a download")
    assert files_digest(tmp_path / "copy") == about["files"]
    (tmp_path / "copy" / "chat_template.jinja").write_text("another")
    assert files_digest(tmp_path / "copy") != about["files"]


def test_other_weights_of_the_same_size_have_another_digest(tmp_path: Path) -> None:
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(bytes(5_000_000))
    first = files_digest(tmp_path)
    weights.write_bytes(bytes(4_999_999) + b"x")
    assert files_digest(tmp_path) != first


def test_bfloat16_runs(random: Path) -> None:
    engine = LocalEngine(str(random), device="cpu", dtype="bfloat16", max_tokens=4)
    assert engine.reply([Message("user", "Go on.")], RED, 0).details["tokens"] <= 4


@pytest.mark.parametrize("name", [DEFAULT_MODEL, "some/where", "nowhere", "a/b/c", ".."])
def test_a_model_that_is_not_here_is_not_downloaded(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=rf"nothing is downloaded here: hf download {DEFAULT_MODEL}"):
        LocalEngine(name)
    assert not list(tmp_path.iterdir())


def test_a_repository_in_the_hubs_cache_is_found(random: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    repository = tmp_path / "models--some--where"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("abc")
    shutil.copytree(random, repository / "snapshots" / "abc")
    assert find_model("some/where") == repository / "snapshots" / "abc"


def test_a_folder_that_is_no_whole_model(random: Path, tmp_path: Path) -> None:
    def refused(spoil: Callable[[Path], object]) -> str:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        shutil.copytree(random, folder)
        spoil(folder)
        with pytest.raises(ValueError, match=r"expected (the whole folder|an instruct model)") as error:
            LocalEngine(str(folder), device="cpu").reply([Message("user", "Go on.")], RED, 0)
        return str(error.value)

    def drop(folder: Path) -> None:
        weights = load_file(folder / "model.safetensors")
        save_file({name: weights[name] for name in sorted(weights)[1:]}, folder / "model.safetensors", {"format": "pt"})

    assert "cannot be loaded" in refused(lambda folder: (folder / "model.safetensors").unlink())
    assert "cannot be loaded" in refused(lambda folder: (folder / "model.safetensors").write_bytes(b"cut off"))
    assert "cannot be loaded" in refused(lambda folder: (folder / "config.json").write_text('{"model_type": "bert"}'))
    assert "the weights lack lm_head.weight" in refused(drop)
    assert "no reply" in refused(lambda folder: (folder / "chat_template.jinja").unlink())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"device": "abacus"}, "device: received 'abacus'"),
        ({"device": "meta:x"}, "device: received 'meta:x'"),
        ({"dtype": "float64"}, "dtype: received 'float64', expected one of auto, float32"),
        ({"temperature": -1.0}, r"temperature: received -1\.0"),
        ({"temperature": float("nan")}, "temperature: received nan"),
    ],
)
def test_settings_that_cannot_be(random: Path, words: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        LocalEngine(str(random), **words)


@pytest.mark.gpu
def test_a_gpu_writes_too(random: Path) -> None:
    engine = LocalEngine(str(random), temperature=1.0, max_tokens=16)
    assert (engine.describe()["device"], engine.describe()["dtype"]) == ("cuda", "bfloat16")
    first, again, other = (engine.reply([Message("user", "Go on.")], RED, attempt).text for attempt in (0, 0, 1))
    assert first == again != other
