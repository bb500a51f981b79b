"""The desk over a real model: clips with settings of their own, failures, several at once, export and replay."""

import json
import shutil
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from harness.core.artifacts import TAKES
from harness.core.errors import UseError
from harness.core.store import Store
from harness.declare.spec import parse_overrides
from harness.desk import show
from harness.desk.desk import Asked, Desk
from harness.desk.record import Recorder
from harness.desk.shelf import ChangedElsewhere, Shelf
from harness.plan.shots import Setup, Start
from harness.results.garbage import garbage
from harness.results.reports import REPORTS
from harness.results.runs import RECORDS
from svi.generation.takes import PAST, Link, Takes
from tests.harness.commands.wan_words import WORDS
from tests.harness.desk.films import PROMPT, asked, begun, desk_of, shot
from tests.harness.finished import copied
from tests.harness.small import SMALL, harness
from tests.harness.wan import wan
from tests.svi.films import decoded


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return desk_of(tmp_path / "runs")


def test_a_film_of_clips_with_their_own_settings_is_replayed_bit_for_bit(desk: Desk, tmp_path: Path) -> None:
    film = begun(desk, tmp_path)
    shot(desk, film)
    shot(desk, film, "blue disc quickly north sand stripes", guidance=3.0, steps=3)
    shot(desk, film, seed=11, motion_frames=2, padding="zeros")
    making = shot(desk, film, padding=1)
    video, prompts, settings, image = desk.export(film, making)
    assert prompts.read_text().splitlines() == [take.prompt for take in making.film]
    there = json.loads(settings.read_text())
    assert [clip["own"]["condition.motion_frames"] for clip in there["clips"]] == [1, 1, 2, 1]
    frames = decoded(video)
    assert len(frames) / desk.fps == desk.seconds(film, making) == (4 + 3 + 4 + 5) / 2
    pieces = desk.watched(film, making, str(making.head))
    (tmp_path / "watched.mp4").write_bytes(b"".join(piece.read_bytes() for piece in pieces))
    assert np.array_equal(decoded(tmp_path / "watched.mp4"), frames)
    away = tmp_path / "elsewhere"
    away.mkdir()
    for file in (settings, image):
        shutil.copy(file, away / file.name)
    out = tmp_path / "again.mp4"
    done = harness("generate", str(out), "--replay", str(away / settings.name), store=copied(tmp_path / "other"))
    assert done.returncode == 0, done.stderr
    assert out.read_bytes() == video.read_bytes()
    there["clips"][1]["seed"] += 1
    (away / settings.name).write_text(json.dumps(there))
    refused = harness("generate", str(out), "--replay", str(away / settings.name), store=tmp_path / "other")
    assert refused.returncode == 2
    assert "clip 2 would not be the same" in refused.stderr


def test_what_stands_beside_a_replay_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    file.write_text("{}")
    words = ("generate", str(tmp_path / "a.mp4"), "--replay", str(file))
    assert "--seed beside --replay" in harness(*words, "--seed", "3", store=tmp_path / "runs").stderr
    refused = harness(*words, store=tmp_path / "runs")
    assert refused.returncode == 2
    assert "expected the settings.json of a film that `harness desk` exported" in refused.stderr


def test_the_takes_of_a_desk_are_those_of_a_single_film(desk: Desk, tmp_path: Path) -> None:
    film = begun(desk, tmp_path)
    shot(desk, film)
    shot(desk, film)
    (tmp_path / "prompts.txt").write_text(PROMPT)
    image, prompts = str(tmp_path / "start.png"), str(tmp_path / "prompts.txt")
    out = tmp_path / "out.mp4"
    words = ["generate", str(out), "--image", image, "--prompts", prompts, "--seconds", "4", *SMALL]
    desk.shelf.folder(film).joinpath("start.png").rename(image)  # as the desk keeps it
    done = harness(*words, store=tmp_path / "runs")
    assert done.returncode == 0, done.stderr
    assert "2 of 2 clips are there already" in done.stderr


def test_a_clip_that_fails_leaves_the_film_as_it_was(desk: Desk, tmp_path: Path) -> None:
    film = begun(desk, tmp_path)
    before = shot(desk, film)
    past = desk.takes.folder / str(before.head)[:32] / PAST
    past.write_bytes(past.read_bytes()[:20])
    with pytest.raises(Exception, match=r"(?i)zip|pickle|file"):
        shot(desk, film)
    with pytest.raises(UseError, match=r"condition.motion_frames"):
        shot(desk, film, motion_frames=99)
    with pytest.raises(UseError, match="there is no prompt"):
        shot(desk, film, " ")
    assert desk.shelf.read(film) == before


def test_a_lost_take_is_made_again_with_its_own_settings(desk: Desk, tmp_path: Path) -> None:
    film = begun(desk, tmp_path)
    first = str(shot(desk, film, steps=3).head)
    frames = desk.takes.frames(first)
    shutil.rmtree(desk.takes.folder)
    making = shot(desk, film)
    assert np.array_equal(Takes(desk.takes.folder).frames(first), frames)
    shutil.rmtree(desk.takes.folder)
    shots = [desk.shot(film, making, take.own) for take in making.film]
    links = [Link(take.root, take.prompt, take.seed) for take in making.film]
    with pytest.raises(ValueError, match=r"clip 1 .* is not there"):
        desk.studio(shots[1]).shoot(shots[1].settings, links, desk.takes)


def test_two_tabs_that_ask_at_once_do_no_harm(desk: Desk, tmp_path: Path) -> None:
    """Of one film: the later one is refused, or kept beside; of two films: each has its own clips."""
    films = [begun(desk, tmp_path) for _ in range(2)]
    usual, refused = asked(desk), list[str]()

    def ask(film: str, seed: int) -> None:
        try:
            desk.make(film, Asked(None, PROMPT, seed, usual), 0)
        except ChangedElsewhere as error:
            refused.append(str(error))

    threads = [threading.Thread(target=ask, args=(film, seed)) for film in films for seed in (1, 2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for film in films:
        making = desk.shelf.read(film)
        assert len(making.film) == 1
        assert len(making.takes) + len(refused) >= 3
        assert {take.before for take in making.takes} == {None}
    kept = desk.shelf.read(films[0]).takes[0]  # of whichever seed: those that came late were refused
    alone = shot(desk, begun(desk, tmp_path), seed=kept.seed)
    assert kept.name == alone.head
    with pytest.raises(ChangedElsewhere):
        desk.shelf.change(films[0], lambda making: making.undone(), 0)


def test_a_killed_desk_is_opened_again_and_keeps_its_takes_from_the_sweeper(desk: Desk, tmp_path: Path) -> None:
    film = begun(desk, tmp_path)
    shot(desk, film)
    making = shot(desk, film).cut(desk.shelf.read(film).film[0].name)
    desk.shelf.change(film, lambda _: making)
    again = desk_of(tmp_path / "runs")
    assert [(one, len(found.film), len(found.takes)) for one, found in again.films()] == [(film, 1, 2)]
    free = desk.takes.folder / ("ab" * 16)
    free.mkdir()
    (desk.shelf.root / ".pictures").mkdir()
    for named in (RECORDS, REPORTS, "tracking"):  # by the experiment's run, whose base model is the desk's
        shutil.rmtree(desk.store.root / named, ignore_errors=True)
    found = [one.path for one in garbage(desk.store, 0, films=True)]
    assert [path for path in found if path.parent.name == TAKES] == [free]
    base = {desk.store.find(signature) for signature in desk.shots.base.values()}
    assert base
    assert not base & {*found}
    other = Desk(type(desk.setup)("tiny", (), {**desk.setup.overrides, "generate.steps": 3}, ()), desk.store)
    assert list(other.films()) == []


def test_the_gauge_says_what_the_scorers_say_and_the_probe_gain_and_eps(desk: Desk, tmp_path: Path) -> None:
    film = begun(desk, tmp_path)
    told = list[tuple[int, int]]()
    making = desk.make(film, Asked(None, PROMPT, None, asked(desk, guidance=2.0)), 0, lambda *at: told.append(at))
    assert told == [(done, 4) for done in range(5)]
    making = shot(desk, film)
    first, last = (take.gauge for take in making.film)
    assert first["seam"] is None
    assert last["seam"] >= 1
    frames = desk.takes.frames(str(making.head))
    assert last["motion"] is not None
    assert np.isclose(float(last["overexposed"] or 0), (frames @ [0.299, 0.587, 0.114] >= 250).mean())
    assert making.film[0].probed == {}
    measured = desk.probe(film, making).film[0].probed
    assert {"gain", "eps"} == set(measured)
    again = Shelf(desk.store.root).read(film)  # as a page that is opened later shows it
    assert (again.film[0].probed, again.revision) == (measured, making.revision)
    assert f"<output>{measured['gain']:.3f}</output>" in show.gauge(again.film)


def test_what_the_film_cuts_of_its_image_is_said(desk: Desk, tmp_path: Path) -> None:
    film = begun(desk, tmp_path)
    image = desk.shelf.folder(film) / "start.png"
    cut = "the image is 90 x 160 pixels, the film 16 x 16: rows 35 to 124 of 160 are kept, the other 44 % are cut"
    assert desk.shots.lost(Start(image, "crop")) == f"{cut}; for the whole of it: Fit pad"
    assert desk.shots.lost(Start(image, "pad")).endswith("the film 16 x 16: 44 % of it are black bars")
    assert desk.shots.fits == ("crop", "pad")
    with pytest.raises(UseError, match="films of one size alone"):
        desk.shots.shot(Start(image, "whole"), asked(desk))


def test_a_film_of_a_wan_has_the_shape_of_its_image_where_that_is_asked_for(tmp_path: Path) -> None:
    setup = Setup("folder", (), parse_overrides([*WORDS, "data.width=32", f"backbone.weights={wan()}"]), ())
    desk = Desk(setup, Store(tmp_path / "runs"))
    Image.new("RGB", (30, 120), (200, 40, 90)).save(tmp_path / "start.png")
    film = desk.begin("A film", tmp_path / "start.png", "whole")
    making = shot(desk, film, "a dog runs")
    frames = desk.takes.frames(str(making.head))
    assert frames.shape[1:3] == (64, 16)
    assert desk.shots.lost(Start(tmp_path / "start.png", "whole")) == ""
    assert desk.directed(making).fit == "whole"
    other = desk.begin("A film", tmp_path / "start.png", "crop")
    assert desk.takes.frames(str(shot(desk, other, "a dog runs").head)).shape[1:3] == (32, 32)


def test_a_film_is_a_run_in_mlflow(desk: Desk, tmp_path: Path) -> None:
    from mlflow import MlflowClient

    from tests.harness.small import database

    shutil.copy(database(), desk.store.root / "mlflow.db")
    film, client = begun(desk, tmp_path), MlflowClient(f"sqlite:///{desk.store.root / 'mlflow.db'}")

    def run() -> Any:
        experiment = client.get_experiment_by_name("desk")
        return next(iter(client.search_runs([experiment.experiment_id])), None) if experiment else None

    def clips(of: Any) -> list[int]:
        return [one.step for one in client.get_metric_history(of.info.run_id, "gauge/motion")] if of else []

    with Recorder(desk) as recorder:
        for clip in range(2):
            making = shot(desk, film)
            recorder.film(film)
            until = time.monotonic() + 120
            while len(clips(run())) <= clip:  # before the film ends
                assert time.monotonic() < until
                time.sleep(0.1)
        assert (run().info.run_name, run().info.status) == ("A film", "RUNNING")
        desk.export(film, making)
        recorder.film(film, exported=True)
    ended = run()
    assert (clips(ended), ended.info.status) == ([0, 1], "FINISHED")
    assert {Path(one.path).name for one in client.list_artifacts(ended.info.run_id, "film")} >= {
        "a-film.mp4",
        "settings.json",
    }
