"""Imaging quality: MUSIQ's scales, patches and positions, and the mean over frames."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from benchmarks.vbench import musiq
from benchmarks.vbench.dimension import VideoInfo
from benchmarks.vbench.imaging import ImagingQuality
from benchmarks.vbench.musiq import Musiq, _patches, _positions, _scales
from tests.benchmarks.vbench.vbench_videos import moving_frames
from tests.benchmarks.vbench.vbench_weights import randomised


@pytest.fixture(scope="module", autouse=True)
def _few_layers() -> Iterator[None]:
    """As wide as the published network, but less deep: what is tested lies before and after its layers, or is alike in each."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(musiq, "LAYERS", 2)
        yield


@pytest.fixture(scope="module")
def model(_few_layers: None) -> Musiq:
    model = randomised(Musiq(), seed=0).eval().requires_grad_(False)
    assert isinstance(model, Musiq)
    return model


@pytest.mark.parametrize(
    ("size", "small", "middle"),
    [
        ((295, 512), (129, 224), (221, 384)),
        ((294, 512), (129, 224), (220, 384)),  # 220.5 is rounded to even
        ((100, 50), (224, 112), (384, 192)),
    ],
)
def test_scales_have_the_longer_sides_of_the_paper(
    size: tuple[int, int], small: tuple[int, int], middle: tuple[int, int]
) -> None:
    assert [scale.shape[2:] for scale in _scales(torch.zeros(1, 3, *size))] == [small, middle, size]


def test_patches_cover_the_image_row_by_row_with_zeros_around() -> None:
    image = torch.arange(1.0, 1 + 33 * 40).reshape(1, 1, 33, 40).expand(1, 3, 33, 40)
    patches = _patches(image)[0]
    assert patches.shape == (4, 3, 32, 32)
    # 31 rows and 24 columns are added: 15 above and 12 left.
    assert patches[0, 0, 15, 12] == image[0, 0, 0, 0]
    assert patches[1, 0, 15, 0] == image[0, 0, 0, 20]
    assert patches[3, 2, 0, 0] == image[0, 2, 17, 20]
    assert patches.count_nonzero() == image.numel()


def test_positions_are_spread_over_ten_rows_and_columns() -> None:
    rows, columns = [0, 2, 4, 6, 8], [0, 1, 2, 4, 5, 7, 8]
    assert _positions(torch.zeros(1, 3, 134, 224)).tolist() == [10 * row + column for row in rows for column in columns]


def test_empty_slots_do_not_count(model: Musiq) -> None:
    """The class token is the same if the slots are left out; only the rounding differs."""
    images = torch.rand(1, 3, 70, 100, generator=torch.Generator().manual_seed(0))
    scales = _scales(2 * (images - 0.5))
    encoder = model.transformer_encoder
    parts = [
        model._embed(_patches(scale)) + encoder.posembed_input["position_emb"][0, _positions(scale)]
        + encoder.scaleembed_input["scale_emb"][index]
        for index, scale in enumerate(scales)
    ]  # fmt: skip
    tokens = torch.cat([encoder.cls, *parts], dim=1)
    assert tokens.shape[1] < 1 + 7 * 7 + 12 * 12 + 3 * 4
    everything = torch.ones(tokens.shape[1], dtype=torch.bool)
    for block in encoder.transformer.values():
        tokens = block(tokens, everything)
    expected = model.head(encoder.encoder_norm(tokens)[:, 0])[:, 0]
    torch.testing.assert_close(model(images), expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("height", "width", "seen"), [(48, 64, (48, 64)), (480, 832, (295, 512)), (600, 514, (512, 438))]
)
def test_frames_are_scored_at_no_more_than_512_pixels(height: int, width: int, seen: tuple[int, int]) -> None:
    class Watched(Musiq):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            assert images.shape[2:] == seen
            assert 0.4 < images.mean() < 0.6
            return images.mean(dim=(1, 2, 3))

    dimension = ImagingQuality(Watched())
    dimension.begin(VideoInfo("a", 16, 2, height, width))
    dimension.feed(np.full((2, height, width, 3), 127, np.uint8))
    np.testing.assert_allclose(dimension.end().frames, 127 / 255 / 100, atol=1e-8)


def test_the_value_is_the_mean_of_the_frames(model: Musiq) -> None:
    dimension = ImagingQuality(model)
    frames = moving_frames(3, 32, 48)
    dimension.begin(VideoInfo("a", 16, 3, 32, 48))
    dimension.feed(frames[:1])
    dimension.feed(frames[1:])
    score = dimension.end()
    alone = [model(torch.from_numpy(frame).permute(2, 0, 1)[None] / 255).item() for frame in frames]
    np.testing.assert_allclose(100 * score.frames, alone, atol=1e-4)
    assert len(set(alone)) == 3
    assert (score.value, score.weight) == (score.frames.mean(), 1)
    assert (score.of(1, 2), score.of(1, 3)) == (score.frames[1], score.frames[1:].mean())
