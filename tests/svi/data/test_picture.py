"""A picture to start from: which way is up, what is kept of it, and the size of its shape."""

from pathlib import Path

import pytest
from PIL import Image
from PIL.ExifTags import Base

from svi.data.picture import kept, open_upright, same_shape


def test_a_photo_that_lies_on_its_side_is_turned(tmp_path: Path) -> None:
    photo = Image.new("RGB", (160, 90))
    photo.paste((200, 40, 90), (0, 0, 80, 90))
    about = photo.getexif()
    about[Base.Orientation] = 6  # to be shown turned clockwise by a quarter
    photo.save(tmp_path / "photo.png", exif=about)
    upright = open_upright(tmp_path / "photo.png")
    assert upright.size == (90, 160)
    assert (upright.getpixel((45, 10)), upright.getpixel((45, 150))) == ((200, 40, 90), (0, 0, 0))


def test_what_is_no_image(tmp_path: Path) -> None:
    (tmp_path / "photo.png").write_text("no")
    with pytest.raises(
        ValueError, match=r"photo\.png: received no readable image .*, expected the first frame of a film"
    ):
        open_upright(tmp_path / "photo.png")


@pytest.mark.parametrize(
    ("picture", "film", "rows", "columns"),
    [
        ((1920, 1080), (480, 832), slice(648, 1271), slice(0, 1080)),
        ((480, 832), (480, 832), slice(0, 480), slice(0, 832)),
        ((10, 40), (10, 20), slice(0, 10), slice(10, 30)),
        ((100, 1), (480, 2000), slice(49, 50), slice(0, 1)),
    ],
)
def test_the_middle_is_kept(picture: tuple[int, int], film: tuple[int, int], rows: slice, columns: slice) -> None:
    assert kept(*picture, *film) == (rows, columns)


@pytest.mark.parametrize(
    ("picture", "multiple", "size"),
    [((1920, 1080), 16, (848, 480)), ((1080, 1920), 16, (480, 848)), ((500, 500), 32, (640, 640))],
)
def test_a_size_of_the_pictures_shape(picture: tuple[int, int], multiple: int, size: tuple[int, int]) -> None:
    assert same_shape(*picture, 480 * 832, multiple) == size
