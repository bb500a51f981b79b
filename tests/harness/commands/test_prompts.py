"""`harness prompts`: from an image or a keyword to a sample that the other commands read, over real HTTP or a tiny model."""

import json
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess

import av
import pytest

from benchmarks.samples import load_samples
from harness.cli import main
from tests.benchmarks.prompts.prompts_model import tiny_model, tiny_processor, write_model
from tests.benchmarks.prompts.prompts_server import (
    Server,
    chat,
    image_answer,
    image_file,
    refusal,
    serving,
    write_image,
)
from tests.harness.small import SMALL, harness

KEY = "sk-test-0123456789abcdef"
FOX, WALK = "A red fox wakes in the snow.", 'The red fox says "go" & walks\ninto <b>the</b> trees, 雪.'
GOOD = json.dumps([FOX, WALK], ensure_ascii=False)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with serving() as running:
        yield running


@pytest.fixture
def image(tmp_path: Path) -> Path:
    return write_image(tmp_path / "start.png")


def prompts(tmp_path: Path, *words: object, name: str = "fox", number: int = 2) -> CompletedProcess[str]:
    target = str(tmp_path / "my samples" / name)
    done = harness("prompts", target, "-n", str(number), *map(str, words), store=tmp_path / "runs")
    assert KEY not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


def made(tmp_path: Path, *words: object, name: str = "fox", number: int = 2) -> tuple[str, str]:
    done = prompts(tmp_path, *words, name=name, number=number)
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def refused(tmp_path: Path, *words: object, name: str = "fox") -> str:
    done = prompts(tmp_path, *words, name=name)
    assert done.returncode == 2, done.stdout + done.stderr
    assert sum(line.startswith(("harness: ", "Error: ")) for line in done.stderr.splitlines()) == 1
    assert done.stdout == ""
    return done.stderr


def test_an_image_becomes_a_sample_once(server: Server, image: Path, tmp_path: Path) -> None:
    server.will(refusal(429, "slow down", Retry_After="0"), chat("no list at all"), chat(GOOD))
    asking = ("--image", image, "--endpoint", server.url, "--model", "eyes-7b", "--seed", 3)
    stdout, stderr = made(tmp_path, *asking)
    sample = tmp_path / "my samples" / "fox"
    assert f"{sample}: 2 prompts (reply 2 of eyes-7b at {server.url}, asked now)" in stdout
    assert "reply 1 of at most 3 cannot be used: received 1 prompt, expected exactly 2" in stderr
    (found,), skipped = load_samples(sample.parent)
    assert (found.prompts, found.image.read_bytes(), skipped) == ((FOX, WALK), image.read_bytes(), [])

    about = json.loads((sample / "provenance.json").read_text(encoding="utf-8"))
    assert about["image"]["source"] == {"kind": "file", "path": str(image)}
    assert about["engine"] == {
        "engine": "endpoint",
        "name": f"eyes-7b at {server.url}",
        "endpoint": server.url,
        "model": "eyes-7b",
        "temperature": None,
        "seed": 3,
    }
    assert [attempt["reply"] for attempt in about["attempts"]] == ["no list at all", GOOD]
    assert about["attempts"][1]["details"] == {"model": "served-1", "system_fingerprint": "fp_9"}
    assert about["template"] == "storyline 1"
    assert about["date"].startswith("20")
    text = server.asked[0].body["messages"][0]["content"][1]["text"]
    assert about["request"] == text

    requests, before = len(server.asked), (sample / "provenance.json").read_bytes()
    stdout, _ = made(tmp_path, *asking)
    assert "from the cache), there already" in stdout
    made(tmp_path, *asking, name="copy")
    assert len(server.asked) == requests == 3
    assert (sample / "provenance.json").read_bytes() == before
    for path in tmp_path.rglob("*"):
        assert path.is_dir() or KEY.encode() not in path.read_bytes()


def test_another_storyline_does_not_overwrite_it(server: Server, image: Path, tmp_path: Path) -> None:
    server.will(chat(GOOD), chat(json.dumps([WALK, FOX])))
    asking = ("--image", image, "--endpoint", server.url, "--model", "eyes-7b")
    made(tmp_path, *asking)
    written = (tmp_path / "my samples" / "fox" / "prompt.txt").read_bytes()
    assert "holds a sample already (the prompt.txt there is another)" in refused(tmp_path, *asking, "--seed", 1)
    other = write_image(tmp_path / "other.png", (0, 0, 0))
    message = refused(tmp_path, "--image", other, *asking[2:])
    assert "the frame.png there is another image" in message
    assert len(server.asked) == 2  # an image that cannot go there is refused before anyone is asked
    assert (tmp_path / "my samples" / "fox" / "prompt.txt").read_bytes() == written
    made(tmp_path, *asking, "--seed", 1, name="fox-2")
    assert len(server.asked) == 2  # the reply that was refused above was kept


def test_the_run_that_is_named_next_can_be_planned(server: Server, image: Path, tmp_path: Path) -> None:
    server.will(chat(GOOD))
    stdout, _ = made(tmp_path, "--image", image, "--endpoint", server.url, "--model", "eyes-7b")
    run = shlex.split(stdout.splitlines()[2])
    assert run[:3] == ["or:", "harness", "run"]
    planned = harness("plan", *run[3:], *SMALL, "--only", "base", "--json", store=tmp_path / "runs")
    assert planned.returncode == 0, planned.stderr
    assert {node["kind"] for node in json.loads(planned.stdout)["stages"]} >= {"generate", "score"}


@pytest.mark.slow
def test_the_film_that_is_named_next_is_made(server: Server, image: Path, tmp_path: Path) -> None:
    server.will(chat(GOOD))
    stdout, _ = made(tmp_path, "--image", image, "--endpoint", server.url, "--model", "eyes-7b")
    film = shlex.split(stdout.splitlines()[1])
    assert film[:4] == ["next:", "harness", "generate", "fox.mp4"]
    done = harness("generate", str(tmp_path / "fox.mp4"), *film[4:], *SMALL, store=tmp_path / "runs")
    assert done.returncode == 0, done.stderr[-2000:]
    with av.open(str(tmp_path / "fox.mp4")) as container:
        stream = container.streams.video[0]
        assert float(stream.duration * stream.time_base) == pytest.approx(10.0)


def test_a_keyword_finds_an_image(server: Server, tmp_path: Path) -> None:
    wanted = write_image(tmp_path / "pictures" / "animals" / "red_fox.jpg", form="JPEG")
    write_image(tmp_path / "pictures" / "fox.png", (0, 0, 0))
    server.will(chat(GOOD))
    asking = ("--images", tmp_path / "pictures", "--endpoint", server.url, "--model", "eyes-7b")
    _, stderr = made(tmp_path, "--keyword", "red fox", *asking)
    assert f"image: {wanted} ('red' by file name, 'fox' by file name)" in stderr
    sample = tmp_path / "my samples" / "fox"
    assert (sample / "frame.jpg").read_bytes() == wanted.read_bytes()
    source = json.loads((sample / "provenance.json").read_text(encoding="utf-8"))["image"]["source"]
    assert (source["kind"], source["keyword"], source["matched"]["red"]) == ("folder", "red fox", "file name")
    assert "about: red fox." in server.asked[0].body["messages"][0]["content"][1]["text"]
    message = refused(tmp_path, "--keyword", "blue fox", *asking, name="other")
    assert "nearest first: fox.png, animals/red_fox.jpg" in message


def test_a_keyword_is_painted(server: Server, tmp_path: Path) -> None:
    server.will(image_answer(image_file()), chat(GOOD))
    asking = ("--image-endpoint", server.url, "--image-model", "brush-1", "--image-size", "832x480")
    words = ("--keyword", "red fox", *asking, "--endpoint", server.url, "--model", "eyes-7b")
    made(tmp_path, *words)
    assert [asked.path for asked in server.asked] == ["/v1/images/generations", "/v1/chat/completions"]
    sample = tmp_path / "my samples" / "fox"
    assert (sample / "frame.png").read_bytes() == image_file()
    source = json.loads((sample / "provenance.json").read_text(encoding="utf-8"))["image"]["source"]
    assert (source["kind"], source["model"], source["size"]) == ("image endpoint", "brush-1", "832x480")
    assert "there already" in made(tmp_path, *words)[0]
    assert len(server.asked) == 2


def test_a_model_folder_that_knows_nothing_is_refused_with_what_it_wrote(
    image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    processor = tiny_processor(["a fox"])
    folder = write_model(tmp_path / "tiny", processor, tiny_model(processor))
    monkeypatch.setenv("PYTHONWARNINGS", "ignore")  # which the command sets for its workers
    # In this process: another one would take ten seconds to load transformers. Sampled, as greedy garbage never ends.
    words = ["--model", folder, "--retries", 1, "--device", "cpu", "--temperature", 1, "--store", tmp_path / "runs"]
    line = ["harness", "prompts", tmp_path / "fox", "--image", image, *words]
    monkeypatch.setattr(sys, "argv", [str(word) for word in line])
    with pytest.raises(SystemExit) as end:
        main()
    said = capsys.readouterr().err
    assert end.value.code == 2
    assert "reply 1 of at most 2 cannot be used" in said
    assert f"harness: storyline: received 2 replies of {folder} that cannot be used, expected 10 prompts" in said
    assert "; its text: " in said
    assert not (tmp_path / "fox").exists()


def test_without_a_model_it_says_where_to_get_one(image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    assert "hf download Qwen/Qwen2.5-VL-7B-Instruct" in refused(tmp_path, "--image", image)


def test_an_endpoint_that_refuses_is_one_message(server: Server, image: Path, tmp_path: Path) -> None:
    server.will(refusal(401, f"wrong key {KEY}"))
    message = refused(tmp_path, "--image", image, "--endpoint", server.url, "--model", "eyes-7b")
    assert "received HTTP 401 (wrong key [key]); the key in OPENAI_API_KEY was sent" in message
    server.answers[:] = [refusal(200, "nothing")]
    message = refused(tmp_path, "--image", image, "--endpoint", server.url, "--model", "eyes-7b")
    assert "expected a chat completion" in message


ENDPOINT = ("--endpoint", "http://127.0.0.1:9/v1", "--model", "eyes-7b")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "received neither --image nor --keyword, expected one of them"),
        (("--image", "IMAGE", "--keyword", "fox"), "received both --image and --keyword"),
        (("--keyword", "fox"), "received neither --images nor --image-endpoint"),
        (("--keyword", "fox", "--images", ".", "--image-endpoint", "http://h/v1"), "received both --images and"),
        (("--image", "IMAGE", "--images", "."), "--images goes with --keyword"),
        (("--keyword", "fox", "--images", ".", "--image-size", "8x8"), "--image-size goes with --image-endpoint"),
        (("--image", "IMAGE", "--key-env", "X"), "--key-env goes with --endpoint"),
        (("--image", "IMAGE", *ENDPOINT[:2]), "received no --model"),
        (("--image", "IMAGE", *ENDPOINT, "--device", "cpu"), "--device goes with a --model folder"),
        (("--image", "IMAGE", *ENDPOINT, "--key-env", "NO_SUCH_VARIABLE"), "no environment variable is set"),
        (("--image", "IMAGE", "--endpoint", "host:9", "--model", "x"), "received no http address"),
        (("--image", "IMAGE", *ENDPOINT), "it cannot be reached"),
        (("--image", "IMAGE", "-n", "0"), "0 is not in the range"),
        (("--image", "none.png", *ENDPOINT), "none.png"),
        (("--keyword", "fox", "--images", "nowhere", *ENDPOINT), "expected an existing folder with images"),
        (("--keyword", "fox " * 60, "--images", ".", *ENDPOINT), "keyword: received 240 characters"),
    ],
)
def test_bad_input(words: tuple[str, ...], said: str, image: Path, tmp_path: Path) -> None:
    assert said in refused(tmp_path, *(str(image) if word == "IMAGE" else word for word in words))
    assert not (tmp_path / "my samples").exists()


@pytest.mark.parametrize("name", ["../fox", "..", ".fox", "a/../../fox"])
def test_names_that_could_leave_their_place(name: str, image: Path, tmp_path: Path) -> None:
    message = refused(tmp_path, "--image", image, *ENDPOINT, name=name)
    assert "expected a path without '..'" in message


def test_nothing_is_painted_that_could_not_be_used(server: Server, tmp_path: Path) -> None:
    painting = ("--keyword", "red fox", "--image-endpoint", server.url)
    taken = tmp_path / "my samples" / "fox"
    write_image(taken / "frame.png")
    assert "there is another image" in refused(tmp_path, *painting, *ENDPOINT)
    (tmp_path / "my samples" / "file").touch()
    assert "file is a file, expected a folder" in refused(tmp_path, *painting, *ENDPOINT, name="file/fox")
    message = refused(tmp_path, *painting, *ENDPOINT, "--key-env", "NO_SUCH_VARIABLE", name="other")
    assert "no environment variable is set" in message
    assert server.asked == []
