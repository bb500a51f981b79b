"""`harness generate` beside a finished experiment."""

import shutil
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from harness.core.store import Store
from svi.generation.clips import ClipLoop
from svi.generation.loop import Films, State
from svi.lora import files
from svi.lora.files import LoraWeights
from svi.settings import TinySettings
from tests.harness.finished import finished
from tests.harness.small import SMALL, harness
from tests.svi.conditions.sounds import tone, write_sound
from tests.svi.films import decoded


def tiny_lora(rank: int, alpha: float, seed: int) -> LoraWeights:
    """Of the attention of these films' one block; trained by nobody."""
    generator, width = torch.Generator().manual_seed(seed), TinySettings().heads * TinySettings().head_dim
    modules = {
        f"blocks.0.attn{n}.{name}": (
            torch.randn(rank, width, generator=generator),
            0.3 * torch.randn(width, rank, generator=generator),
        )
        for n in (1, 2)
        for name in ("to_q", "to_v")
    }
    return LoraWeights(modules, alpha, "peft")


def frames_of(video: Path) -> list[bytes]:
    with av.open(str(video)) as container:
        return [frame.to_ndarray(format="rgb24").tobytes() for frame in container.decode(video=0)]


@pytest.fixture
def asked(tmp_path: Path) -> list[str]:
    """The words of a command for a short film of a portrait."""
    Image.new("RGB", (90, 160), (200, 40, 90)).save(tmp_path / "start.png")
    (tmp_path / "prompts.txt").write_text("red disc slowly east sand stripes")
    image, prompts = (str(tmp_path / name) for name in ("start.png", "prompts.txt"))
    return ["generate", str(tmp_path / "out.mp4"), "--image", image, "--prompts", prompts, "--seconds", "4", *SMALL]


def test_a_film_is_made_by_the_base_model_that_is_there(tmp_path: Path, asked: list[str]) -> None:
    store = tmp_path / "runs"
    shutil.copytree(finished(), store)
    before = list(Store(store).manifests("backbone"))
    done = harness(*asked, store=store)
    assert done.returncode == 0, done.stderr
    assert list(Store(store).manifests("backbone")) == before
    cut = "--image is 90 x 160 pixels, the film 16 x 16: rows 35 to 124 of 160 are kept, the other 44 % are cut"
    assert cut in done.stderr
    assert "for the whole of it: --fit pad" in done.stderr
    cropped = decoded(tmp_path / "out.mp4")
    padded = harness(*asked, "--fit", "pad", store=store)
    assert padded.returncode == 0, padded.stderr
    assert "the film 16 x 16: 44 % of it are black bars" in padded.stderr
    assert decoded(tmp_path / "out.mp4")[0, :, 0].mean() < cropped[0, :, 0].mean()  # the left border


def test_what_is_no_image_is_refused_before_anything_is_trained(tmp_path: Path, asked: list[str]) -> None:
    (tmp_path / "start.png").write_text("not an image")
    done = harness(*asked, store=tmp_path / "runs")
    assert done.returncode == 2
    assert "received no readable image" in done.stderr
    assert not (tmp_path / "runs" / "artifacts").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("condition.signal=audio",), "the film has nothing to follow; give it a file by --signal FILE"),
        (("--signal", "{sound}"), "nothing says what it is; set condition.signal to audio or pose"),
        (("--signal", "{sound}", "condition.signal=audio"), "lasts for 3 frames at 2 a second, and the film would have 8; ask for "
            "at most --seconds 1.5"),
        (("--signal", "{image}", "condition.signal=audio"), "received a file without sound"),
        (("--signal", "{sound}", "condition.signal=pose"), "received no readable video"),
        (("--signal", "{sound}", "condition.signal=audio", "generate.signal=another"), "there is one film alone"),
    ],
)  # fmt: skip
def test_a_signal_that_a_film_cannot_follow_is_refused(
    tmp_path: Path, asked: list[str], words: tuple[str, ...], said: str
) -> None:
    files = {"sound": write_sound(tmp_path / "voice.wav", tone(1.5)), "image": tmp_path / "start.png"}
    done = harness(*asked, *(word.format(**files) for word in words), store=tmp_path / "runs")
    assert done.returncode == 2
    assert said in done.stderr
    assert not (tmp_path / "runs" / "artifacts").exists()


def test_a_film_of_the_embedded_world_follows_a_sound_to_its_end(tmp_path: Path, asked: list[str]) -> None:
    """What it is called does not matter, what it is does."""
    without = [word for i, word in enumerate(asked) if "--seconds" not in asked[max(0, i - 1) : i + 1]]
    films = []
    for name, loud in (("a", 0.3), ("b", 0.3), ("c", 0.01)):
        file = write_sound(tmp_path / f"{name}.wav", tone(2.5, loud=loud))
        done = harness(*without, "condition.signal=audio", "--signal", str(file), store=tmp_path / "runs")
        assert done.returncode == 0, done.stderr
        assert f"the film ends with {file}, after 2.5 s" in done.stderr
        with av.open(str(tmp_path / "out.mp4")) as container:
            assert container.streams.audio
            films.append([one.to_ndarray(format="rgb24").tobytes() for one in container.decode(video=0)])
    assert len(films[0]) == 5
    assert films[0] == films[1] != films[2]
    assert len(list(Store(tmp_path / "runs").manifests("film"))) == 2


def test_a_film_comes_about_by_the_method_that_is_asked_for(tmp_path: Path, asked: list[str]) -> None:
    """A loop that needs no training makes another film than the usual one; a memory that is settings is these settings."""
    store, films = tmp_path / "runs", {}
    shutil.copytree(finished(), store)
    usual = ("method.memory=anchor_latents", "condition.anchor=true")
    for word in ("method.generation=free_noise", *usual):
        done = harness(*asked, word, store=store)
        assert done.returncode == 0, done.stderr
        films[word] = (tmp_path / "out.mp4").read_bytes()
    assert films[usual[0]] == films[usual[1]]
    kept = [manifest["identity"] for manifest in Store(store).manifests("film")]
    assert [one.get("method.generation") for one in kept].count("free_noise") == 1
    assert len(kept) == 2
    for loop in ("stream", "blocks"):  # no LoRA says that it was trained for them
        refused = harness(*asked, f"method.generation={loop}", store=store)
        assert refused.returncode == 2
        assert f"method.generation={loop} needs" in refused.stderr


def test_one_prompt_of_ten_changed_makes_only_the_clips_from_there_on(
    tmp_path: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted where they are made; a film of fewer prompts, or of the first ones again, makes none."""
    shutil.copytree(finished(), tmp_path / "runs")
    made, make = list[int](), ClipLoop.next

    def counted(loop: ClipLoop, films: Films, clip: int, past: State | None) -> object:
        made.append(clip)
        return make(loop, films, clip, past)

    monkeypatch.setattr(ClipLoop, "next", counted)
    words = ["east", "north", "west", "south", "east", "south", "north", "west", "east", "north"]
    changed = [*words[:6], "south", *words[7:]]
    films, counts = [], []
    for said in (words, changed, words[:5], words):
        made.clear()
        (tmp_path / "prompts.txt").write_text("\n".join(f"red disc slowly {word} sand stripes" for word in said))
        asked[asked.index("--seconds") + 1] = str(4 * len(said))  # a clip of 4 s has a prompt of its own
        streamed = ["--stream"] if said == changed else []
        done = harness(*asked, "generate.fps=1", *streamed, store=tmp_path / "runs")
        assert done.returncode == 0, done.stderr
        films.append(decoded(tmp_path / "out.mp4"))
        counts.append(list(made))
        if said == changed:
            assert "6 of 10 clips are there already; 4 others are made" in done.stderr
    assert counts == [list(range(10)), [6, 7, 8, 9], [], []]
    first, other, shorter, again = films
    assert np.array_equal(first, again)
    assert np.array_equal(first[: len(shorter) - 1], shorter[:-1])
    kept = next(i for i, pair in enumerate(zip(first, other, strict=True)) if not np.array_equal(*pair))
    assert 24 <= kept < 28  # within the seventh clip


def test_a_film_is_made_with_a_stack_of_loras(tmp_path: Path, asked: list[str]) -> None:
    """On the embedded model: both act, strength and order are identity, one file as it was trained has the name it always had."""
    store = tmp_path / "runs"
    shutil.copytree(finished(), store)
    for seed, (name, rank, alpha) in enumerate((("a", 4, 8.0), ("b", 2, 2.0))):
        files.write(tiny_lora(rank, alpha, seed), tmp_path / f"{name}.safetensors", "comfyui")
    a, b = (str(tmp_path / f"{name}.safetensors") for name in "ab")
    films = {}
    for words in (
        (),
        (a,),
        (a, f"{b}:0.8"),
        (a, f"{b}:0"),
        (f"{a}:0.5", f"{b}:0.4"),
        (a, f"{b}:0.8", "generate.alpha=0.5"),
    ):
        loras = (word for lora in words for word in (("--lora", lora) if lora.startswith("/") else (lora,)))
        done = harness(*asked, *loras, store=store)
        assert done.returncode == 0, done.stderr
        films[words] = frames_of(tmp_path / "out.mp4")
    plain, one, both, silent, half, share = films.values()
    assert plain != one != both != plain
    assert silent == one
    assert both != half == share
    kept = [manifest["identity"]["loras.fingerprint"] for manifest in Store(store).manifests("film")]
    (alone,) = next(entry for entry in kept if len(entry) == 1 and isinstance(entry[0], str))
    stacks = [entry[0] for entry in kept if entry and isinstance(entry[0], list)]
    assert sorted(stack[1][1] for stack in stacks) == [0, 0.4, 0.8, 0.8]
    assert {(content, strength) for (content, strength), _ in stacks} == {(alone, 1), (alone, 0.5)}


def test_a_lora_with_keys_that_would_be_lost_is_refused_before_anything_is_trained(
    tmp_path: Path, asked: list[str]
) -> None:
    file = tmp_path / "a.safetensors"
    files.write(tiny_lora(2, 2.0, 0), file, "comfyui")
    save_file({**load_file(file), "diffusion_model.blocks.0.self_attn.q.dora_scale": torch.ones(4)}, file)
    done = harness(*asked, "tiny.seed=7", "--lora", str(file), store=tmp_path / "runs")
    assert done.returncode == 2
    assert "unexpected keys, which would be lost: diffusion_model.blocks.0.self_attn.q.dora_scale" in done.stderr
    assert not (tmp_path / "runs" / "artifacts").exists()
