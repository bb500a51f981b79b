"""Bad input: exit code 2, one clear message, no traceback."""

import json
from pathlib import Path

import pytest

from tests.harness.small import harness


def refused(*arguments: str, store: Path) -> str:
    done = harness(*arguments, store=store)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("run", "ablation_eimgg"), ["unknown experiment 'ablation_eimgg'", "did you mean 'ablation_eimg'"]),
        (("run", "ablation_eimg", "--only", "no_img"), ["no_img", "no_e_img"]),
        (("run", "ablation_eimg", "--profile", "tinny"), ["unknown profile 'tinny'", "did you mean 'tiny'"]),
        (("run", "ablation_eimg", "--recipe", "papper"), ["unknown recipe 'papper'", "did you mean 'paper'"]),
        (("run", "ablation_eimg", "train.stepz=3"), ["train.stepz", "train.steps"]),
        (("run", "ablation_eimg", "trian.steps=3"), ["trian.steps", "train"]),
        (("run", "ablation_eimg", "train.steps=-3"), ["train.steps", "-3", "command line"]),
        (("run", "ablation_eimg", "train.schedule=linear"), ["train.schedule", "linear", "cosine"]),
        (("run", "ablation_eimg", "train.steps"), ["train.steps", "key=value"]),
        (("run", "ablation_eimg", "injection.p_img=0.5"), ["injection.p_img", "no_e_img"]),
        (("run", "ablation_eimg", "train.seed=1"), ["--seeds"]),
        (("run", "ablation_eimg", "--seeds", "x"), ["--seeds", "'x'"]),
        (
            ("run", "ablation_eimg", "tracks=consistent-50"),
            ["unknown track 'consistent-50': did you mean 'consistent-50s'", "available: ", "or FILE.py:NAME"],
        ),
        (("run", "ablation_eimg", "seeds=3"), ["seeds is no setting: did you mean --seeds 3?"]),
        (("plan", "ablation_eimg", "track=creative-50s"), ["track is no setting: did you mean tracks=creative-50s?"]),
        (("plan", "ablation_eimg", "recipe=code"), ["did you mean --recipe code?"]),
        (("plan", "ablation_eimg", "steps=3"), ["did you mean tiny.steps or train.steps"]),
        (("plan", "ablation_eimg", "--tracks", "creative-50s"), ["--tracks is no option: did you mean tracks=VALUE?"]),
        (("doctor", "--tracks", "creative-50s"), ["No such option '--tracks'"]),
        (("plan", "ablation_eimg", "--train.steps=5"), ["--train.steps is no option: did you mean train.steps=VALUE?"]),
        (("plan", "ablation_eimg", "--sed", "3"), ["No such option", "--seeds"]),
        (("sweep", "injection", "trial=3"), ["trial is no setting: did you mean --trials 3?"]),
        (("run", "ablation_eimg", "condition.motion_frames=5"), ["condition.motion_frames", "clip_frames=5"]),
        (("run", "ablation_eimg", "injection.img_run=6"), ["injection.img_run is 6"]),
        (("run", "ablation_eimg", "data.height=20"), ["20", "multiples of 8"]),
        (("run", "ablation_eimg", "train.batch=5", "train.ranks=2"), ["train.batch is 5", "2 ranks"]),
        (("run", "ablation_eimg", "data.path=/no/such/folder"), ["data.path", "/no/such/folder"]),
        (("run", "ablation_eimg", "eval.path=/no/such/folder"), ["eval.path", "/no/such/folder"]),
        (("run", "ablation_eimg", "--limit", "2", "generate.samples=3"), ["--limit 2", "generate.samples=3"]),
        (("plan", "ablation_eimg", "--limit", "0"), ["--limit"]),
        (("plan", "ablation_eimg", "tracks=talk-300s"), ["talk-300s", "set condition.signal=audio"]),
        (("plan", "ablation_eimg", "eval.path=bundled", "eval.size=sample"), ["eval.size=sample", "tiny backbone"]),
        (("forecast", "ablation_eimg", "--only", "copy_image"), ["no variant here has a forecast"]),
        (("run", "no/such/file.py:x"), ["no/such/file.py"]),
        (("run",), ["Missing argument"]),
        (("status",), ["no store there"]),
        (("report", "ablation_eimg"), ["no store there"]),
        (("ui",), ["harness run"]),
    ],
)
def test_refused(arguments: tuple[str, ...], said: list[str], tmp_path: Path) -> None:
    message = refused(*arguments, store=tmp_path / "runs")
    for words in said:
        assert words in message


def test_a_store_of_another_version(tmp_path: Path) -> None:
    (tmp_path / "store.json").write_text(json.dumps({"format": 99}))
    message = refused("run", "ablation_eimg", store=tmp_path)
    assert "99" in message


def test_a_store_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("")
    refused("run", "ablation_eimg", store=tmp_path / "runs")


def test_a_folder_without_videos_is_refused_before_anything_runs(tmp_path: Path) -> None:
    (tmp_path / "videos" / "deep" / "er").mkdir(parents=True)
    (tmp_path / "videos" / "deep" / "er" / "a.mp4").write_bytes(b"")
    message = refused("plan", "ablation_eimg", f"data.path={tmp_path / 'videos'}", store=tmp_path / "runs")
    assert "data.path: no video files found in" in message
    assert "csv of captions" in message


def test_no_usable_video_is_an_error_that_names_the_files(tmp_path: Path) -> None:
    (tmp_path / "videos" / "Cats").mkdir(parents=True)
    (tmp_path / "videos" / "Cats" / "broken.mp4").write_bytes(b"not a video")
    message = refused("run", "ablation_eimg", f"data.path={tmp_path / 'videos'}", store=tmp_path / "runs")
    assert message.count("Cats/broken.mp4: Invalid data") == 1
    assert not (tmp_path / "runs" / "artifacts").exists()


def test_no_usable_sample(tmp_path: Path) -> None:
    (tmp_path / "eval" / "a").mkdir(parents=True)
    refused("run", "ablation_eimg", f"eval.path={tmp_path / 'eval'}", store=tmp_path / "runs")
