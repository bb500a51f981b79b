"""BAgger: films reversed in time, cut where they get better, under prompts that name what is seen."""

from pathlib import Path

import numpy as np
import pytest
import torch

from svi.data import world
from svi.data.footage import WorldFootage
from svi.objectives.bagger import Bagger, drift
from svi.objectives.rollout import Rolled, Starts
from tests.svi.conftest import DATA
from tests.svi.data.videos import make_video
from tests.svi.objectives.rolling import (
    interrupted,
    open_wan,
    settings,
    setup,
    stepped,
    steps_on_wan,
)
from tests.svi.wan_folder import ONE_QUICK, Kind, WanFolder


def drifting(objective: Bagger, monkeypatch: pytest.MonkeyPatch, fade: float) -> None:
    """Rollouts that are the true film, but darker by `fade` a frame: what a model that drifts makes, known to the pixel."""

    def roll(model: object, starts: Starts) -> list[Rolled]:
        length = 4 * objective.rollouts.clips + 1
        true = np.stack([world.render([WorldFootage(DATA).scenes[row]] * length) for row in starts.rows])
        film = (true * (1 - fade * np.arange(length))[:, None, None, None]).astype(np.uint8)
        return [Rolled(film[:, at : at + 5], {}) for at in range(0, length - 1, 4)]

    monkeypatch.setattr(objective.rollouts, "roll", roll)


def brightness(objective: Bagger, frame: int) -> torch.Tensor:
    """Of a frame of each clip of the pool, over that of the same scene undrifted: its prompt's background tells which."""
    assert objective.pool.clips is not None
    return objective.backbone.decode(objective.pool.clips.latents)[:, frame].float().mean(dim=(1, 2, 3))


def test_reversed_clips_begin_drifted_and_end_clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is brighter at its end than where it starts, the last of each film ends as the film began, and the condition is the
    drifted start."""
    made = setup(tmp_path, settings(starts=4))
    objective = Bagger(made)
    drifting(objective, monkeypatch, 0.03)
    stepped(objective, made.model)
    assert len(objective.pool) == 12
    first, last = brightness(objective, 0), brightness(objective, 4)
    assert (last > first + 3).all()
    films = torch.stack([first, last]).unflatten(1, (3, 4))  # a film's clips follow each other, four films side by side
    assert (films[0, 1:] - films[1, :-1]).abs().max() < 3
    (starts,) = objective.rollouts.of_step(0)
    assert (films[1, 2] - starts.images.float().mean(dim=(1, 2, 3))).abs().max() < 5
    assert objective.pool.clips is not None
    shown = objective.backbone.decode(objective.pool.clips.condition["latents"][:, 4:])[:, 0]
    assert torch.equal(shown, objective.backbone.decode(objective.pool.clips.latents)[:, 0])


def test_the_prompt_names_the_reversed_motion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a film that does not drift in what is seen but by a level: reversed clips are true clips of the prompt's motion."""
    made = setup(tmp_path, settings(starts=4))
    objective = Bagger(made)
    drifting(objective, monkeypatch, 0.004)
    stepped(objective, made.model)
    (starts,) = objective.rollouts.of_step(0)
    scenes = [WorldFootage(DATA).scenes[row] for row in starts.rows]
    assert objective.pool.clips is not None
    texts, latents = objective.pool.clips.text, objective.pool.clips.latents
    reversed_ones = made.backbone.encode_text([scene.reversed.prompt for scene in scenes])
    for clip in range(len(objective.pool)):
        (film,) = [i for i in range(4) if torch.equal(texts[clip], reversed_ones[i])][:1]
        seen = made.backbone.decode(latents[clip : clip + 1])[0].numpy().astype(float)
        errors = []
        for scene in (scenes[film].reversed, scenes[film]):
            tracks = [world.render([scene.later(at)] * 5) for at in range(-16, 17)]
            errors.append(min(((seen - track) ** 2).mean() for track in tracks))
        assert errors[0] < errors[1]


def test_films_that_do_not_drift_teach_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor do those that get brighter on the way, and would end worse: the share of own clips stays empty, the step is plain."""
    made = setup(tmp_path, settings(starts=4))
    objective = Bagger(made)

    def better_and_better(model: object, starts: Starts) -> list[Rolled]:
        film = starts.images[:, None].repeat(1, 13, 1, 1, 1).numpy() * np.linspace(0.5, 1, 13)[:, None, None, None]
        return [Rolled(film[:, at : at + 5].astype(np.uint8), {}) for at in (0, 4, 8)]

    monkeypatch.setattr(objective.rollouts, "roll", better_and_better)
    clips = objective.clips(range(4))
    plain = objective.matched(made.model, clips)
    assert torch.equal(stepped(objective, made.model), plain.detach())
    assert len(objective.pool) == 0


def test_drift_is_in_colour_and_contrast() -> None:
    image = world.render([WorldFootage(DATA).scenes[0]])
    darker, flatter = (image * 0.8).astype(np.uint8), (image * 0.5 + image.mean() * 0.5).astype(np.uint8)
    assert drift(image, image)[0] == 0
    assert drift(darker, image)[0] > 10
    assert drift(flatter, image)[0] > 10
    assert drift(np.roll(image, 5, axis=2), image)[0] < 1e-9


def test_rounds_add_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A round every few steps, each with films of its own."""
    made = setup(tmp_path, settings(starts=2, every=2))
    objective = Bagger(made)
    drifting(objective, monkeypatch, 0.03)
    sizes = [len(objective.pool) for step in range(5) if stepped(objective, made.model, step) is not None]
    assert sizes == [6, 6, 12, 12, 18]
    assert objective.log() == {"bagger/clips": 18}


def test_captions_of_real_videos_are_refused(tmp_path: Path) -> None:
    (tmp_path / "videos").mkdir()
    make_video(tmp_path / "videos" / "one.mp4")
    data = DATA.model_copy(update={"path": str(tmp_path / "videos")})
    with pytest.raises(ValueError, match="'A video' names a motion in words of its own, which no rule turns around"):
        Bagger(setup(tmp_path, settings(data=data)))


def test_interrupted_and_resumed_is_bit_identical(tmp_path: Path) -> None:
    _, state = interrupted(Bagger, tmp_path)
    assert len(state["latents"]) > 0


@pytest.mark.parametrize("kind", ONE_QUICK)
def test_a_step_and_two_clips_on_wan(kind: Kind, wan_folder: WanFolder, tmp_path: Path) -> None:
    """On clips of the embedded world, whose prompts can be turned around."""
    backbone, read = open_wan(wan_folder(kind), clips=2, starts=2, share=1.0)
    steps_on_wan(Bagger, tmp_path, backbone, read)
