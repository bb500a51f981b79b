"""The face detector: the published tensors, what its heads' outputs mean, and the thinning of its boxes."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from benchmarks.sync.files import S3FD_WEIGHTS
from benchmarks.sync.s3fd import FaceDetector, S3fd, decode, thinned
from tests.benchmarks.sync.sync_videos import face_frames

# Convolutions as (index, inputs, outputs, kernel).
VGG = [
    (0, 3, 64, 3), (2, 64, 64, 3), (5, 64, 128, 3), (7, 128, 128, 3), (10, 128, 256, 3), (12, 256, 256, 3),
    (14, 256, 256, 3), (17, 256, 512, 3), (19, 512, 512, 3), (21, 512, 512, 3), (24, 512, 512, 3), (26, 512, 512, 3),
    (28, 512, 512, 3), (31, 512, 1024, 3), (33, 1024, 1024, 1),
]  # fmt: skip
EXTRAS = [(0, 1024, 256, 1), (1, 256, 512, 3), (2, 512, 128, 1), (3, 128, 256, 3)]
LOC = [(i, width, 4, 3) for i, width in enumerate((256, 512, 512, 1024, 512, 256))]
CONF = [(i, width, 4 if i == 0 else 2, 3) for i, width, _, _ in LOC]


@pytest.fixture(scope="module")
def model() -> S3fd:
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        return S3fd().eval().requires_grad_(False)


def test_the_tensors_are_the_published_ones(model: S3fd) -> None:
    expected: dict[str, tuple[int, ...]] = {}
    for part, layers in (("vgg", VGG), ("extras", EXTRAS), ("loc", LOC), ("conf", CONF)):
        for index, inputs, outputs, kernel in layers:
            expected[f"{part}.{index}.weight"] = (outputs, inputs, kernel, kernel)
            expected[f"{part}.{index}.bias"] = (outputs,)
    expected |= {"L2Norm3_3.weight": (256,), "L2Norm4_3.weight": (512,), "L2Norm5_3.weight": (512,)}
    assert {name: tuple(value.shape) for name, value in model.state_dict().items()} == expected
    # Of 4 bytes each: 89.84 MB, and so large is sfd_face.pth.
    assert sum(value.numel() for value in model.state_dict().values()) == 22_459_110


def test_the_six_maps_have_strides_from_4_to_128(model: S3fd) -> None:
    assert [maps.shape[1:] for maps in model._sources(torch.zeros(1, 3, 128, 256))] == [
        (256, 32, 64), (512, 16, 32), (512, 8, 16), (1024, 4, 8), (512, 2, 4), (256, 1, 2),
    ]  # fmt: skip
    boxes, confidences = model(torch.zeros(2, 3, 128, 256))
    assert boxes.shape == (2, 2730, 4)
    assert confidences.shape == (2, 2730)


def by_the_formula(offsets: Tensor, stride: int) -> list[list[float]]:
    """Cell by cell, as SSD decodes: variances 0.1 and 0.2, anchors of 4 strides."""
    _, height, width = offsets.shape
    boxes = []
    for i in range(height):
        for j in range(width):
            dx, dy, dw, dh = offsets[:, i, j].tolist()
            side = 4 * stride
            x, y = (j + 0.5) * stride + 0.1 * dx * side, (i + 0.5) * stride + 0.1 * dy * side
            w, h = side * math.exp(0.2 * dw), side * math.exp(0.2 * dh)
            boxes.append([x - w / 2, y - h / 2, x + w / 2, y + h / 2])
    return boxes


@pytest.mark.parametrize("stride", [4, 128])
def test_boxes_are_decoded_about_their_anchors(stride: int) -> None:
    offsets = torch.randn(2, 4, 3, 5, generator=torch.Generator().manual_seed(stride))
    expected = torch.tensor([by_the_formula(image, stride) for image in offsets])
    torch.testing.assert_close(decode(offsets, stride), expected, rtol=1e-5, atol=1e-3)
    assert decode(torch.zeros(1, 4, 1, 1), 16).tolist() == [[[-24, -24, 40, 40]]]


def test_the_strongest_background_of_the_finest_map_counts(model: S3fd) -> None:
    """Confidence is the share of the face against the largest of three backgrounds, not against all of them."""
    with _heads(model, finest=[1.0, 2.0, 0.5, 3.0]):
        _, confidences = model(torch.zeros(1, 3, 64, 64))
    expected = 1 / (1 + math.exp(2 - 3))
    torch.testing.assert_close(confidences[:, :256], torch.full((1, 256), expected))
    assert (confidences[:, 256:] < 1e-6).all()


def boxes_of(*rows: tuple[float, float, float, float]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float32)


def test_faces_below_a_confidence_of_nine_tenths_are_left_out() -> None:
    boxes = boxes_of((0, 0, 10, 10), (50, 0, 60, 10), (0, 50, 10, 60))
    assert thinned(boxes, torch.tensor([0.95, 0.9, 0.91])).tolist() == boxes[[0, 2]].tolist()
    assert thinned(boxes, torch.tensor([0.5, 0.1, 0.9])).shape == (0, 4)


def test_boxes_that_overlap_a_surer_one_are_left_out() -> None:
    """By an IoU above 1/10; two squares of 10 pixels that share a stripe of width w have w / (20 - w)."""
    far, near = boxes_of((0, 0, 10, 10), (8.3, 0, 18.3, 10)), boxes_of((0, 0, 10, 10), (8, 0, 18, 10))
    sure = torch.tensor([0.92, 0.99])
    assert thinned(far, sure).tolist() == far[[1, 0]].tolist()  # the surest first
    assert thinned(near, sure).tolist() == near[[1]].tolist()


def test_a_box_thinned_within_the_detector_does_not_come_back() -> None:
    """B overlaps A by more than .3 and goes; A overlaps C by more than .1 and goes too; B, away from C, stays away."""
    c, a, b = (0, 0, 10, 10), (7.5, 0, 17.5, 10), (12.0, 0, 22.0, 10)
    assert thinned(boxes_of(c, a, b), torch.tensor([0.99, 0.97, 0.95])).tolist() == [list(map(float, c))]
    assert len(thinned(boxes_of(c, b), torch.tensor([0.99, 0.95]))) == 2


def test_boxes_are_in_pixels_of_the_frame(model: S3fd) -> None:
    """A detector that finds a face of the anchor's size everywhere on the map of stride 16: of 4 x 64 pixels."""
    frames = face_frames(2, 256, 330)
    with _heads(model, sure_map=2):
        found = FaceDetector(model)(frames)
    assert len(found) == 2
    for boxes in found:
        assert len(boxes)
        left, top, right, bottom = boxes.T
        scale = 330 / 82  # the network sees round(330 / 4) pixels of width
        np.testing.assert_allclose(right - left, 64 * scale, rtol=1e-5)
        np.testing.assert_allclose(bottom - top, 256, rtol=1e-5)
        columns, rows = (left + right) / 2 / scale / 16 - 0.5, (top + bottom) / 2 / 64 - 0.5
        np.testing.assert_allclose([columns, rows], np.rint([columns, rows]), atol=1e-4)


def test_the_network_sees_rgb_less_the_mean(model: S3fd) -> None:
    seen = []
    hook = model.vgg[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    FaceDetector(model)(np.full((1, 128, 128, 3), (223, 117, 4), dtype=np.uint8))
    hook.remove()
    assert seen[0].shape == (1, 3, 32, 32)
    assert seen[0].amax(dim=(0, 2, 3)).tolist() == seen[0].amin(dim=(0, 2, 3)).tolist() == [100, 0, -100]


def test_frames_too_small_for_the_coarsest_map_are_refused(model: S3fd) -> None:
    detector = FaceDetector(model)
    assert [boxes.shape for boxes in detector(face_frames(1, 112, 130))] == [(0, 4)]
    with pytest.raises(ValueError, match="received frames of 130 x 110 pixels, expected at least 112 a side"):
        detector(face_frames(1, 110, 130))


def test_a_missing_file_and_another_model_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_WEIGHTS", str(tmp_path))
    with pytest.raises(ValueError, match=r"sfd_face\.pth: received no file .*HARNESS_WEIGHTS.*get it from https"):
        FaceDetector.load()
    S3FD_WEIGHTS.path.parent.mkdir()
    torch.save({"vgg.0.weight": torch.zeros(64, 3, 3, 3)}, S3FD_WEIGHTS.path)
    with pytest.raises(ValueError, match=r"received 64 tensors amiss \(no vgg\.0\.bias"):
        FaceDetector.load()


class _heads:
    """Within it, the heads give the same everywhere: boxes like their anchors, and confidence at one map alone."""

    def __init__(self, model: S3fd, sure_map: int = -1, finest: list[float] | None = None) -> None:
        self._model, self._sure_map, self._finest = model, sure_map, finest
        self._kept = {name: value.clone() for name, value in model.state_dict().items()}

    def __enter__(self) -> None:
        for i, (loc, conf) in enumerate(zip(self._model.loc, self._model.conf, strict=True)):
            for value in (loc.weight, loc.bias, conf.weight, conf.bias):
                value.zero_()
            conf.bias[-1] = 20 if i == self._sure_map else -20
        if self._finest:
            self._model.conf[0].bias.copy_(torch.tensor(self._finest))

    def __exit__(self, *_: object) -> None:
        self._model.load_state_dict(self._kept)
