"""What the bundled pictures are painted with: smooth shapes, gradients and noise on a canvas larger than the picture.

All lengths are pixels of the finished picture, whose origin is its top left corner; colours are red, green, blue in 0..1.
"""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

HEIGHT, WIDTH = 480, 832
SCALE = 3  # canvas pixels a picture pixel, per side
Floats = npt.NDArray[np.float64]
Point = tuple[float, float]
Colour = tuple[float, float, float]


def grid() -> tuple[Floats, Floats]:
    """x and y of every canvas pixel's centre. [SCALE HEIGHT, SCALE WIDTH]"""
    y, x = (np.mgrid[: HEIGHT * SCALE, : WIDTH * SCALE] + 0.5) / SCALE
    return x, y


def ramp(values: Floats, stops: Sequence[tuple[float, Colour]]) -> Floats:
    """Colours for values, linear between stops that rise. [...] -> [..., 3]"""
    places = [place for place, _ in stops]
    return np.stack([np.interp(values, places, [colour[c] for _, colour in stops]) for c in range(3)], axis=-1)


def noise(rng: np.random.Generator, width: float, height: float, octaves: int = 4) -> Floats:
    """Smooth noise in 0..1 whose largest spots are about width x height; each octave has half the size and half the weight."""
    total, weight = np.zeros((HEIGHT * SCALE, WIDTH * SCALE)), 0.0
    for octave in range(octaves):
        share = 0.5**octave
        cells = (max(2, round(WIDTH / (width * share))), max(2, round(HEIGHT / (height * share))))
        spots = Image.fromarray(rng.random((cells[1], cells[0]), dtype=np.float32))
        total += share * np.asarray(spots.resize((WIDTH * SCALE, HEIGHT * SCALE), Image.Resampling.BICUBIC))
        weight += share
    return np.asarray(np.clip(total / weight, 0, 1))


def shifted(values: Floats, pixels: float) -> Floats:
    """The values that lie so many pixels to the right of each pixel, around the border."""
    return np.roll(values, -round(pixels * SCALE), axis=1)


def spline(points: Sequence[Point], closed: bool = True, steps: int = 16) -> list[Point]:
    """A smooth line through the points (Catmull-Rom)."""
    given = np.array(points, float)
    ends = (given[-1:], given[:2]) if closed else (given[:1], given[-1:])
    knots = np.concatenate([ends[0], given, ends[1]])
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    parts = []
    for a, b, c, d in zip(knots, knots[1:], knots[2:], knots[3:], strict=False):
        parts.append(b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a))))
    if not closed:
        parts.append(given[-1:])
    return [(float(x), float(y)) for x, y in np.concatenate(parts)]


def shape(points: Sequence[Point], soft: float = 0.0) -> Floats:
    """The inside of a polygon, 1 inside and 0 outside, its edge blurred over `soft` pixels."""
    return _drawn(lambda draw: draw.polygon([(x * SCALE, y * SCALE) for x, y in points], fill=255), soft)


def line(points: Sequence[Point], width: float, soft: float = 0.0) -> Floats:
    """A line of that width, with round joints."""
    pixels = [(x * SCALE, y * SCALE) for x, y in points]
    return _drawn(lambda draw: draw.line(pixels, fill=255, width=max(1, round(width * SCALE)), joint="curve"), soft)


def ellipse(x: float, y: float, rx: float, ry: float, soft: float = 0.0) -> Floats:
    """A filled ellipse around (x, y)."""
    box = ((x - rx) * SCALE, (y - ry) * SCALE, (x + rx) * SCALE, (y + ry) * SCALE)
    return _drawn(lambda draw: draw.ellipse(box, fill=255), soft)


def ellipses(spots: Sequence[tuple[float, float, float, float]], soft: float = 0.0) -> Floats:
    """Many filled ellipses (x, y, rx, ry) at once."""

    def draw_all(draw: ImageDraw.ImageDraw) -> None:
        for x, y, rx, ry in spots:
            draw.ellipse(((x - rx) * SCALE, (y - ry) * SCALE, (x + rx) * SCALE, (y + ry) * SCALE), fill=255)

    return _drawn(draw_all, soft)


def _drawn(draw: Callable[[ImageDraw.ImageDraw], object], soft: float) -> Floats:
    mask = Image.new("L", (WIDTH * SCALE, HEIGHT * SCALE))
    draw(ImageDraw.Draw(mask))
    if soft:
        mask = mask.filter(ImageFilter.GaussianBlur(soft * SCALE))
    return np.asarray(mask, dtype=np.float64) / 255


def glow(x: float, y: float, reach: float) -> Floats:
    """Light around (x, y) that falls to about a third within `reach`."""
    across, down = grid()
    return np.asarray(np.exp(-np.hypot(across - x, down - y) / reach))


def lay(picture: Floats, colour: Colour | Floats, cover: Floats) -> None:
    """Paint over the picture in place; `cover` 0..1 is how much of the colour is seen at each pixel."""
    picture += (np.asarray(colour) - picture) * cover[..., None]


def light(picture: Floats, colour: Colour, strength: Floats) -> None:
    """Add light in place, as on a screen: what is bright already gains little."""
    picture += (1 - picture) * np.asarray(colour) * strength[..., None]


def fill(picture: Floats, points: Sequence[Point], colour: Colour, cover: float = 1.0, soft: float = 0.0) -> None:
    """A polygon of one colour, painted only where it is: for the many small ones."""
    xs, ys = (np.array([point[axis] for point in points]) * SCALE for axis in (0, 1))
    margin = 3 * soft * SCALE + 1
    left, top = (max(0, int(values.min() - margin)) for values in (xs, ys))
    part = picture[top : max(0, int(ys.max() + margin)), left : max(0, int(xs.max() + margin))]
    if part.size == 0:
        return
    mask = Image.new("L", (part.shape[1], part.shape[0]))
    ImageDraw.Draw(mask).polygon(list(zip((xs - left).tolist(), (ys - top).tolist(), strict=True)), fill=255)
    if soft:
        mask = mask.filter(ImageFilter.GaussianBlur(soft * SCALE))
    lay(part, colour, cover * np.asarray(mask, dtype=np.float64) / 255)


def streak(
    picture: Floats, x: float, y: float, rx: float, ry: float, colour: Colour, cover: float, firm: bool = False
) -> None:
    """A spot around (x, y), painted only where it is: a wave, a glint, a tuft. It fades, or is firm up to its edge."""
    top, left = (max(0, round((at - 2 * r) * SCALE)) for at, r in ((y, ry), (x, rx)))
    bottom, right = (max(0, round((at + 2 * r) * SCALE)) for at, r in ((y, ry), (x, rx)))
    part = picture[top:bottom, left:right]
    down = ((top + np.arange(part.shape[0]) + 0.5) / SCALE - y) / ry
    across = ((left + np.arange(part.shape[1]) + 0.5) / SCALE - x) / rx
    distance = across[None, :] ** 2 + down[:, None] ** 2
    lay(part, colour, cover * (np.clip(5 - 5 * distance, 0, 1) if firm else np.exp(-2 * distance)))


def finished(picture: Floats) -> Image.Image:
    """The canvas as a picture of WIDTH x HEIGHT."""
    canvas = Image.fromarray(np.round(np.clip(picture, 0, 1) * 255).astype(np.uint8))
    return canvas.resize((WIDTH, HEIGHT), Image.Resampling.BOX)
