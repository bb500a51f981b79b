"""The bundled pictures at sea: a boat at sunset, and a lighthouse at dusk."""

import numpy as np

from benchmarks.bundled.paint import (
    HEIGHT,
    WIDTH,
    Colour,
    Floats,
    Point,
    ellipse,
    glow,
    grid,
    lay,
    light,
    line,
    noise,
    ramp,
    shape,
    shifted,
    spline,
    streak,
)

WHITE: Colour = (1.0, 1.0, 1.0)


def sailing_boat() -> Floats:
    """A small boat with cream sails on a golden sea, the sun about to set."""
    rng, (_, y), horizon = np.random.default_rng(11), grid(), 262.0
    sun = (585.0, 236.0)
    picture = ramp(
        y / horizon,
        [(0, (0.16, 0.17, 0.36)), (0.4, (0.47, 0.27, 0.46)), (0.72, (0.9, 0.45, 0.35)), (1, (1.0, 0.79, 0.48))],
    )
    light(picture, (1.0, 0.7, 0.3), 0.75 * glow(*sun, 130))
    for stretch, height, bar in ((300, 26, 0.53), (190, 15, 0.57)):
        banks = np.clip((noise(rng, stretch, height, 5) - bar) * 7, 0, 1) * np.clip(1.15 - y / horizon, 0, 1)
        lit = ramp(y / horizon, [(0, (0.4, 0.26, 0.45)), (0.5, (0.8, 0.4, 0.42)), (1, (1.0, 0.72, 0.45))])
        lay(picture, lit, 0.75 * banks)
        light(picture, (1.0, 0.66, 0.35), 0.35 * banks * glow(*sun, 220))
    lay(picture, (1.0, 0.95, 0.78), ellipse(*sun, 27, 27, 0.6))
    light(picture, (1.0, 0.85, 0.5), 0.8 * glow(*sun, 34))
    coast: list[Point] = [(0, 221), (60, 208), (120, 224), (190, 232), (250, 247), (330, 255), (400, 262)]
    lay(picture, (0.42, 0.24, 0.36), shape([*spline(coast, closed=False), (400, 266), (0, 266)], 0.5))
    coast = [(0, 240), (50, 236), (110, 246), (180, 252), (250, 262)]
    lay(picture, (0.27, 0.16, 0.3), shape([*spline(coast, closed=False), (250, 266), (0, 266)], 0.4))
    _golden_sea(picture, rng, horizon, sun[0])
    _boat(picture, 318, 352)
    for place in ((180.0, 96.0, 11.0), (214, 112, 8), (152, 122, 7), (690, 82, 6)):
        _gull(picture, *place)
    return picture


def _golden_sea(picture: Floats, rng: np.random.Generator, horizon: float, sun: float) -> None:
    """The sea mirrors the sky; its waves grow towards the viewer, and the sun leaves a broken path."""
    _, y = grid()
    depth = np.clip((y - horizon) / (HEIGHT - horizon), 0, 1)
    water = ramp(
        depth,
        [(0, (0.98, 0.7, 0.42)), (0.12, (0.82, 0.47, 0.38)), (0.45, (0.42, 0.3, 0.42)), (1, (0.09, 0.13, 0.26))],
    )
    lay(picture, water, (y > horizon).astype(float))
    for _ in range(900):
        far = rng.random() ** 1.6
        wy, wx = horizon + 3 + far * (HEIGHT - horizon), rng.uniform(-40, WIDTH + 40)
        width, height = 5 + 62 * far * rng.uniform(0.5, 1.3), 0.35 + 2.1 * far
        tone = (0.06, 0.08, 0.2) if rng.random() < 0.55 else (0.95, 0.6, 0.42)
        streak(picture, wx, wy, width, height, tone, 0.3)
    for _ in range(620):
        far = rng.random() ** 1.25
        wy = horizon + 1 + far * (HEIGHT - horizon)
        wx = sun + rng.normal() * (14 + 62 * far)
        streak(picture, wx, wy, 4 + 26 * far * rng.uniform(0.4, 1.2), 0.5 + 2.0 * far, (1.0, 0.86, 0.52), 0.75)


def _boat(picture: Floats, cx: float, water: float) -> None:
    """Seen from the side, the sun behind it to the right; `water` is where the hull meets the sea."""
    x, y = grid()

    def at(points: list[Point]) -> list[Point]:
        return [(cx + px, water + py) for px, py in points]

    rim = spline(at([(-92, -30), (-50, -22), (0, -19), (55, -22), (104, -34)]), closed=False)
    keel = spline(at([(104, -34), (84, -8), (50, 5), (0, 8), (-52, 5), (-82, -8), (-92, -30)]), closed=False)
    hull = shape([*rim, *keel])
    mast, tip = (cx + 6.0, water - 18.0), (cx + 12.0, water - 236.0)
    main = shape(at([*_curve((10, -226), (-8, -120), (-86, -38)), *_curve((-86, -38), (-40, -32), (4, -36))]), 0.2)
    jib = shape(
        at([*_curve((14, -206), (62, -110), (97, -38)), *_curve((97, -38), (60, -36), (18, -40)), (14, -120)]), 0.2
    )
    below = at([(-88, 4), (-80, 60), (-30, 122), (14, 112), (60, 60), (100, 4)])
    lay(picture, (0.1, 0.1, 0.2), 0.5 * shape(spline(below), 7) * (y > water - 2))
    for sail, edge in ((main, -86.0), (jib, 97.0)):
        across = np.clip((x - cx) / edge, 0, 1)
        lay(picture, ramp(across, [(0, (1.0, 0.87, 0.66)), (0.6, (0.97, 0.73, 0.53)), (1, (0.78, 0.5, 0.45))]), sail)
    for fall in (0.3, 0.55, 0.78):
        seam = _curve((10 - 96 * fall, -226 + 188 * fall), (2 - 40 * fall, -224 + 192 * fall), (9, -222 + 186 * fall))
        lay(picture, (0.62, 0.4, 0.38), 0.45 * line(at(seam), 0.7))
    lay(picture, (0.25, 0.13, 0.12), line([mast, tip], 3.2))
    lay(picture, (0.25, 0.13, 0.12), line(at([(6, -37), (-90, -38)]), 2.6))
    for rope in (((12, -234), (104, -34)), ((12, -234), (-92, -30))):
        lay(picture, (0.2, 0.12, 0.14), 0.8 * line(at(list(rope)), 0.6))
    for part, tone in (
        (ellipse(cx - 52, water - 34, 7, 10), (0.16, 0.26, 0.36)),
        (ellipse(cx - 51, water - 48, 4.6, 5), (0.5, 0.28, 0.22)),
    ):
        lay(picture, tone, part)
    timber = ramp((y - water + 30) / 40, [(0, (0.55, 0.27, 0.17)), (0.5, (0.36, 0.15, 0.12)), (1, (0.16, 0.07, 0.1))])
    lay(picture, timber, hull)
    for drop in (6.0, 13.0, 20.0):
        lay(picture, (0.12, 0.05, 0.07), 0.5 * hull * line([(px, py + drop) for px, py in rim], 0.7))
    lay(picture, (0.98, 0.8, 0.56), 0.9 * line(rim, 2.2))
    pennant = at([(12, -236), (-14, -231), (-28, -236), (-12, -226), (12, -227)])
    lay(picture, (0.82, 0.18, 0.16), shape(pennant))
    for dx in range(-88, 104, 6):
        streak(picture, cx + dx, water + 6 + 2 * np.sin(dx), 9, 1.3, (1.0, 0.85, 0.68), 0.55)


def _curve(start: Point, bend: Point, end: Point) -> list[Point]:
    """A quadratic Bezier curve."""
    (x0, y0), (x1, y1), (x2, y2) = start, bend, end
    shares = [((1 - t) ** 2, 2 * t * (1 - t), t * t) for t in np.linspace(0, 1, 25).tolist()]
    return [(a * x0 + b * x1 + c * x2, a * y0 + b * y1 + c * y2) for a, b, c in shares]


def _gull(picture: Floats, x: float, y: float, span: float) -> None:
    left = _curve((x - span, y - 1), (x - span / 2, y - span * 0.55), (x, y))
    right = _curve((x, y), (x + span / 2, y - span * 0.6), (x + span, y - 2))
    lay(picture, (0.13, 0.1, 0.2), 0.85 * line([*left, *right], span / 8))


def lighthouse() -> Floats:
    """A white lighthouse with red bands on a cliff at dusk, its lamp lit."""
    rng, (_, y), horizon = np.random.default_rng(23), grid(), 300.0
    lamp = (608.0, 111.0)
    picture = ramp(
        y / horizon,
        [(0, (0.05, 0.08, 0.2)), (0.45, (0.15, 0.22, 0.42)), (0.75, (0.42, 0.4, 0.58)), (1, (0.93, 0.66, 0.56))],
    )
    for _ in range(130):
        sx, sy, size = rng.uniform(0, WIDTH), rng.uniform(0, 190), rng.uniform(0.6, 1.5)
        streak(picture, sx, sy, size, size, WHITE, rng.uniform(0.35, 1) * (1 - sy / 230))
    lay(picture, (0.98, 0.95, 0.85), np.clip(ellipse(150, 86, 23, 23, 0.4) - ellipse(160, 80, 21, 21, 0.4), 0, 1))
    light(picture, (0.7, 0.75, 0.95), 0.25 * glow(150, 86, 45))
    banks = np.clip((noise(rng, 260, 20, 5) - 0.55) * 6, 0, 1) * np.clip((y - 120) / 120, 0, 1) * (y < horizon)
    lay(picture, ramp(y / horizon, [(0.4, (0.3, 0.3, 0.48)), (1, (0.96, 0.68, 0.62))]), 0.7 * banks)
    _beams(picture, *lamp)
    _dusk_sea(picture, rng, horizon)
    _cliff(picture, rng)
    _tower(picture, *lamp)
    return picture


def _beams(picture: Floats, lx: float, ly: float) -> None:
    """Two cones of light that fade with distance."""
    x, y = grid()
    for side, rise in ((-1, 0.02), (1, 0.06)):
        along = side * (x - lx)
        off = np.abs(y - ly - rise * along) / np.maximum(4 + 0.085 * along, 1)
        cone = np.clip(1 - off, 0, 1) * (along > 0) * np.exp(-np.maximum(along, 0) / 420)
        light(picture, (1.0, 0.92, 0.66), 0.6 * cone**0.9)


def _dusk_sea(picture: Floats, rng: np.random.Generator, horizon: float) -> None:
    _, y = grid()
    depth = np.clip((y - horizon) / (HEIGHT - horizon), 0, 1)
    water = ramp(
        depth, [(0, (0.74, 0.55, 0.56)), (0.1, (0.42, 0.4, 0.54)), (0.4, (0.16, 0.24, 0.4)), (1, (0.04, 0.09, 0.2))]
    )
    lay(picture, water, (y > horizon).astype(float))
    for _ in range(1100):
        far = rng.random() ** 1.5
        wy, wx = horizon + 2 + far * (HEIGHT - horizon), rng.uniform(-40, WIDTH)
        tone = (0.02, 0.05, 0.14) if rng.random() < 0.5 else (0.6, 0.62, 0.76)
        streak(picture, wx, wy, 6 + 56 * far * rng.uniform(0.4, 1.2), 0.4 + 2.2 * far, tone, 0.3)
    for _ in range(120):
        far = rng.random()
        wy = horizon + 2 + far * 150
        streak(picture, 150 + rng.normal() * (8 + 22 * far), wy, 5 + 15 * far, 0.5 + 1.2 * far, (0.93, 0.9, 0.86), 0.4)


def _cliff(picture: Floats, rng: np.random.Generator) -> None:
    """Rock lit from the left by the last light, grass on top, foam below."""
    x, y = grid()
    edge: list[Point] = [
        (392, 482), (404, 452), (428, 436), (432, 404), (462, 384), (470, 348), (494, 326), (505, 300), (540, 286),
        (600, 281), (680, 279), (760, 268), (840, 262), (840, 482),
    ]  # fmt: skip
    rock = shape(edge, 0.3)
    rough = noise(rng, 46, 60, 6)
    slope = np.clip((rough - shifted(rough, -5)) * 5 + 0.5 - (x - 470) / 1100, 0, 1)
    lay(picture, ramp(slope, [(0, (0.07, 0.07, 0.13)), (0.5, (0.22, 0.19, 0.26)), (1, (0.6, 0.46, 0.46))]), rock)
    strata = np.clip(np.sin((y + 30 * rough + 0.12 * x) / 5.2) - 0.55, 0, 1)
    lay(picture, (0.06, 0.05, 0.1), 0.5 * rock * strata)
    turf: list[Point] = [*edge[6:13], (840, 292), (760, 300), (690, 302), (600, 300), (545, 303), (512, 318)]
    lay(
        picture,
        ramp(noise(rng, 40, 10, 4), [(0.2, (0.07, 0.15, 0.13)), (0.8, (0.26, 0.33, 0.22))]),
        shape(spline(turf), 1.2),
    )
    for _ in range(260):
        gx = rng.uniform(510, WIDTH)
        gy = np.interp(gx, [505, 540, 600, 680, 760, 840], [301, 287, 281, 279, 268, 262]) + rng.uniform(-1, 14)
        lean = rng.uniform(-2.5, 1)
        streak(picture, gx + lean, float(gy) - 2, 0.8, rng.uniform(2, 5), (0.3, 0.38, 0.24), 0.5)
    for _ in range(240):
        fx = rng.uniform(352, 450)
        fy = float(np.interp(fx, [352, 400, 430, 450], [478, 462, 446, 428])) + rng.uniform(0, 26)
        streak(picture, fx - 12, fy, rng.uniform(4, 15), rng.uniform(1, 3), (0.86, 0.88, 0.94), 0.4)


def _tower(picture: Floats, lx: float, ly: float) -> None:
    """A tapered tower shaded round, its gallery and lantern, and the keeper's house beside it."""
    x, y = grid()
    top, foot = ly + 20, 288.0
    half = np.interp(y, [top, foot], [18, 33])
    round_ = np.clip((x - lx) / half, -1, 1)
    shade = np.clip(0.95 - 0.5 * (round_ + 0.25) ** 2 - 0.28 * round_, 0.12, 1)[..., None]
    band = ((y - top) / (foot - top) * 5).astype(int) % 2 == 1
    paint = np.where(band[..., None], np.array((0.8, 0.17, 0.16)), np.array((0.96, 0.93, 0.9)))
    lay(
        picture,
        paint * shade * (0.82, 0.82, 0.98),
        shape([(lx - 18, top), (lx + 18, top), (lx + 33, foot), (lx - 33, foot)]),
    )
    for wy in (168.0, 214.0, 252.0):
        lay(picture, (0.98, 0.8, 0.45), shape([(lx - 5, wy), (lx + 3, wy), (lx + 3, wy + 13), (lx - 5, wy + 13)]))
    _house(picture, lx + 96, 283)
    lay(
        picture,
        (0.14, 0.12, 0.17),
        shape([(lx - 27, top - 3), (lx + 27, top - 3), (lx + 20, top + 7), (lx - 20, top + 7)]),
    )
    for dx in range(-25, 26, 5):
        lay(picture, (0.14, 0.12, 0.17), line([(lx + dx, top - 3), (lx + dx, top - 12)], 1))
    lay(picture, (0.14, 0.12, 0.17), line([(lx - 26, top - 12), (lx + 26, top - 12)], 1.6))
    lay(
        picture,
        (1.0, 0.9, 0.6),
        shape([(lx - 13, top - 3), (lx - 13, ly - 12), (lx + 13, ly - 12), (lx + 13, top - 3)]),
    )
    for pane in (-13, -4.5, 4.5, 13):
        lay(picture, (0.16, 0.13, 0.17), line([(lx + pane, top - 3), (lx + pane, ly - 12)], 1.2))
    lay(
        picture,
        (0.66, 0.13, 0.13),
        shape(spline([(lx - 18, ly - 11), (lx - 9, ly - 23), (lx, ly - 29), (lx + 9, ly - 23), (lx + 18, ly - 11)])),
    )
    lay(picture, (0.14, 0.12, 0.17), line([(lx, ly - 28), (lx, ly - 42)], 1.4))
    light(picture, (1.0, 0.9, 0.6), 0.95 * glow(lx, ly, 26))
    lay(picture, (1.0, 0.99, 0.92), ellipse(lx, ly, 6, 6, 1.5))


def _house(picture: Floats, hx: float, foot: float) -> None:
    wall = [(hx - 38, foot - 30), (hx + 40, foot - 30), (hx + 40, foot), (hx - 38, foot)]
    lay(picture, (0.62, 0.58, 0.66), shape(wall))
    lay(
        picture,
        (0.3, 0.14, 0.18),
        shape([(hx - 45, foot - 28), (hx - 26, foot - 52), (hx + 28, foot - 52), (hx + 47, foot - 28)]),
    )
    lay(
        picture,
        (0.36, 0.3, 0.36),
        shape([(hx + 12, foot - 48), (hx + 12, foot - 64), (hx + 21, foot - 64), (hx + 21, foot - 48)]),
    )
    for wx in (hx - 24, hx + 18):
        lay(
            picture,
            (1.0, 0.82, 0.45),
            shape([(wx, foot - 24), (wx + 12, foot - 24), (wx + 12, foot - 12), (wx, foot - 12)]),
        )
        light(picture, (1.0, 0.7, 0.3), 0.5 * glow(wx + 6, foot - 18, 12))
    lay(picture, (0.25, 0.14, 0.14), shape([(hx - 4, foot - 22), (hx + 8, foot - 22), (hx + 8, foot), (hx - 4, foot)]))
