"""What becomes of an image of another shape than the film's."""

from pathlib import Path

import numpy as np
import pytest

from harness.core.errors import UseError
from harness.declare.settings import Settings
from harness.plan.image_fit import Fit, fitted, lost
from harness.plan.model import Model
from harness.plan.pipeline import Builder
from svi.data.open_video import padded_frames
from svi.settings import BackboneSettings, DataSettings

WAN = Model(Settings(backbone=BackboneSettings(name="folder"), data=DataSettings(height=480, width=832)))


@pytest.mark.parametrize(
    ("size", "fit", "said"),
    [
        (
            (1080, 1920),
            "crop",
            ["rows 648 to 1270 of 1920 are kept, the other 68 % are cut", "--fit whole, or --fit pad"],
        ),
        ((1080, 1920), "pad", ["the film 832 x 480: 68 % of it are black bars"]),
        ((1664, 960), "crop", []),
        ((1664, 960), "pad", []),
    ],
)
def test_what_is_lost_is_said(size: tuple[int, int], fit: Fit, said: list[str]) -> None:
    lines = list(lost("--image", size[::-1], fit, WAN))
    assert len(lines) == len(said)
    assert all(line.endswith(end) for line, end in zip(lines, said, strict=True))


def test_a_film_of_the_image_s_shape_loses_next_to_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    builder = Builder(tmp_path / "fingerprints.json")
    monkeypatch.setattr(builder, "model", Model)  # the weights of a Wan are not there
    made = fitted(WAN, (1920, 1080), "whole", builder)
    assert (made.settings.data.height, made.settings.data.width) == (848, 480)
    assert list(lost("--image", (1920, 1080), "whole", made)) == []
    assert fitted(WAN, (1920, 1080), "crop", builder) is WAN


def test_the_embedded_model_makes_films_of_one_size(tmp_path: Path) -> None:
    with pytest.raises(UseError, match="take --fit pad"):
        fitted(Model(Settings()), (1920, 1080), "whole", Builder(tmp_path / "fingerprints.json"))


@pytest.mark.parametrize(("height", "width"), [(40, 10), (10, 40), (24, 16), (7, 7)])
def test_a_padded_picture_is_whole_and_in_the_middle(height: int, width: int) -> None:
    frames = np.full((2, height, width, 3), 200, np.uint8)
    padded = padded_frames(frames, 24, 16)
    assert padded.shape == (2, 24, 16, 3)
    rows, columns = np.nonzero(padded[0, :, :, 0])
    high, wide = rows.max() - rows.min() + 1, columns.max() - columns.min() + 1
    assert (high == 24) or (wide == 16)
    assert abs(high / wide - height / width) / (height / width) < 0.2  # whole pixels
    assert abs(rows.min() - (23 - rows.max())) <= 1
    assert abs(columns.min() - (15 - columns.max())) <= 1
    assert (padded[:, rows, columns] == 200).all()
