"""The bundled pictures on land: a balloon over hills, and a fox in snow."""

from collections.abc import Sequence

import numpy as np

from benchmarks.bundled.paint import (
    HEIGHT,
    WIDTH,
    Colour,
    Floats,
    Point,
    ellipse,
    ellipses,
    fill,
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


def hot_air_balloon() -> Floats:
    """A red and cream balloon over green hills on a bright morning."""
    rng, (_, y) = np.random.default_rng(5), grid()
    picture = ramp(y / 330, [(0, (0.22, 0.5, 0.83)), (0.55, (0.5, 0.74, 0.93)), (1, (0.92, 0.93, 0.86))])
    light(picture, (1.0, 0.93, 0.7), 0.5 * glow(60, 70, 210))
    for cx, cy, size in ((150, 108, 1.25), (650, 84, 1.45), (742, 200, 0.8), (40, 226, 0.75), (520, 240, 0.6)):
        _cloud(picture, rng, cx, cy, size)
    ridges = (
        (292.0, 17.0, 0.011, (0.6, 0.74, 0.78), (0.66, 0.79, 0.74)),
        (322.0, 20.0, 0.014, (0.47, 0.67, 0.6), (0.56, 0.73, 0.55)),
        (352.0, 24.0, 0.009, (0.36, 0.6, 0.36), (0.5, 0.7, 0.38)),
        (396.0, 26.0, 0.012, (0.26, 0.52, 0.24), (0.45, 0.66, 0.28)),
    )
    for number, (base, swell, pace, dark, bright) in enumerate(ridges):
        _ridge(picture, rng, number, base, swell, pace, dark, bright)
    _balloon(picture, 700, 176, 0.2, ((0.95, 0.75, 0.2), (0.24, 0.38, 0.7)))
    _balloon(picture, 372, 150, 1.0, ((0.85, 0.16, 0.15), (0.99, 0.93, 0.8)))
    return picture


def _cloud(picture: Floats, rng: np.random.Generator, cx: float, cy: float, size: float) -> None:
    """A heap of puffs, bright above and blue-grey below."""
    puffs = [
        (
            cx + dx * size * 62,
            cy - size * (1 - dx * dx) * rng.uniform(6, 24),
            size * rng.uniform(17, 28),
            size * rng.uniform(13, 21),
        )
        for dx in np.linspace(-1, 1, 12).tolist()
    ]
    puffs.append((cx, cy + 2 * size, 70 * size, 10 * size))
    cover = ellipses(puffs, 3.2 * size)
    _, y = grid()
    tone = ramp((y - cy + 42 * size) / (56 * size), [(0, WHITE), (0.55, (0.97, 0.97, 0.98)), (1, (0.72, 0.81, 0.9))])
    lay(picture, tone, 0.93 * np.clip(cover * 1.2, 0, 1) * (1 - 0.25 * noise(rng, 26, 20, 4)))


def _ridge(
    picture: Floats,
    rng: np.random.Generator,
    number: int,
    base: float,
    swell: float,
    pace: float,
    dark: Colour,
    bright: Colour,
) -> None:
    """One row of hills: fields in stripes, hedges and trees that grow towards the viewer."""
    x, y = grid()
    phase = rng.uniform(0, 6.3)

    def top(across: Floats) -> Floats:
        wave = np.sin(across * pace + phase) + 0.45 * np.sin(across * pace * 2.3 + 2 * phase)
        return np.asarray(base - swell * wave)

    crest = top(x)
    inside = np.clip((y - crest) * 2, 0, 1)
    slope = np.clip(0.55 + 22 * (shifted(crest, 3) - crest) / swell * 0.4 - (y - crest) / 260, 0, 1)
    lay(picture, ramp(slope, [(0, dark), (1, bright)]), inside)
    near = (number + 1) / 4
    for _ in range(5 if number else 0):
        fx, depth = rng.uniform(0, WIDTH), rng.uniform(16, 60) * near
        fy = float(top(np.array(fx))) + depth
        rx, ry = rng.uniform(60, 110) * near, rng.uniform(9, 17) * near
        field = inside * np.clip(1.4 - ((x - fx) / rx) ** 4 - ((y - fy - 0.12 * (x - fx)) / ry) ** 4, 0, 1)
        crop: Colour = ((0.86, 0.78, 0.4), (0.62, 0.72, 0.3), (0.42, 0.6, 0.3))[int(rng.integers(3))]
        rows = 0.5 + 0.5 * np.sin((x - fx) * 0.9 / near + (y - fy) * 0.7 / near)
        lay(picture, crop, 0.5 * np.clip(field, 0, 1) * (0.65 + 0.35 * rows) * (0.45 + 0.55 * near))
    for _ in range(26 + 12 * number):
        tx = rng.uniform(-5, WIDTH + 5)
        ty = float(top(np.array(tx))) + rng.uniform(0, 70) * near * rng.random()
        _tree(picture, rng, tx, ty, rng.uniform(3.2, 6.2) * (0.5 + 1.5 * near * near), dark)


def _tree(picture: Floats, rng: np.random.Generator, x: float, y: float, size: float, dark: Colour) -> None:
    """A round crown of a few clumps, lit from the upper left, with its shadow on the grass."""
    shadow: Colour = (0.5 * dark[0], 0.55 * dark[1], 0.55 * dark[2])
    streak(picture, x + size * 0.8, y + size * 0.45, size * 1.5, size * 0.4, shadow, 0.6)
    fill(
        picture, [(x - size * 0.12, y + size * 0.5), (x + size * 0.12, y + size * 0.5), (x, y - size)], (0.3, 0.2, 0.14)
    )
    for clump in range(7):
        angle, tone = rng.uniform(0, 6.3), 0.5 + 0.09 * clump
        cx, cy = x + 0.45 * size * np.cos(angle) - 0.06 * clump * size, y - 0.62 * size + 0.4 * size * np.sin(angle)
        leaf: Colour = (tone * dark[0] + 0.01 * clump, tone * dark[1] + 0.015 * clump, tone * dark[2])
        radius = size * (0.78 - 0.06 * clump)
        streak(picture, float(cx), float(cy) - 0.06 * clump * size, radius, radius, leaf, 1.0, firm=True)


def _balloon(picture: Floats, cx: float, cy: float, size: float, colours: tuple[Colour, Colour]) -> None:
    """The envelope's gores lie along its meridians, so that the stripes narrow towards the rim."""
    x, y = grid()
    radius, mouth = 112 * size, 17 * size
    low = cy + 168 * size
    angle = np.arcsin(np.clip((y - cy) / radius, -1, 1))
    belly = radius * np.cos(angle)
    ease = np.clip((y - cy - 40 * size) / (low - cy - 40 * size), 0, 1)
    joined = radius * np.cos(np.arcsin(40 / 112)) + (mouth - radius * np.cos(np.arcsin(40 / 112))) * ease**1.12
    half = np.where(y > cy + 40 * size, joined, belly)
    cover = np.clip((half - np.abs(x - cx)) * 3 / 1.5, 0, 1) * (y > cy - radius) * (y < low)
    across = np.clip((x - cx) / np.maximum(half, 1e-6), -1, 1)
    gore = np.arcsin(across) / np.pi * 12
    stripe = np.clip(0.5 + 9 * size * np.sin(gore * np.pi), 0, 1)
    paint = ramp(stripe, [(0, colours[0]), (1, colours[1])])
    band = np.clip(1 - np.abs(y - cy - 58 * size + 10 * size * across**2) / (7 * size), 0, 1)
    paint = paint + (np.array((0.99, 0.72, 0.16)) - paint) * np.clip(3 * band, 0, 1)[..., None]
    down = np.clip((y - cy) / radius, -1, 1.4)
    shade = np.clip(0.86 - 0.3 * across - 0.24 * down - 0.2 * across**2, 0.36, 1.08)
    crease = 1 - 0.16 * np.abs(np.cos(gore * np.pi)) ** 14
    lay(picture, np.clip(paint * (shade * crease)[..., None], 0, 1), cover)
    glint = np.exp(-(((across + 0.42) / 0.2) ** 2) - ((down + 0.4) / 0.35) ** 2)
    light(picture, (1.0, 0.96, 0.85), 0.4 * glint * cover)
    floor = low + 42 * size
    for dx, sx in ((-0.95, -13), (0.95, 13), (-0.35, -6), (0.35, 6)):
        lay(picture, (0.25, 0.2, 0.2), line([(cx + dx * mouth, low), (cx + sx * size, floor)], 1.1 * size))
    if size > 0.5:
        light(picture, (1.0, 0.75, 0.3), 0.9 * ellipse(cx, low + 8 * size, 4, 10, 2))
        for dx in (-6, 5):
            lay(picture, (0.2, 0.22, 0.34), ellipse(cx + dx, floor - 1, 4.5, 7))
            lay(picture, (0.8, 0.58, 0.46), ellipse(cx + dx, floor - 11, 3.8, 4.2))
    basket = [
        (cx - 15 * size, floor),
        (cx + 15 * size, floor),
        (cx + 12 * size, floor + 22 * size),
        (cx - 12 * size, floor + 22 * size),
    ]
    lay(picture, ramp((x - cx) / (15 * size), [(-1, (0.66, 0.44, 0.24)), (1, (0.4, 0.25, 0.14))]), shape(basket))
    weave = np.clip(np.sin(x * 2.4 / size) * np.sin(y * 1.9 / size), 0, 1)
    lay(picture, (0.3, 0.18, 0.1), 0.4 * weave * shape(basket))
    lay(picture, (0.36, 0.2, 0.12), line([basket[0], basket[1]], 3.4 * size))


def red_fox() -> Floats:
    """A red fox that sits in the snow before a forest of firs."""
    rng, (_, y) = np.random.default_rng(31), grid()
    picture = ramp(y / 300, [(0, (0.6, 0.72, 0.86)), (0.6, (0.86, 0.87, 0.91)), (1, (0.98, 0.9, 0.85))])
    light(picture, (1.0, 0.88, 0.72), 0.6 * glow(640, 190, 190))
    for rank, (foot, tall, tone, mist) in enumerate(
        (
            (268.0, 120.0, (0.63, 0.71, 0.8), 0.5),
            (284.0, 168.0, (0.44, 0.55, 0.64), 0.4),
            (304.0, 236.0, (0.23, 0.35, 0.41), 0.22),
        )
    ):
        count = (30, 20, 11)[rank]
        for place in range(count):
            tx = (place + rng.uniform(0.1, 0.9)) * (WIDTH + 120) / count - 60
            if rank == 2 and 300 < tx < 610:
                continue  # the clearing behind the fox
            _fir(picture, rng, tx, foot + rng.uniform(-6, 8), tall * rng.uniform(0.72, 1.12), tone)
        haze = np.clip((y - foot + 0.7 * tall) / (0.8 * tall), 0, 1) * (y < foot + 30)
        lay(picture, (0.95, 0.93, 0.94), mist * haze)
    _snow(picture, rng)
    _fox(picture, rng)
    for _ in range(210):
        size = rng.uniform(0.7, 2.6)
        streak(picture, rng.uniform(0, WIDTH), rng.uniform(0, HEIGHT), size, size * 1.15, WHITE, rng.uniform(0.5, 0.95))
    return picture


def _fir(picture: Floats, rng: np.random.Generator, x: float, foot: float, tall: float, tone: Colour) -> None:
    """Boughs in tiers, each with snow on its upper side."""
    wide = 0.25 * tall
    snow: Colour = (0.5 * tone[0] + 0.49, 0.5 * tone[1] + 0.48, 0.5 * tone[2] + 0.48)
    bark: Colour = (0.6 * tone[0], 0.5 * tone[1], 0.5 * tone[2])
    stem = 0.017 * tall
    fill(picture, [(x - stem, foot + 4), (x + stem, foot + 4), (x, foot - tall * 0.4)], bark)
    tiers = 8
    for tier in range(tiers):
        share = tier / tiers
        low = foot - tall * (0.08 + 0.86 * share)
        reach, rise = wide * (1 - share) ** 0.9 + 2, tall * 0.2 * (1 - 0.45 * share)
        jag = [
            (x + reach * side, low + (0.045 * tall * (1 - share) * (0.6 if k % 2 else -0.55)) + rng.uniform(-1, 1))
            for k, side in enumerate(np.linspace(-1, 1, 9).tolist())
        ]
        bough = [(x, low - rise), *reversed(jag)]
        fill(picture, bough, tone, soft=0.3)
        caps = [
            (x, low - rise - 1),
            (x + 0.62 * reach, low - 0.33 * rise),
            (x + 0.3 * reach, low - 0.36 * rise),
            (x + 0.1 * reach, low - 0.28 * rise),
            (x - 0.22 * reach, low - 0.4 * rise),
            (x - 0.66 * reach, low - 0.28 * rise),
        ]
        fill(picture, spline(caps), snow, 0.88, soft=0.5)


def _snow(picture: Floats, rng: np.random.Generator) -> None:
    x, y = grid()
    for base, swell, pace, phase, tones in (
        (292.0, 9.0, 0.008, 0.6, ((0.9, 0.9, 0.95), (0.8, 0.85, 0.94))),
        (330.0, 15.0, 0.006, 2.4, ((0.99, 0.97, 0.96), (0.72, 0.8, 0.92))),
    ):
        crest = base - swell * np.sin(x * pace + phase) - 4 * np.sin(x * pace * 3.1)
        fall = np.clip((y - crest) / 190, 0, 1)
        lay(
            picture,
            ramp(fall + 0.25 * (noise(rng, 170, 34, 4) - 0.5), [(0, tones[0]), (1, tones[1])]),
            np.clip((y - crest) * 1.5, 0, 1),
        )
    for step in range(9):
        px, py = 560 + step * 31 + 6 * (step % 2), 420 - 13 * step + 5 * (step % 2)
        size = 1 - 0.06 * step
        streak(picture, px, py, 8 * size, 3.6 * size, (0.55, 0.65, 0.82), 0.75)


def _fox(picture: Floats, rng: np.random.Generator) -> None:
    """Seated, its body towards the left, its face to the viewer, the tail curled around to the right."""
    x, y = grid()
    rust, deep, cream, ink = (0.88, 0.43, 0.13), (0.62, 0.24, 0.07), (0.99, 0.95, 0.9), (0.16, 0.1, 0.09)
    lay(picture, (0.48, 0.58, 0.78), 0.55 * ellipse(452, 438, 128, 15, 7))
    fur = noise(rng, 9, 16, 3)

    def coat(points: Sequence[Point], tone: Floats | Colour, soft: float = 0.8) -> Floats:
        mask = shape(spline(points), soft)
        lay(picture, tone, mask)
        return mask

    tail = [
        (470, 424), (520, 436), (572, 428), (604, 398), (606, 362), (590, 330), (574, 352), (556, 384),
        (520, 396), (484, 396),
    ]  # fmt: skip
    brush = coat(tail, ramp(fur + (y - 390) / 160, [(0.1, rust), (0.9, deep)]))
    white_tip = np.clip((372 - y + 10 * (fur - 0.5)) / 6, 0, 1)
    lay(picture, cream, brush * white_tip)
    body = [
        (398, 262), (440, 256), (476, 292), (500, 346), (505, 400), (484, 434), (420, 440), (372, 436),
        (366, 380), (376, 310),
    ]  # fmt: skip
    coat(body, ramp((x - 372) / 130 + 0.5 * (fur - 0.5), [(0, (0.93, 0.5, 0.18)), (0.55, rust), (1, deep)]))
    haunch = [(446, 360), (482, 352), (506, 388), (502, 426), (470, 438), (436, 434), (432, 392)]
    coat(haunch, ramp((x - 430) / 80 + 0.4 * (fur - 0.5), [(0, rust), (1, deep)]), 1.6)
    chest = [(388, 272), (416, 284), (428, 318), (420, 362), (404, 392), (388, 366), (376, 322)]
    coat(chest, ramp(fur, [(0.2, (0.9, 0.86, 0.84)), (0.7, cream)]), 1.8)
    for leg in (
        [(376, 352), (398, 356), (398, 410), (402, 436), (374, 440), (370, 410)],
        [(404, 356), (428, 352), (430, 410), (434, 438), (406, 440), (403, 410)],
    ):
        coat(leg, ramp((y - 352) / 84, [(0, rust), (0.35, (0.6, 0.28, 0.12)), (0.7, ink), (1, ink)]), 0.7)
    coat([(436, 430), (470, 426), (486, 436), (470, 444), (438, 443)], (0.3, 0.16, 0.1))
    _fox_head(picture, fur)
    for dx in range(-110, 150, 7):
        streak(picture, 450 + dx, 444 + 2.5 * np.sin(dx), 11, 4.5, (0.95, 0.96, 1.0), 0.85)


def _fox_head(picture: Floats, fur: Floats) -> None:
    _, y = grid()
    rust, cream, ink = (0.9, 0.45, 0.14), (0.99, 0.96, 0.91), (0.14, 0.09, 0.08)
    for side in (-1, 1):
        cx = 398.0

        def at(points: list[Point], side: int = side, cx: float = cx) -> list[Point]:
            return [(cx + side * px, py) for px, py in points]

        lay(
            picture,
            (0.8, 0.36, 0.1),
            shape(at([(12, 196), (30, 146), (38, 138), (46, 150), (56, 208), (48, 220)]), 0.6),
        )
        lay(picture, ink, shape(at([(31, 146), (38, 138), (46, 150), (48, 166), (40, 160), (30, 164)]), 0.6))
        lay(picture, (0.95, 0.82, 0.74), shape(at([(24, 196), (36, 164), (44, 206)]), 1.4))
    head = [
        (398, 186), (430, 190), (456, 210), (474, 246), (452, 258), (428, 276), (410, 296), (398, 301),
        (386, 296), (368, 276), (344, 258), (322, 246), (340, 210), (366, 190),
    ]  # fmt: skip
    skull = shape(spline(head), 0.7)
    lay(
        picture,
        ramp((y - 186) / 100 + 0.3 * (fur - 0.5), [(0, (0.95, 0.52, 0.2)), (0.7, rust), (1, (0.8, 0.36, 0.1))]),
        skull,
    )
    for side in (-1, 1):
        cheek = [
            (398 + side * px, py)
            for px, py in ((3, 262), (16, 250), (40, 240), (74, 247), (54, 257), (30, 276), (12, 294), (2, 299))
        ]
        lay(picture, cream, shape(spline(cheek), 1.1) * skull)
        eye = 398 + side * 27.0
        lay(picture, ink, shape(spline([(eye - 9, 236), (eye, 228), (eye + 9, 236), (eye, 242)]), 0.3))
        lay(picture, (0.86, 0.6, 0.16), ellipse(eye, 235, 5.2, 5.6, 0.2))
        lay(picture, ink, ellipse(eye, 235, 2.2, 4.8))
        lay(picture, WHITE, ellipse(eye - 1.8, 232.6, 1.5, 1.5))
    lay(picture, ink, shape(spline([(390, 286), (398, 284), (406, 286), (403, 293), (398, 296), (393, 293)]), 0.3))
    lay(picture, WHITE, 0.7 * ellipse(395.5, 287.5, 1.8, 1.1))
    lay(
        picture,
        ink,
        0.8 * line(spline([(386, 298), (392, 301), (398, 297), (404, 301), (410, 298)], closed=False), 1.1),
    )
