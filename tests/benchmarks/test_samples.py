import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.samples import Sample, content_hash, film_size, load_samples, samples_folder, starts_hash
from benchmarks.track import get_track

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
        (("a.png", "b.jpeg"), "b.jpeg"),
    ],
)
def test_image_choice(tmp_path: Path, images: tuple[str, ...], chosen: str) -> None:
    add(tmp_path, "s", "a cat", images)
    assert load_samples(tmp_path)[0][0].image == tmp_path / "s" / chosen


@pytest.mark.parametrize(
    "text",
    [
        'prompts = ["a cat", "it\'s a \\"dog\\""]',
        '\ufeffprompts=[\n  "a cat",\n  "it\'s a \\"dog\\"",\n]\n',
        "# a story\nprompts = ('a cat', 'it\\'s a \"dog\"')",
        '\n  prompts = ["a cat", "it\'s a \\"dog\\""]  # the end',
        '["a cat", "it\'s a \\"dog\\""]',
        '[\n  "a cat",\n  "it\'s a \\"dog\\"",\n]\n',
        '\ufeff# of SVI 2.0\n[  # two\n "a cat",\n "it\'s a \\"dog\\"" ]',
        'a cat\n\n  it\'s a "dog"  \r\n',
        '# a comment\na cat\n# another\nit\'s a "dog"',
    ],
)
def test_both_forms_of_prompts(tmp_path: Path, text: str) -> None:
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
def test_code_in_prompts_is_refused_and_never_runs(tmp_path: Path, code: str) -> None:
    mark = tmp_path / "ran"
    add(tmp_path / "data", "evil", code.format(mark=str(mark)))
    assert "not one plain list" in skipped_reason(tmp_path / "data", "evil")
    assert not mark.exists()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('["a cat", "a dog"', "close every quote and bracket"),
        ('[\n "a cat"\n "a dog\n]', "close every quote and bracket"),
        ('["a cat", open("x")]', "not one plain list"),
        ('["a cat"]\n["a dog"]', "more than one statement"),
        ('["a cat"] * 3', "not one plain list"),
        ("[]", "at least one string"),
        ("[", "not one plain list"),
        ('["a cat", ["a dog"]]', "list of strings"),
    ],
)
def test_a_bare_list_that_is_none_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    add(tmp_path, "bad", text)
    assert reason in skipped_reason(tmp_path, "bad")


def test_a_prompt_may_begin_with_a_bracket(tmp_path: Path) -> None:
    add(tmp_path, "s", "[wide shot] a cat\n[close-up] it sleeps")
    assert load_samples(tmp_path)[0][0].prompts == ("[wide shot] a cat", "[close-up] it sleeps")


def test_a_line_of_code_is_only_a_prompt(tmp_path: Path) -> None:
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
        ("# a comment alone", "is empty"),
        ("prompts = []", "at least one string"),
        ("prompts = 'a cat'", "expected a list"),
        ("prompts = ['a', 3]", "list of strings"),
        ("prompts = ['a', ' ']", "not empty"),
        ("prompts = ['a'", "not one plain list"),
        ("prompts = " + "[" * 5000, "not one plain list"),
        ("prompts = {[]: 1}", "not one plain list"),
    ],
)
def test_unusable_prompts_are_skipped_with_the_reason(tmp_path: Path, text: str, reason: str) -> None:
    add(tmp_path, "bad", text)
    assert reason in skipped_reason(tmp_path, "bad")


def test_prompts_that_are_no_text_are_skipped(tmp_path: Path) -> None:
    (add(tmp_path, "bad", None) / "prompt.txt").write_bytes(b"\xff\xfe\x00")
    assert "unreadable prompt.txt" in skipped_reason(tmp_path, "bad")


def test_missing_and_broken_images_are_skipped(tmp_path: Path) -> None:
    add(tmp_path / "a", "bare", "a cat", images=())
    assert "no image" in skipped_reason(tmp_path / "a", "bare")
    broken = add(tmp_path / "b", "cut", "a cat") / "frame.png"
    broken.write_bytes(broken.read_bytes()[:50])
    assert "unreadable image frame.png" in skipped_reason(tmp_path / "b", "cut")


def test_files_and_hidden_folders_are_no_samples(tmp_path: Path) -> None:
    add(tmp_path, ".cache", "a cat")
    (tmp_path / "README.md").write_text("about")
    add(tmp_path, "s", "a cat")
    assert [sample.name for sample in load_samples(tmp_path)[0]] == ["s"]
    assert load_samples(tmp_path)[1] == []


@pytest.mark.parametrize("name", ["../escape", "..", ".", "", "a/b", "..\\escape", "a\0b"])
def test_a_name_that_could_leave_the_output_folder_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="sample name: received"):
        Sample(name, Path("frame.png"), ("a cat",))


def test_a_folder_with_such_a_name_is_skipped(tmp_path: Path) -> None:
    add(tmp_path, "x\\..\\escape", "a cat")
    assert "plain file name" in skipped_reason(tmp_path, "x\\..\\escape")


@pytest.mark.parametrize("name", ["a\nb", "\x1b[31mred", "a" * 201, "\udcff"])
def test_a_name_that_no_table_or_file_can_hold_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="expected printable letters of at most 200 bytes"):
        Sample(name, Path("frame.png"), ("a cat",))


def test_html_in_a_name_or_prompt_is_text_like_any_other(tmp_path: Path) -> None:
    name, prompt = "<img src=x onerror=alert(1)>", "<script>alert(1)</script> & a cat"
    add(tmp_path, name, prompt)
    assert [(sample.name, sample.prompts) for sample in load_samples(tmp_path)[0]] == [(name, (prompt,))]


def link(path: Path, target: Path) -> Path:
    path.unlink(missing_ok=True)
    path.symlink_to(target)
    return path


@pytest.mark.parametrize("file", ["frame.png", "prompt.txt"])
def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path, file: str) -> None:
    private = add(tmp_path / "private", "s", "a secret") / file
    link(add(tmp_path / "data", "evil", "a cat") / file, private)
    assert f"{file} is a link out of the folder" in skipped_reason(tmp_path / "data", "evil")


def test_a_sample_that_is_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    private = add(tmp_path / "private", "s", "a secret")
    (tmp_path / "data").mkdir()
    link(tmp_path / "data" / "evil", private)
    assert "evil is a link out of the folder" in skipped_reason(tmp_path / "data", "evil")


def test_links_inside_the_folder_and_a_link_to_it_are_followed(tmp_path: Path) -> None:
    first = add(tmp_path / "data", "a", "a cat")
    second = add(tmp_path / "data", "b", "a dog")
    link(second / "frame.png", first / "frame.png")
    link(second / "prompt.txt", Path("..") / "a" / "prompt.txt")
    folder = link(tmp_path / "elsewhere", tmp_path / "data")
    assert [sample.prompts for sample in load_samples(folder)[0]] == [("a cat",), ("a cat",)]


def test_the_hubs_cache_links_to_its_blobs(tmp_path: Path) -> None:
    """As `hf download` leaves a dataset: snapshots/<revision>/... are links to blobs/<hash>."""
    cache = tmp_path / "datasets--vita-video-gen--svi-benchmark"
    sample = add(cache / "snapshots" / "0123" / "creative_video_gen", "s", "a cat")
    (cache / "blobs").mkdir()
    for file in list(sample.iterdir()):
        link(file, file.rename(cache / "blobs" / file.stem))
    samples, skipped = load_samples(cache / "snapshots" / "0123", get_track("creative-50s"))
    assert ([one.name for one in samples], skipped) == (["s"], [])


@pytest.mark.parametrize(
    ("track", "folder"),
    [
        ("consistent-50s", "consisent_video_gen"),
        ("consistent-250s", "consisent_video_gen"),
        ("consistent-300s", "consisent_video_gen"),
        ("creative-50s", "creative_video_gen"),
        ("creative-250s", "creative_video_gen_longer"),
        ("talk-300s", "talk"),
        ("dance-50s", "dance"),
    ],
)
def test_a_track_takes_its_part_of_the_authors_benchmark(tmp_path: Path, track: str, folder: str) -> None:
    for name in ("consisent_video_gen", "creative_video_gen", "creative_video_gen_longer", "customized_dataset"):
        add(tmp_path / name, f"of {name}", "a cat")
    for name in ("talk", "dance"):
        add(tmp_path / name, f"of {name}", "a cat")
    samples, skipped = load_samples(tmp_path, get_track(track))
    assert ([sample.name for sample in samples], skipped) == ([f"of {folder}"], [])


def test_the_corrected_spelling_is_taken_too(tmp_path: Path) -> None:
    add(tmp_path / "consistent_video_gen", "s", "a cat")
    assert samples_folder(tmp_path, get_track("consistent-50s")) == tmp_path / "consistent_video_gen"


def test_the_authors_benchmark_without_the_tracks_part_is_named(tmp_path: Path) -> None:
    add(tmp_path / "creative_video_gen", "s", "a cat")
    with pytest.raises(ValueError, match=r"consistent-50s.*with creative_video_gen, expected consisent_video_gen or"):
        load_samples(tmp_path, get_track("consistent-50s"))
    with pytest.raises(ValueError, match=r"talk-300s.*expected talk there"):
        load_samples(tmp_path, get_track("talk-300s"))


def test_a_folder_of_samples_serves_every_track(tmp_path: Path) -> None:
    """Also where a sample is called as a part of the benchmark is."""
    add(tmp_path, "dance", "a cat")
    for track in ("consistent-50s", "creative-250s", "dance-50s"):
        assert [sample.name for sample in load_samples(tmp_path, get_track(track))[0]] == ["dance"]


@pytest.mark.parametrize(
    ("width", "height", "size"),
    [
        (832, 480, (480, 832)),
        (1920, 1080, (464, 832)),  # 468 high
        (1000, 1500, (1248, 832)),  # portraits are not limited
        (500, 333, (320, 496)),  # nothing is enlarged
        (1664, 960, (464, 832)),  # 832 x (960 / 1664) is 479.99999999999994, as in the authors' code
    ],
)
def test_sizes_by_the_authors_rule(width: int, height: int, size: tuple[int, int]) -> None:
    assert film_size(width, height) == size


def test_a_samples_size_depends_on_the_kind_of_track_and_the_models_multiple(tmp_path: Path) -> None:
    folder = add(tmp_path, "s", "a cat")
    Image.fromarray(np.zeros((720, 1280, 3), np.uint8)).save(folder / "frame.png")
    sample = load_samples(tmp_path)[0][0]
    assert sample.size(get_track("creative-50s")) == (464, 832)
    assert sample.size(get_track("talk-300s")) == sample.size(get_track("dance-50s")) == (352, 640)
    assert sample.size(get_track("creative-50s"), multiple=32) == (448, 832)


def test_an_image_without_room_for_a_film_is_refused() -> None:
    with pytest.raises(ValueError, match="received 4 x 40 pixels, expected at least 16 a side"):
        film_size(4, 40)


def test_a_sample_needs_a_prompt() -> None:
    with pytest.raises(ValueError, match="no prompts"):
        Sample("s", Path("frame.png"), ())


def test_missing_and_unusable_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"nowhere.*expected an existing folder"):
        load_samples(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="holds no folders"):
        load_samples(tmp_path)
    add(tmp_path, "bare", None)
    with pytest.raises(ValueError, match=r"one usable sample \(bare: no prompt.txt\)"):
        load_samples(tmp_path)


def test_the_hash_follows_the_content_and_not_the_place(tmp_path: Path) -> None:
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


def test_the_hash_of_pixels_follows_names_shapes_values_and_prompts() -> None:
    image = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    starts = [("a", image, ["x"]), ("b", image + 1, ["y", "z"])]
    others = [
        [("c", image, ["x"]), starts[1]],
        [("a", image.reshape(4, 2, 3), ["x"]), starts[1]],
        [("a", image + 2, ["x"]), starts[1]],
        [("a", image, ["x", "y"]), starts[1]],
        starts[::-1],
        starts[:1],
    ]
    hashes = [starts_hash(one) for one in (starts, *others)]
    assert len(set(hashes)) == len(hashes)
    assert hashes[0] == starts_hash([("a", image.copy(), ("x",)), ("b", image + 1, ("y", "z"))])
    assert len(hashes[0]) == 64


@pytest.mark.skipif(not AUTHORS.is_dir(), reason="the authors' toy samples are not here")
def test_the_authors_toy_samples() -> None:
    samples, skipped = load_samples(AUTHORS)
    assert [sample.name for sample in samples] == ["film", "shot"]
    assert [len(sample.prompts) for sample in samples] == [10, 1]
    assert all(sample.image.name == "frame.jpg" for sample in samples)
    assert skipped == [("dance", "no prompt.txt")]
