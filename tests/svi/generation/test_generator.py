"""The clip loop with a real tiny transformer."""

from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch

from svi.backbones.wan import WanBackbone
from svi.generation.denoiser import Denoiser, Given
from svi.generation.generator import Generator
from svi.generation.probe import probe
from svi.generation.reel import Script, groups
from svi.settings import BackboneSettings, ConditionSettings, DataSettings, GenerateSettings
from tests.svi.conftest import CONDITION
from tests.svi.films import SETTINGS, decoded, films, folder, maker, quiet, scripts, sections
from tests.svi.wan_folder import KINDS, Kind, WanFolder, pipeline_latents


@pytest.mark.parametrize(("motion", "clips", "frames"), [(1, 4, 16), (1, 4, 17), (2, 3, 10)])
def test_every_clip_but_the_last_drops_its_overlap(tmp_path: Path, motion: int, clips: int, frames: int) -> None:
    condition = CONDITION.model_copy(update={"motion_frames": motion})
    maker(condition=condition).films(scripts(clips), frames, 8, tmp_path, quiet)
    film = np.load(tmp_path / "frames.npy")
    assert film.shape == (2, frames, 16, 16, 3)
    assert (film.reshape(2, frames, -1).max(axis=2) > 0).all()  # every frame was written
    assert decoded(tmp_path / "videos" / "film-0.mp4").shape == (frames, 128, 128, 3)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["frames.npy", "videos"]


@pytest.mark.parametrize("frames", [12, 18, 0])
def test_a_length_that_the_clips_do_not_have_is_refused(tmp_path: Path, frames: int) -> None:
    with pytest.raises(ValueError, match=f"received {frames}, expected 13 to 17 for 4 clips"):
        maker().films(scripts(4), frames, 8, tmp_path, quiet)


@pytest.mark.parametrize("name", ["a/b", "..", "a\\b", ""])
def test_names_that_no_file_can_have_are_refused(tmp_path: Path, name: str) -> None:
    script = scripts(2)[0]
    with pytest.raises(ValueError, match="expected a plain file name"):
        maker().films([type(script)(name, script.image, script.prompts)], 8, 8, tmp_path, quiet)


def test_equal_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected different names"):
        maker().films([scripts(2)[0]] * 2, 8, 8, tmp_path, quiet)


def test_behind_an_anchor_every_clip_is_the_anchor_the_last_latents_then_zeros(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SVI 2.0 Pro; before the first clip there is nothing but the anchor."""
    condition = ConditionSettings(motion_frames=1, padding="zeros", anchor=True)
    film, given = maker(SETTINGS.model_copy(update={"handoff": "latent"}), condition), []
    made = film.denoiser.clip

    def spy(one: Given, x: torch.Tensor) -> torch.Tensor:
        given.append(one.condition["latents"][:, 4:])
        return made(one, x)

    monkeypatch.setattr(film.denoiser, "clip", spy)
    story = scripts(3)
    film.films(story, 11, 8, tmp_path, quiet)
    anchor = film.backbone.encode(torch.from_numpy(np.stack([s.image for s in story]))[:, None])
    for clip, latents in enumerate(given):
        known = 1 if clip == 0 else 2
        assert torch.equal(latents[:, :, :1], anchor)
        assert latents[:, :, 1:known].any() == (clip > 0)
        assert not latents[:, :, known:].any()


def test_seeds(tmp_path: Path) -> None:
    """The same seed gives the same film, another seed or stride another; the first clip does not know the stride."""
    film = films(tmp_path, "a")
    assert np.array_equal(film, films(tmp_path, "b"))
    assert not np.array_equal(film, films(tmp_path, "c", seed=1))
    fixed = films(tmp_path, "d", seed_stride=0)
    assert np.array_equal(film[:, :4], fixed[:, :4])
    assert not np.array_equal(film, fixed)


@pytest.mark.parametrize(
    "changes",
    [{"handoff": "latent"}, {"prompts": "first"}],
)
def test_what_only_later_clips_know(tmp_path: Path, changes: dict[str, object]) -> None:
    film, other = films(tmp_path, "a"), films(tmp_path, "b", **changes)
    assert np.array_equal(film[:, :4], other[:, :4])
    assert not np.array_equal(film, other)


def test_guidance_negative_prompt_and_solver_change_the_film(tmp_path: Path) -> None:
    plain = films(tmp_path, "a")
    assert np.array_equal(plain, films(tmp_path, "b", negative_prompt="red disc"))  # guidance is off
    guided = films(tmp_path, "c", guidance=4.0)
    led = films(tmp_path, "d", guidance=4.0, negative_prompt="red disc")
    unipc = films(tmp_path, "e", solver="unipc", steps=4)
    for film in (guided, led, unipc):
        assert not np.array_equal(plain, film)
    assert not np.array_equal(guided, led)


def test_noise_by_the_raw_seed_is_what_one_generator_of_that_seed_gives(tmp_path: Path) -> None:
    """The same for every film, clip i from seed + i * stride, as the authors' code draws a clip's noise."""
    film, given = maker(SETTINGS.model_copy(update={"noise": "seed", "seed": 7})), []
    made = film.denoiser.clip

    def spy(one: Given, x: torch.Tensor) -> torch.Tensor:
        given.append(x)
        return made(one, x)

    film.denoiser.clip = spy  # type: ignore[method-assign]
    film.films(scripts(3), 13, 8, tmp_path, quiet)
    for clip, noise in enumerate(given):
        torch.manual_seed(7 + 42 * clip)
        expected = torch.randn(1, *film.backbone.latent_shape)
        assert torch.equal(noise, expected.expand(2, -1, -1, -1, -1))


def test_truncated_pixels_are_shown_and_handed_on(tmp_path: Path) -> None:
    """A decoder truncates: no level above the rounded one, half of them one below; the next clip starts from these."""
    rounded, truncated = films(tmp_path, "a").astype(int), films(tmp_path, "b", pixels="truncate").astype(int)
    darker = (rounded - truncated)[:, :4]  # the first clip: the same latents
    assert set(np.unique(darker)) == {0, 1}
    assert 0.2 < darker.mean() < 0.8
    assert not np.array_equal(rounded[:, 4:], truncated[:, 4:] + 1)


@pytest.mark.parametrize(("overlap_from", "anchor"), [("next", False), ("previous", False), ("previous", True)])
def test_the_frames_that_two_clips_share_are_those_of_the_next_or_of_the_previous_one(
    tmp_path: Path, overlap_from: Literal["next", "previous"], anchor: bool
) -> None:
    """With clips whose every frame has one grey level, 100 + 10 i + f for frame f of clip i; the last clip is cut short."""
    condition = CONDITION.model_copy(update={"motion_frames": 1 if anchor else 2, "anchor": anchor, "padding": "zeros"})
    generator = maker(SETTINGS.model_copy(update={"overlap_from": overlap_from}), condition)
    clips = iter(range(3))

    def grey(latents: torch.Tensor, **_: object) -> torch.Tensor:
        levels = 100 + 10 * next(clips) + torch.arange(5, dtype=torch.uint8)
        return levels[None, :, None, None, None].expand(1, 5, 16, 16, 3)

    generator.backbone.decode = grey  # type: ignore[method-assign]
    generator.films(scripts(3, 1), 10, 8, tmp_path, quiet)
    found = np.load(tmp_path / "frames.npy")[0, :, 0, 0, 0].tolist()
    expected = {
        "next": [100, 101, 102, 110, 111, 112, 120, 121, 122, 123],
        "previous": [100, 101, 102, 103, 104, 112, 113, 114, 122, 123],
    }
    assert found == expected[overlap_from]
    assert len(decoded(tmp_path / "videos" / "film-0.mp4")) == 10


def test_a_film_that_would_show_nothing_of_its_last_clip_is_refused(tmp_path: Path) -> None:
    settings = SETTINGS.model_copy(update={"overlap_from": "previous"})
    with pytest.raises(ValueError, match="received 9, expected 10 to 13 for 3 clips"):
        maker(settings).films(scripts(3), 9, 8, tmp_path, quiet)


def test_an_anchor_is_shown_to_nobody(tmp_path: Path) -> None:
    """With a backbone that decodes to the condition it was given, the film's frames tell which ones were conditions."""
    condition = CONDITION.model_copy(update={"anchor": True, "padding": "zeros"})
    generator = maker(condition=condition)
    channels = generator.backbone.latent_shape[0]
    generator.denoiser.clip = lambda given, x: given.condition["latents"][:, -channels:]  # type: ignore[method-assign]
    generator.films(scripts(3, 1), 3 * 3 + 2, 8, tmp_path, quiet)
    film = np.load(tmp_path / "frames.npy")[0].astype(float)
    # Clip 0: the image, then nothing. Clips 1 and 2: the anchor, unseen; what the clip before ended with; then nothing.
    distance = np.abs(film - film[1]).max(axis=(1, 2, 3))
    assert distance[0] > 50
    assert (distance[1:] < 3).all()


@pytest.mark.parametrize("solver", ["euler", "unipc"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_clip_of_wan_is_that_of_diffusers_pipeline(wan_folder: WanFolder, kind: Kind, solver: str) -> None:
    """To the last bit in float32: both experts, a guidance scale each, a negative prompt."""
    data = DataSettings(height=32, width=64, clip_frames=9)
    backbone = WanBackbone.load(wan_folder(kind), BackboneSettings(name="folder"), data)
    settings = GenerateSettings(
        steps=6, solver=solver, guidance=4.0, guidance_low=2.5 if kind == "wan2.2-i2v" else None
    )
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(1, *backbone.latent_shape, generator=generator)
    image = torch.randint(0, 256, (32, 64, 3), dtype=torch.uint8, generator=generator)

    given = Given(
        backbone.condition(image[None, None], image[None], ConditionSettings(motion_frames=1)),
        backbone.encode_text(["a cat walks"]),
        backbone.encode_text(["no text"]),
    )
    ours = Denoiser(backbone, backbone.transformers, settings).clip(given, noise)
    theirs = pipeline_latents(
        wan_folder(kind), image, "a cat walks", "no text", noise, 6, settings.shift, 4.0, settings.guidance_low, solver
    )
    assert torch.equal(ours, theirs)


def test_films_of_wan(tmp_path: Path, wan_folder: WanFolder) -> None:
    """Two experts, five motion frames, mp4 alone; the text encoder is gone when the first clip begins."""
    data = DataSettings(height=32, width=32, clip_frames=9)
    backbone = WanBackbone.load(wan_folder("wan2.2-i2v"), BackboneSettings(name="folder", text_tokens=16), data)
    settings = SETTINGS.model_copy(update={"guidance": 3.0, "lossless": False, "steps": 3})
    condition = ConditionSettings(motion_frames=5)
    loaded = []
    generator = Generator(backbone, backbone.transformers, sections(settings, condition))
    generator.films(
        scripts(3, 2, data), 17, 8, tmp_path, lambda done, total: loaded.append("text_encoder" in vars(backbone))
    )
    assert loaded == [False] * 4
    assert decoded(tmp_path / "videos" / "film-1.mp4").shape == (17, 128, 128, 3)
    assert not (tmp_path / "frames.npy").exists()


def sized(story: list[Script], *sizes: tuple[int, int]) -> list[Script]:
    """The same scripts with images of other sizes."""
    rng = np.random.default_rng(3)
    images = [rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in sizes]
    return [replace(script, image=image) for script, image in zip(story, images, strict=True)]


@pytest.mark.slow
def test_films_of_several_sizes_are_as_if_each_was_made_alone(
    tmp_path: Path, wan_folder: WanFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By one backbone that loads nothing again; one at a time, as a batch may change last digits."""
    settings = SETTINGS.model_copy(update={"lossless": False, "guidance": 2.0, "together": 1})
    loads: list[str] = []

    def make(name: str, story: list[Script], data: DataSettings) -> tuple[Path, dict[str, np.ndarray]]:
        backbone = WanBackbone.load(wan_folder("wan2.1-i2v"), BackboneSettings(name="folder", text_tokens=16), data)
        component = backbone._component
        monkeypatch.setattr(
            backbone, "_component", lambda what, **options: loads.append(what) or component(what, **options)
        )
        generator, made = (
            Generator(backbone, backbone.transformers, sections(settings, CONDITION)),
            folder(tmp_path, name),
        )
        before = [id(model) for model in generator.denoiser.models.values()]
        generator.films(story, 17, 8, made, quiet)
        assert [id(model) for model in generator.denoiser.models.values()] == before
        return made, probe(generator, story)

    data = DataSettings(height=32, width=32, clip_frames=9)
    story = sized(scripts(2, 3, data), (32, 48), (48, 32), (32, 48))
    made, found = make("together", story, data)
    assert loads.count("image_encoder") == loads.count("image_processor") == 1
    assert found["sizes"].tolist() == [[4, 6], [6, 4], [4, 6]]
    for row, script in enumerate(story):
        height, width, _ = script.image.shape
        alone, own = make(script.name, [script], data.model_copy(update={"height": height, "width": width}))
        video = f"videos/{script.name}.mp4"
        assert np.array_equal(decoded(made / video), decoded(alone / video))
        assert "sizes" not in own
        for name, values in own.items():
            assert np.array_equal(found[name][row, :, : height // 8, : width // 8], values[0])
            assert np.isnan(found[name][row]).sum() == found[name][row].size - values[0].size


def test_films_of_one_size_are_made_side_by_side() -> None:
    wide, tall = (16, 32), (32, 16)
    story = sized(scripts(1, 6), wide, tall, wide, wide, tall, wide)
    assert groups(story, 2) == [[0, 2], [3, 5], [1, 4]]
    assert groups(story, 16) == [[0, 2, 3, 5], [1, 4]]


def test_progress_counts_over_the_groups(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    apart = maker(SETTINGS.model_copy(update={"together": 1}))
    apart.films(scripts(2, 3), 8, 8, tmp_path, lambda done, total: seen.append((done, total)))
    assert seen == [(done, 6) for done in (0, 1, 2, 2, 3, 4, 4, 5, 6)]


def test_sizes_that_cannot_be_are_refused(tmp_path: Path) -> None:
    mixed = sized(scripts(2), (16, 16), (32, 16))
    with pytest.raises(ValueError, match=r"expected one size where frames\.npy keeps"):
        maker().films(mixed, 8, 8, tmp_path, quiet)
    with pytest.raises(ValueError, match=r"the tiny backbone was trained on 16 x 16 pixels.*received 32 x 16"):
        maker(SETTINGS.model_copy(update={"lossless": False})).films(mixed, 8, 8, tmp_path, quiet)


def test_films_are_the_same_whoever_makes_them(tmp_path: Path) -> None:
    """Two makers, the second one first, in the same folder; the first one then finds nothing that was left."""
    settings, asked = SETTINGS.model_copy(update={"together": 1}), (scripts(3), 13, 8)
    alone, shared = tmp_path / "alone", tmp_path / "shared"
    alone.mkdir()
    shared.mkdir()
    maker(settings).films(*asked, alone, quiet)
    made: list[int] = []
    for share in (slice(1, None, 2), slice(0, None, 2), slice(None)):
        maker(settings).films(*asked, shared, lambda done, _: made.append(done), share)
    assert made == [0, 1, 2, 3, 0, 1, 2, 3, 3, 6]
    names = sorted(str(file.relative_to(alone)) for file in alone.rglob("*.*"))
    assert sorted(str(file.relative_to(shared)) for file in shared.rglob("*.*")) == names
    assert len(names) == 3
    for name in names:
        assert (shared / name).read_bytes() == (alone / name).read_bytes()
