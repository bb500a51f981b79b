"""Films that move: those of the first sample side by side, sped up, as one animated WebP for a README or a talk."""

import io

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from reports.figures.sheet import TRUE, UNTRAINED, Pixels, sheet_rows
from reports.statistics.view import TrackView

FRAMES, A_SECOND = 75, 15
"""Of the animation, whatever the film's length."""
_TILE, _GAP, _LINE = 160, 12, 22  # pixels


def side_by_side(view: TrackView) -> bytes | None:
    """The base model, the variant that decides the question, the baseline and the true film or start image, as far as their
    frames are kept; None where they are of no two."""
    info = view.info
    asked = {UNTRAINED, info.baseline, *((info.yes_if[0],) if info.yes_if else ())}
    rows = sheet_rows(info, view.track, [name for name in info.compared if name in asked], FRAMES)
    films = {name: rows[name] for name in sorted(rows, key=lambda name: name == info.baseline)}
    if TRUE in films:
        films[TRUE] = films.pop(TRUE)
    if len(films) < 2:
        return None
    length = max(len(numbers) for _, numbers in films.values())
    numbers = next(numbers for _, numbers in films.values() if len(numbers) == length)
    tiles = {name: _enlarged(images) for name, (images, _) in films.items()}
    pictures = [_picture(tiles, at, numbers[at] / info.fps) for at in range(length)]
    content = io.BytesIO()
    pictures[0].save(
        content,
        "WEBP",
        save_all=True,
        append_images=pictures[1:],
        duration=1000 // A_SECOND,
        loop=0,
        quality=80,
        method=4,
    )
    return content.getvalue()


def _enlarged(images: Pixels) -> Pixels:
    """Small frames by a whole factor, so that a person sees each pixel."""
    factor = max(1, round(_TILE / images.shape[1]))
    return images.repeat(factor, axis=1).repeat(factor, axis=2)


def _picture(tiles: dict[str, Pixels], at: int, seconds: float) -> Image.Image:
    """One frame of the animation; what is shorter stands still at its end."""
    shown = {name: images[min(at, len(images) - 1)] for name, images in tiles.items()}
    width = sum(image.shape[1] for image in shown.values()) + _GAP * (len(shown) + 1)
    height = max(image.shape[0] for image in shown.values())
    picture = Image.new("RGB", (width, height + 2 * _LINE), "white")
    draw, font, left = ImageDraw.Draw(picture), ImageFont.load_default(14), _GAP
    for name, image in shown.items():
        draw.text((left + image.shape[1] / 2, _LINE / 2), name, "black", font, "mm")
        picture.paste(Image.fromarray(np.ascontiguousarray(image)), (left, _LINE))
        left += image.shape[1] + _GAP
    draw.text((width / 2, height + 1.5 * _LINE), f"{seconds:.0f} s", "black", font, "mm")
    return picture
