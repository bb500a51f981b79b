"""Key points of one dancer -> drawn skeletons, as DWPose's renderings look that UniAnimate and SVI-Dance were trained on."""

import colorsys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from safetensors.numpy import load_file

from svi.data.open_video import fit_frames
from svi.foreign import read_object
from svi.frames import Frames
from svi.settings import DataSettings

Points = NDArray[np.float32]
"""[F, K, 3]: x from the left and y from the top as shares of the picture (0 to 1), and how sure the detector is (0 to 1)."""
Pixel = tuple[int, int]
Colour = tuple[int, int, int]

PARTS = {"body": 18, "feet": 6, "hands": 42, "face": 68}
"""Key points of each array. body: OpenPose's order, from the nose; feet: big toe, small toe and heel, left, then right; hands: 21
of the left, 21 of the right; face: 68 landmarks."""
SUFFIXES = (".npz", ".safetensors", ".json")
SURE = 0.3  # DWPose's threshold: what it is less sure of is not drawn

# As decoded from the files: DWPose's drawer counts from red on, and writes its pictures with red and blue exchanged.
COLOURS: tuple[Colour, ...] = (
    (0, 0, 255),
    (0, 85, 255),
    (0, 170, 255),
    (0, 255, 255),
    (0, 255, 170),
    (0, 255, 85),
    (0, 255, 0),
    (85, 255, 0),
    (170, 255, 0),
    (255, 255, 0),
    (255, 170, 0),
    (255, 85, 0),
    (255, 0, 0),
    (255, 0, 85),
    (255, 0, 170),
    (255, 0, 255),
    (170, 0, 255),
    (85, 0, 255),
    (255, 255, 170),
    (0, 255, 255),
)
"""Of the limbs in their order, and of the points: 18 of the body, then the toes of the left and of the right foot."""
LIMBS: tuple[tuple[int, int], ...] = (
    *((1, 2), (1, 5), (2, 3), (3, 4), (5, 6), (6, 7)),  # shoulders and arms
    *((1, 8), (8, 9), (9, 10), (1, 11), (11, 12), (12, 13)),  # hips and legs
    *((1, 0), (0, 14), (14, 16), (0, 15), (15, 17)),  # neck, eyes, ears
    *((13, 18), (10, 19)),  # left and right toes
)
FINGERS = tuple((0 if k % 4 == 1 else k - 1, k) for k in range(1, 21))  # five of four bones, from the wrist on
DIMMED = 0.6  # limbs, not points
THICK, DOT, BONE, LANDMARK = (
    4,
    4,
    2,
    3,
)  # pixels: half a limb's width, a point's radius, a finger's width, a landmark's radius
FINGERTIP: Colour = (255, 0, 0)
WHITE: Colour = (255, 255, 255)


class Skeletons:
    """A file of key points, drawn at the settings' fps and size; nothing is drawn before it is asked for.

    The file (.npz, .safetensors or .json) holds by name: `body` [F, 18, 3]; where they were found, `feet` [F, 6, 3], `hands`
    [F, 42, 3] and `face` [F, 68, 3] (PARTS has their order, Points their three numbers); `fps`, frames a second; `size`, height
    and width in pixels of the video they were found in. A point whose x or y is negative, or of which the detector is not sure
    (at most SURE), is not drawn. SVI-Dance was trained without faces: leave `face` out for its weights.

    Source: the drawing of DWPose in UniAnimate-DiT (dwpose/util.py), and the pose videos that SVI-Dance comes with.
    """

    def __init__(self, file: Path, settings: DataSettings) -> None:
        """Raises ValueError, which says what is amiss, for a file that is none of the above."""
        self.settings = settings
        arrays = _read(file)
        self.fps, self.size = _rate(file, arrays), _size(file, arrays)
        body = _points(file, arrays, "body", None)
        self.points = {name: _points(file, arrays, name, len(body)) for name in PARTS}

    def __len__(self) -> int:
        """Frames at the settings' fps."""
        return max(int(len(self.points["body"]) * self.settings.fps / self.fps), 1)

    def frames(self, picks: Sequence[int]) -> Frames:
        """[len(picks), H, W, 3]: drawn at the video's own size, then cropped and resized as a video is."""
        last = len(self.points["body"]) - 1
        sources = np.minimum(np.round(np.array(picks) * self.fps / self.settings.fps).astype(int), last)
        drawn = [
            fit_frames(self._draw(i)[None], self.settings.height, self.settings.width)[0] for i in sources.tolist()
        ]
        return np.stack(drawn)

    def _draw(self, i: int) -> Frames:
        height, width = self.size
        return draw({name: points[i] for name, points in self.points.items()}, height, width)


def draw(points: dict[str, Points], height: int, width: int) -> Frames:
    """One skeleton on black. points: each of PARTS [K, 3], where nobody was found at confidence 0 -> [height, width, 3]"""
    image = Image.new("RGB", (width, height))
    pen = ImageDraw.Draw(image)
    toes = [_toe(points["feet"][foot : foot + 2]) for foot in (0, 3)]
    body = _pixels(np.concatenate([points["body"], toes]), height, width)
    for (a, b), colour in zip(LIMBS, COLOURS, strict=False):
        if (start := body[a]) and (end := body[b]):
            dim = (int(colour[0] * DIMMED), int(colour[1] * DIMMED), int(colour[2] * DIMMED))
            pen.polygon(_spindle(start, end), fill=dim)
    for point, colour in zip(body, COLOURS, strict=True):
        _dot(pen, point, DOT, colour)
    for hand in (points["hands"][:21], points["hands"][21:]):
        _draw_hand(pen, _pixels(hand, height, width))
    for point in _pixels(points["face"], height, width):
        _dot(pen, point, LANDMARK, WHITE)
    return np.asarray(image)


def _draw_hand(pen: ImageDraw.ImageDraw, hand: Sequence[Pixel | None]) -> None:
    for k, (a, b) in enumerate(FINGERS):
        if (start := hand[a]) and (end := hand[b]):
            red, green, blue = (round(255 * value) for value in colorsys.hsv_to_rgb(k / len(FINGERS), 1, 1))
            pen.line([start, end], fill=(blue, green, red), width=BONE)
    for point in hand:
        _dot(pen, point, DOT, FINGERTIP)


def _dot(pen: ImageDraw.ImageDraw, point: Pixel | None, radius: int, colour: Colour) -> None:
    if point:
        x, y = point
        pen.ellipse([x - radius, y - radius, x + radius, y + radius], fill=colour)


def _spindle(start: Pixel, end: Pixel) -> list[tuple[float, float]]:
    """An ellipse from one point to the other, half as wide as THICK says at each side."""
    (x0, y0), (x1, y1) = start, end
    along = np.array([x1 - x0, y1 - y0]) / 2
    length = max(float(np.hypot(*along)), 1e-6)
    across = np.array([-along[1], along[0]]) / length * THICK
    turn = np.linspace(0, 2 * np.pi, 72, endpoint=False)[:, None]
    outline = np.array([x0, y0]) + along + np.cos(turn) * along + np.sin(turn) * across
    return [(float(x), float(y)) for x, y in outline]


def _toe(toes: Points) -> Points:
    """The middle of the big and the small toe [2, 3], where both were found. -> [3]"""
    middle: Points = np.append(toes[:, :2].mean(0), _sure(toes).all()).astype(np.float32)
    return middle


def _pixels(points: Points, height: int, width: int) -> list[Pixel | None]:
    """Where each point [K, 3] is in a picture; None: not found."""
    return [
        (int(x * width), int(y * height)) if sure else None
        for (x, y, _), sure in zip(points.tolist(), _sure(points), strict=True)
    ]


def _sure(points: Points) -> NDArray[np.bool_]:
    """[..., K, 3] -> [..., K]"""
    found: NDArray[np.bool_] = (points[..., 2] > SURE) & (points[..., :2] >= 0).all(-1)
    return found


def _read(file: Path) -> dict[str, NDArray[np.float32]]:
    """The file's arrays by name. Raises ValueError for one that nothing would read."""
    try:
        if file.suffix == ".npz":
            with np.load(file) as opened:  # allow_pickle is off: nothing in it can run
                found = dict(opened)
        else:
            found = load_file(file) if file.suffix == ".safetensors" else read_object(file)
        arrays = {name: np.asarray(value, np.float32) for name, value in found.items()}
    # A damaged file can end in anything: an empty one in EOFError, others in what zlib or tokenize raises.
    except Exception as error:
        raise ValueError(f"{file}: received no readable key points ({error}), expected {_expected()}") from error
    if unknown := sorted(arrays.keys() - PARTS.keys() - {"fps", "size"}):
        raise ValueError(f"{file}: received {', '.join(unknown)}, expected {_expected()}")
    return arrays


def _expected() -> str:
    parts = ", ".join(f"{name} [frames, {count}, 3]" for name, count in PARTS.items())
    return f"arrays {parts} (all but body may be left out), fps, and size (height, width)"


def _points(file: Path, arrays: dict[str, NDArray[np.float32]], name: str, frames: int | None) -> Points:
    """One part's array; all of it not found where the file has none. `frames`: how many there must be."""
    if name not in arrays and frames is not None:
        return np.zeros((frames, PARTS[name], 3), np.float32)
    received = arrays.get(name, np.zeros(0)).shape
    if len(received) != 3 or received[1:] != (PARTS[name], 3) or received[0] < 1 or frames not in (None, received[0]):
        raise ValueError(
            f"{file}: received {name} of shape {list(received)}, expected [{frames or 'frames'}, {PARTS[name]}, 3]; "
            f"a file of key points holds {_expected()}"
        )
    points = arrays[name]
    if (points[_sure(points)][:, :2] > 2).any():
        raise ValueError(
            f"{file}: received {name} at {points[_sure(points)][:, :2].max():g}, expected shares of the picture, 0 to 1: "
            "divide x by the width and y by the height"
        )
    return points


def _rate(file: Path, arrays: dict[str, NDArray[np.float32]]) -> float:
    received = arrays.get("fps", np.zeros(0))
    if received.size != 1 or not 0 < (fps := float(received.ravel()[0])) < np.inf:
        raise ValueError(
            f"{file}: received fps {received.tolist()}, expected one number above 0; it holds {_expected()}"
        )
    return fps


def _size(file: Path, arrays: dict[str, NDArray[np.float32]]) -> tuple[int, int]:
    received = arrays.get("size", np.zeros(0))
    sides = received.ravel().tolist()
    if len(sides) != 2 or not all(1 <= side <= 2**14 for side in sides):
        raise ValueError(f"{file}: received size {received.tolist()}, expected height and width in pixels")
    return int(sides[0]), int(sides[1])
