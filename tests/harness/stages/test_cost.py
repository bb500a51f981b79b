"""What stages count: by hand, and the same after an interruption."""

import json
from pathlib import Path

import pytest

from harness.stages.cost import FilmCost
from svi.generation.generator import Generator
from tests.svi.films import SETTINGS, maker, scripts

CLIPS, FILMS, STEPS, TOKENS = 3, 2, 2, 5 * 2 * 2
FRAMES = CLIPS * 4 + 1  # clips of 5 frames that share one
SECONDS = FILMS * FRAMES / 8


def cost(folder: Path) -> dict[str, float]:
    found: dict[str, float] = json.loads((folder / "cost.json").read_text())
    return found


def make(generator: Generator, folder: Path, stop_at: int | None = None) -> None:
    """Two films, or as much of them as there is when so many clips of both are done."""

    def progress(done: int, total: int) -> None:
        if done == stop_at:
            raise KeyboardInterrupt

    counting = FilmCost.of(generator.denoiser, folder, SECONDS, progress)
    generator.films(scripts(CLIPS, FILMS), FRAMES, 8, folder, counting)


@pytest.mark.parametrize(("guidance", "passes"), [(1.0, 1), (3.0, 2)])
@pytest.mark.parametrize("together", [1, 2])
def test_a_clip_costs_a_pass_a_step_and_two_with_guidance(
    guidance: float, passes: int, together: int, tmp_path: Path
) -> None:
    make(maker(SETTINGS.model_copy(update={"guidance": guidance, "together": together})), tmp_path)
    evaluations = FILMS * CLIPS * STEPS * passes
    assert cost(tmp_path) == {
        "calls": evaluations / together,
        "evaluations": evaluations,
        "tokens": evaluations * TOKENS,
        "clips": FILMS * CLIPS,
        "before_first": STEPS * passes,
        "film_seconds": SECONDS,
    }


def test_films_that_were_interrupted_cost_as_much_as_others(tmp_path: Path) -> None:
    whole, resumed = tmp_path / "whole", tmp_path / "resumed"
    for folder in (whole, resumed):
        folder.mkdir()
    make(maker(), whole)
    with pytest.raises(KeyboardInterrupt):
        make(maker(), resumed, stop_at=FILMS)
    begun = maker()
    begun.denoiser.clip = lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):  # a clip that is begun and lost
        make(begun, resumed)
    make(maker(), resumed)
    assert cost(resumed) == cost(whole)


def test_a_clip_whose_count_was_lost_costs_as_much_as_those_before(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        make(maker(), tmp_path, stop_at=2 * FILMS)
    kept = cost(tmp_path)
    counted = {name: kept[name] / 2 for name in ("calls", "evaluations", "tokens")}
    (tmp_path / "cost.json").write_text(json.dumps({**kept, **counted, "clips": FILMS}))  # of one clip a film
    make(maker(), tmp_path)
    assert cost(tmp_path)["evaluations"] == FILMS * CLIPS * STEPS


def test_clips_that_nobody_counted_cost_as_much_as_those_that_follow(tmp_path: Path) -> None:
    whole, resumed = tmp_path / "whole", tmp_path / "resumed"
    for folder in (whole, resumed):
        folder.mkdir()
    make(maker(), whole)
    with pytest.raises(KeyboardInterrupt):
        make(maker(), resumed, stop_at=FILMS)
    (resumed / "cost.json").unlink()
    make(maker(), resumed)
    assert cost(resumed) == cost(whole)


def test_the_last_clip_whose_count_was_lost_is_counted_too(tmp_path: Path) -> None:
    make(maker(), tmp_path)
    whole = cost(tmp_path)
    share = (CLIPS - 1) / CLIPS
    kept = {name: share * whole[name] for name in ("calls", "evaluations", "tokens", "clips")}
    (tmp_path / "cost.json").write_text(json.dumps({**whole, **kept}))
    make(maker(), tmp_path)
    assert cost(tmp_path) == whole


def test_a_loop_may_say_when_the_first_frames_are_known(tmp_path: Path) -> None:
    generator = maker()
    made = generator.denoiser.velocity

    def velocity(*given: object) -> object:
        found = made(*given)  # type: ignore[arg-type]
        generator.denoiser.known()
        return found

    generator.denoiser.velocity = velocity  # type: ignore[method-assign,assignment]
    make(generator, tmp_path)
    assert cost(tmp_path)["before_first"] == 1
