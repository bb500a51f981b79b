"""What the page shows of a film, as HTML: the player, the gauge, the tree of takes. All that people wrote is escaped."""

from collections.abc import Sequence
from html import escape

from harness.desk.gauge import DIALS, Dial
from harness.desk.making import Making, Take

_WIDE, _HIGH = 150, 34  # of a course in the gauge, in pixels


def player(film: str, making: Making | None, seconds: float) -> str:
    """The film so far; it begins with its last clip, and can be played from the start."""
    if making is None or making.head is None:
        return (
            "<div class='stage empty'><div><b>No clip yet.</b><br>Press <i>▶ Next clip</i>: it shows the first of the prompts "
            "to come and begins with the start image.</div></div>"
        )
    count = len(making.film)
    return (
        f"<div class='stage'><video src='/watch/{film}/{making.head[:32]}.mp4' controls autoplay muted loop playsinline></video>"
        f"<div class='length'>{count} clip{'s' if count > 1 else ''} · {seconds:.1f} s</div></div>"
    )


def status(text: str, share: float | None = None, kind: str = "") -> str:
    """A line under the player, with a bar where something is made; `kind`: bad, good or none."""
    bar = "" if share is None else f"<div class='bar'><div style='width:{100 * share:.1f}%'></div></div>"
    return f"<div class='status {kind}' role='status'>{escape(text)}{bar}</div>"


def tree(making: Making | None, chosen: str | None) -> str:
    """All takes, a column a clip of the film; another take of a clip stands below the first. One can be chosen."""
    if making is None or not making.takes:
        return "<div class='tree none'>Every take will be kept here, also those that the film does not show.</div>"
    shown, rows, clips = {take.name for take in making.film}, _rows(making), dict[str, int]()
    for take in making.takes:  # each after the one before it
        clips[take.name] = clips.get(take.before or "", 0) + 1
    nodes = "".join(_node(making, take, (clips[take.name], rows), shown, chosen) for take in making.takes)
    return f"<div class='tree' role='listbox' aria-label='takes'>{nodes}</div>"


def _rows(making: Making) -> dict[str, int]:
    """The row of each take: a first take goes on in its parent's row, any other begins a row of its own below."""
    rows, used = dict[str, int](), 0
    after = dict[str | None, list[Take]]()
    for take in making.takes:
        after.setdefault(take.before, []).append(take)
    open_ = after.get(None, [])[::-1]
    while open_:
        take = open_.pop()
        first = after[take.before][0] is take
        used += not first
        rows[take.name] = (rows[take.before] if take.before is not None else 0) if first else used
        open_ += after.get(take.name, [])[::-1]
    return rows


def _node(making: Making, take: Take, place: tuple[int, dict[str, int]], shown: set[str], chosen: str | None) -> str:
    clip, rows = place
    row = rows[take.name]
    above = row - rows[take.before] if take.before is not None else row
    kinds = ["take", *(["on"] if take.name in shown else []), *(["head"] if take.name == making.head else [])]
    kinds += ["chosen"] if take.name == chosen else []
    kinds += ["first"] if take.before is None else []
    prompt = escape(take.prompt, quote=True)
    return (
        f"<button type='button' role='option' aria-selected='{str(take.name == chosen).lower()}' class='{' '.join(kinds)}' "
        f"data-take='{take.name}' style='grid-column:{clip};grid-row:{row + 1};--up:{above}' title='{prompt}&#10;{_own(take)}'>"
        f"<img src='/picture/{take.name}.png' alt='' loading='lazy'>"
        f"<span class='what'><b>clip {clip}</b> seed {take.seed}</span><span class='prompt'>{prompt}</span></button>"
    )


def _own(take: Take) -> str:
    return escape(", ".join(f"{key.partition('.')[2]} {value}" for key, value in take.own.items()), quote=True)


def gauge(clips: Sequence[Take]) -> str:
    """The course of each number over the film's clips, and its last value; gain and eps where they were measured."""
    if not clips:
        return "<div class='gauge none'>What the scorers say of each clip will stand here.</div>"
    dials = "".join(_dial(dial, [take.gauge.get(dial.metric) for take in clips]) for dial in DIALS)
    return f"<div class='gauge'>{dials}{_probed(clips[0].probed)}</div>"


def _dial(dial: Dial, values: Sequence[float | None]) -> str:
    last = "–" if values[-1] is None else f"{values[-1]:.{dial.digits}f}"
    return (
        f"<div class='dial' title='{escape(dial.about, quote=True)}'><b>{dial.title}</b>{_course(values)}"
        f"<output>{last}</output><small>{escape(dial.about)}</small></div>"
    )


def _course(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    top, low = max([*known, 1e-9]), min([0.0, *known])
    across = _WIDE / max(len(values) - 1, 1)
    spots = [
        (clip * across, _HIGH - (value - low) / (top - low) * _HIGH)
        for clip, value in enumerate(values)
        if value is not None
    ]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)
    end = f"<circle cx='{spots[-1][0]:.1f}' cy='{spots[-1][1]:.1f}' r='3'/>" if spots else ""
    return (
        f"<svg viewBox='-4 -4 {_WIDE + 8} {_HIGH + 8}' width='{_WIDE}' height='{_HIGH}' aria-hidden='true'>"
        f"<polyline points='{line}'/>{end}</svg>"
    )


def _probed(probed: dict[str, float | None]) -> str:
    if not probed:
        return ""
    gain, eps = probed.get("gain"), probed.get("eps")
    rows = [
        ("gain", gain, "share of an error that a clip hands on; from 1 on it grows without end"),
        ("eps", eps, "error that each clip adds, in latents"),
    ]
    if gain is not None and eps is not None and gain < 1:
        rows.append(("tends to", eps / (1 - gain), "eps / (1 − gain): where the error ends"))
    return "".join(
        f"<div class='dial number'><b>{name}</b><output>{'–' if value is None else f'{value:.3f}'}</output>"
        f"<small>{escape(about)}</small></div>"
        for name, value, about in rows
    )
