"""`harness generate` beside a finished experiment."""

import shutil
from pathlib import Path

import av
import pytest
from PIL import Image

from harness.commands.generate import _cut
from harness.core.store import Store
from harness.declare.settings import Settings
from harness.plan.model import Model
from svi.settings import BackboneSettings, DataSettings
from tests.harness.finished import finished
from tests.harness.small import SMALL, harness
from tests.svi.conditions.sounds import tone, write_sound


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
    assert "data.height=" not in done.stderr  # another size would need another base model
    assert (tmp_path / "out.mp4").is_file()


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


def test_what_is_cut_of_a_portrait_is_said_with_a_size_that_keeps_it(tmp_path: Path) -> None:
    Image.new("RGB", (1080, 1920)).save(tmp_path / "start.png")
    wan = Settings(backbone=BackboneSettings(name="folder"), data=DataSettings(height=480, width=832))
    assert list(_cut(tmp_path / "start.png", Model(wan))) == [
        "--image is 1080 x 1920 pixels, the film 832 x 480: rows 648 to 1270 of 1920 are kept, the other 68 % are cut",
        "for the whole image, make a film of its shape: data.height=848 data.width=480",
    ]
    Image.new("RGB", (1664, 960)).save(tmp_path / "start.png")
    assert list(_cut(tmp_path / "start.png", Model(wan))) == []


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
