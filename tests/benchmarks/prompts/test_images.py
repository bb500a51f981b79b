"""Images as they are stored and shown, and the one that a keyword finds in a folder."""

import io
from pathlib import Path

import pytest
from PIL import Image

from benchmarks.prompts.images import find_image
from benchmarks.prompts.picture import VIEW_SIDE, Picture
from tests.benchmarks.prompts.prompts_server import image_file, write_image


@pytest.mark.parametrize(("form", "suffix"), [("JPEG", ".jpg"), ("PNG", ".png")])
def test_jpeg_and_png_stay_as_they_are(tmp_path: Path, form: str, suffix: str) -> None:
    path = write_image(tmp_path / "start.bin", form=form)
    picture = Picture.read(path)
    assert (picture.data, picture.suffix) == (path.read_bytes(), suffix)
    assert picture.source == {"kind": "file", "path": str(path)}


@pytest.mark.parametrize("form", ["WEBP", "BMP", "GIF"])
def test_other_formats_become_png(tmp_path: Path, form: str) -> None:
    picture = Picture.read(write_image(tmp_path / "start.x", (255, 0, 0), form))
    with Image.open(io.BytesIO(picture.data)) as image:
        assert (image.format, image.size, picture.suffix) == ("PNG", (80, 48), ".png")
        assert image.getpixel((9, 9)) == pytest.approx((255, 0, 0), abs=4)


def test_a_photo_on_its_side_is_turned_upright(tmp_path: Path) -> None:
    photo = Image.new("RGB", (60, 20), (0, 0, 255))
    photo.paste((255, 0, 0), (0, 0, 10, 20))  # the left end, which orientation 6 puts on top
    exif = Image.Exif()
    exif[0x0112] = 6
    photo.save(tmp_path / "photo.jpg", exif=exif, quality=95)
    picture = Picture.read(tmp_path / "photo.jpg")
    with Image.open(io.BytesIO(picture.data)) as image:
        assert (image.format, image.size, image.getexif().get(0x0112)) == ("PNG", (20, 60), None)
        assert image.getpixel((10, 2)) == pytest.approx((254, 0, 0), abs=30)
        assert image.getpixel((10, 50)) == pytest.approx((0, 0, 254), abs=30)


def test_a_model_is_shown_at_most_1024_pixels() -> None:
    large = Picture.decoded(image_file(size=(3000, 1500)), {}, "large").view()
    assert (large.mode, large.size) == ("RGB", (VIEW_SIDE, VIEW_SIDE // 2))
    assert Picture.decoded(image_file(), {}, "small").view().size == (80, 48)
    clear = io.BytesIO()
    Image.new("RGBA", (4, 4), (1, 2, 3, 0)).save(clear, "PNG")
    assert Picture.decoded(clear.getvalue(), {}, "clear").view().getpixel((0, 0)) == (1, 2, 3)


def test_what_is_no_image(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(image_file()[:60])
    (tmp_path / "b.png").write_text("a fox")
    for name in ("a.png", "b.png"):
        with pytest.raises(ValueError, match=rf"{name}, which is no image that can be read"):
            Picture.read(tmp_path / name)
    with pytest.raises(ValueError, match="cannot be read"):
        Picture.read(tmp_path / "none.png")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in (
        "red_fox_in_snow.png",
        "Red-Fox.jpg",
        "fox.png",
        "cars/red.png",
        "foxes/red/01.webp",
        "lake.png",
        ".red fox.png",
        ".hidden/red fox.png",
    ):
        write_image(tmp_path / name)
    (tmp_path / "lake.txt").write_text("\ufeffA lake at dawn, with a Red fox and a boat.", encoding="utf-8")
    (tmp_path / "red fox.txt").write_text("no image")
    return tmp_path


@pytest.mark.parametrize(
    ("keyword", "name", "how"),
    [
        ("red fox", "Red-Fox.jpg", "'red' by file name, 'fox' by file name; 2 others fit no better"),
        ("FOX red, fox", "Red-Fox.jpg", "'fox' by file name, 'red' by file name; 2 others fit no better"),
        ("red fox snow", "red_fox_in_snow.png", "'snow' by file name"),
        ("fox", "fox.png", "'fox' by file name; 3 others fit no better"),
        ("red foxes", "foxes/red/01.webp", "'red' by folder name, 'foxes' by folder name"),
        ("cars", "cars/red.png", "'cars' by folder name"),
        ("dawn boat", "lake.png", "'dawn' by text beside it, 'boat' by text beside it"),
        ("lake fox", "lake.png", "'lake' by file name, 'fox' by text beside it"),
    ],
)
def test_the_image_that_fits_best(folder: Path, keyword: str, name: str, how: str) -> None:
    found = find_image(folder, keyword)
    assert found.path == folder / name
    assert found.how().endswith(how)
    assert find_image(folder, keyword) == found


def test_equals_go_by_their_path_and_words_in_every_script(tmp_path: Path) -> None:
    for name in ("b/fox.png", "a/fox.png", "赤い 狐.png", "Straße.png"):
        write_image(tmp_path / name)
    assert find_image(tmp_path, "fox").path == tmp_path / "a" / "fox.png"
    assert find_image(tmp_path, "狐").path == tmp_path / "赤い 狐.png"
    assert find_image(tmp_path, "STRASSE").path == tmp_path / "Straße.png"


def test_part_of_the_words_is_not_enough_and_the_nearest_are_listed_first(folder: Path) -> None:
    with pytest.raises(
        ValueError, match=r"'red fox car'.*nearest first: Red-Fox\.jpg, red_fox_in_snow\.png, .*, cars/red"
    ):
        find_image(folder, "red fox car")
    for i in range(20):
        write_image(folder / f"{i}.png")
    with pytest.raises(ValueError, match="and 18 more"):
        find_image(folder, "whale")


def test_folders_and_keywords_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected an existing folder with images"):
        find_image(tmp_path / "none", "fox")
    with pytest.raises(ValueError, match="holds no image"):
        find_image(tmp_path, "fox")
    write_image(tmp_path / "fox.png")
    with pytest.raises(ValueError, match=r"received ' \.\./', expected at least one word"):
        find_image(tmp_path, " ../")
