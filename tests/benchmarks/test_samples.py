import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.samples import Sample, content_hash, load_samples

AUTHORS = Path(__file__).parents[2].parent / "shared" / "data" / "svi-toy" / "test"


def add(folder: Path, name: str, prompts: str | None, images: tuple[str, ...] = ("frame.png",)) -> Path:
    sample = folder / name
    sample.mkdir(parents=True)
    for image in images:
        Image.fromarray(np.full((4, 4, 3), 90, np.uint8)).save(sample / image)
    if prompts is not None:
        (sample / "prompt.txt").write_text(prompts, encoding="utf-8")
    return sample


def skipped_reason(folder: Path, name: str) -> str:
    add(folder, "usable", "a cat")
    samples, skipped = load_samples(folder)
    assert [sample.name for sample in samples] == ["usable"]
    assert [skip for skip, _ in skipped] == [name]
    return skipped[0][1]


@pytest.mark.parametrize(
    ("images", "chosen"),
    [
        (("a.jpg", "frame.png", "frame.jpg"), "frame.jpg"),
        (("a.jpg", "frame.png"), "frame.png"),
        (("b.jpg", "a.png", "c.jpg"), "b.jpg"),
        (("d.png", "c.png"), "c.png"),
    ],
)
def test_image_choice(tmp_path, images, chosen):
    add(tmp_path, "s", "a cat", images)
    assert load_samples(tmp_path)[0][0].image == tmp_path / "s" / chosen


@pytest.mark.parametrize(
    "text",
    [
        'prompts = ["a cat", "it\'s a \\"dog\\""]',
        '\ufeffprompts=[\n  "a cat",\n  "it\'s a \\"dog\\"",\n]\n',
        "# a story\nprompts = ('a cat', 'it\\'s a \"dog\"')",
        '\n  prompts = ["a cat", "it\'s a \\"dog\\""]  # the end',
        'a cat\n\n  it\'s a "dog"  \r\n',
    ],
)
def test_both_forms_of_prompts(tmp_path, text):
    add(tmp_path, "s", text)
    assert load_samples(tmp_path)[0][0].prompts == ("a cat", 'it\'s a "dog"')


@pytest.mark.parametrize(
    "code",
    [
        "prompts = [open({mark!r}, 'w').name]",
        "prompts = ['a']\nopen({mark!r}, 'w')",
        "open({mark!r}, 'w')\nprompts = ['a']",
        "prompts = [x for x in [open({mark!r}, 'w')]]",
        "prompts = __import__('pathlib').Path({mark!r}).touch() or ['a']",
        "prompts = [f\"{{open({mark!r}, 'w')}}\"]",
    ],
)
def test_code_in_prompts_is_refused_and_never_runs(tmp_path, code):
    mark = tmp_path / "ran"
    add(tmp_path / "data", "evil", code.format(mark=str(mark)))
    assert "not one plain list" in skipped_reason(tmp_path / "data", "evil")
    assert not mark.exists()


def test_a_line_of_code_is_only_a_prompt(tmp_path):
    mark = tmp_path / "ran"
    line = f"open({str(mark)!r}, 'w')"
    add(tmp_path / "data", "odd", line)
    assert load_samples(tmp_path / "data")[0][0].prompts == (line,)
    assert not mark.exists()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "no prompt.txt"),
        (" \n ", "is empty"),
        ("prompts = []", "at least one string"),
        ("prompts = 'a cat'", "expected a list"),
        ("prompts = ['a', 3]", "list of strings"),
        ("prompts = ['a', ' ']", "not empty"),
        ("prompts = ['a'", "not one plain list"),
        ("prompts = " + "[" * 5000, "not one plain list"),
        ("prompts = {[]: 1}", "not one plain list"),
    ],
)
def test_unusable_prompts_are_skipped_with_the_reason(tmp_path, text, reason):
    add(tmp_path, "bad", text)
    assert reason in skipped_reason(tmp_path, "bad")


def test_prompts_that_are_no_text_are_skipped(tmp_path):
    (add(tmp_path, "bad", None) / "prompt.txt").write_bytes(b"\xff\xfe\x00")
    assert "unreadable prompt.txt" in skipped_reason(tmp_path, "bad")


def test_missing_and_broken_images_are_skipped(tmp_path):
    add(tmp_path / "a", "bare", "a cat", images=())
    assert "no image" in skipped_reason(tmp_path / "a", "bare")
    broken = add(tmp_path / "b", "cut", "a cat") / "frame.png"
    broken.write_bytes(broken.read_bytes()[:50])
    assert "unreadable image frame.png" in skipped_reason(tmp_path / "b", "cut")


def test_files_and_hidden_folders_are_no_samples(tmp_path):
    add(tmp_path, ".cache", "a cat")
    (tmp_path / "README.md").write_text("about")
    add(tmp_path, "s", "a cat")
    assert [sample.name for sample in load_samples(tmp_path)[0]] == ["s"]
    assert load_samples(tmp_path)[1] == []


@pytest.mark.parametrize("name", ["../escape", "..", ".", "", "a/b", "..\\escape", "a\0b"])
def test_a_name_that_could_leave_the_output_folder_is_refused(name):
    with pytest.raises(ValueError, match="sample name: received"):
        Sample(name, Path("frame.png"), ("a cat",))


def test_a_folder_with_such_a_name_is_skipped(tmp_path):
    add(tmp_path, "x\\..\\escape", "a cat")
    assert "plain file name" in skipped_reason(tmp_path, "x\\..\\escape")


def test_a_sample_needs_a_prompt():
    with pytest.raises(ValueError, match="no prompts"):
        Sample("s", Path("frame.png"), ())


def test_missing_and_unusable_folders_are_named(tmp_path):
    with pytest.raises(ValueError, match=r"nowhere.*expected an existing folder"):
        load_samples(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="holds no folders"):
        load_samples(tmp_path)
    add(tmp_path, "bare", None)
    with pytest.raises(ValueError, match=r"one usable sample \(bare: no prompt.txt\)"):
        load_samples(tmp_path)


def test_the_hash_follows_the_content_and_not_the_place(tmp_path):
    add(tmp_path / "one", "s", "a cat")
    add(tmp_path / "one", "t", "a dog")
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    first = content_hash(load_samples(tmp_path / "one")[0])
    assert first == content_hash(load_samples(tmp_path / "two")[0])
    (tmp_path / "two" / "s" / "prompt.txt").write_text("a cow")
    assert first != content_hash(load_samples(tmp_path / "two")[0])
    shutil.rmtree(tmp_path / "two")
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    Image.fromarray(np.full((4, 4, 3), 91, np.uint8)).save(tmp_path / "two" / "s" / "frame.png")
    assert first != content_hash(load_samples(tmp_path / "two")[0])


@pytest.mark.skipif(not AUTHORS.is_dir(), reason="the authors' toy samples are not here")
def test_the_authors_toy_samples():
    samples, skipped = load_samples(AUTHORS)
    assert [sample.name for sample in samples] == ["film", "shot"]
    assert [len(sample.prompts) for sample in samples] == [10, 1]
    assert all(sample.image.name == "frame.jpg" for sample in samples)
    assert skipped == [("dance", "no prompt.txt")]
