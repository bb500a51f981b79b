from pathlib import Path

import numpy as np

from benchmarks.films.film import FilmFolder
from benchmarks.films.info import FilmInfo, FilmSample
from benchmarks.scorers.truth import KnownScene
from harness.stages.scripts import write_true_films
from svi.data import world
from svi.generation.reel import Script

FRAMES, STEP = 13, 4


def test_the_truth_says_where_the_object_is_and_where_its_prompts_lead(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    story = world.storyline(world.draw_scene(rng, 16, 24), 3, rng)
    prompts = tuple(scene.prompt for scene in story)
    write_true_films(tmp_path, [story], [Script("a", world.render(story[:1])[0], prompts, None)], FRAMES, STEP)
    sample = FilmSample("a", prompts, "videos/a.mp4", (16, 24))
    FilmInfo("creative-50s", 1, "model", "0", 8, 5, 1, 3, FRAMES, (sample,)).write(tmp_path)
    np.save(tmp_path / "frames.npy", np.load(tmp_path / "continuation.npy"))
    films = FilmFolder(tmp_path)
    assert films.missing("course") is None
    film = films.film(0)
    truth = film.truth
    assert truth is not None
    assert truth.grid is not None
    assert truth.places is not None
    assert truth.velocities is not None
    assert truth.velocities[:, 0].tolist() == [list(story[min(f // STEP, 2)].velocity) for f in range(FRAMES)]
    steps = np.diff(truth.places[:, 0], axis=0)
    size = np.array([24, 16])
    assert np.allclose((steps + size / 2) % size - size / 2, truth.velocities[:-1, 0])
    found, kept = KnownScene(film).find(film.frames[:])
    assert kept.tolist() == [[1]] * FRAMES
    off = (truth.grid[found] - truth.places + size / 2) % size - size / 2
    assert np.abs(off).max() <= 0.75
    stamps = truth.object_stamps
    assert stamps is not None
    assert np.allclose(np.roll(stamps[0, 0, 0, :, :, 3], (5, 7), (0, 1)), truth.object_masks[0, 5 * 24 + 7])
    assert np.allclose(stamps[0, 4, 2, ..., 3], world.mask(story[0], 2 / 8, 4 / 8))
