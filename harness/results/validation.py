"""What `harness validate` found, as docs/metrics.md has it: in plain words first, then table by table."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.validation.drifts import DRIFTS
from benchmarks.validation.readings import Reading
from benchmarks.validation.study import PARTS, Study
from benchmarks.validation.verdicts import FALSE_ALARMS, POWER, RESPONSE, Verdict
from harness.core.text import flowing, markdown_table

_OPENING = """
A metric of drift is only worth quoting if it falls when a film gets worse, does so as soon as a person can see it, keeps quiet
while nothing is wrong, and cannot be pleased by a fault. Here every metric is put to that test: films of the embedded world, which
are true to the pixel, are damaged in known ways and by known amounts, and the metrics are asked. No model takes part.
"""
_BEST = """
The metric named is the one that sees the drift best; the last column has all others that pass as well. Dose-response is the mean
over films, and in brackets that of the film where it is lowest.
"""
_GRID = """
Dose-response: 1 where every larger dose reads worse, −1 where every larger dose reads *better*. ✓: passes all three tests, by this
value or by its drop since the first clip. **Bold**: the metric rewards the drift. Of `motion` and other metrics of which neither
way is better, the sign is left out.
"""
_METHOD = (
    """
Each drift grows along the film, from nothing in its first frame to the dose in its last. There are ten doses: half of the just
visible one, the just visible one, and from there in equal ratios to the greatest, which nobody overlooks.
""",
    """
**Just visible** is fixed before any metric is asked, for every film by itself; the tables have the mean. What changes colours
is just visible where the last frame's mean colour difference is 2.3 in CIELAB of 1976, the threshold of Mahy, Van Eycken and
Oosterlinck (1994): of all pixels, of the object's own pixels (identity swap, object fade), or of the first frame after the last
hand-off (seam jump). What acts on time has a size of our own choice, not a published one: a still of one frame at 8 a second,
the shortest there is (freeze); a tenth of the speed, about twice of what people tell apart side by side (slow-down); one second
of every four shown twice (loop).
""",
    """
All films, also those without a drift, differ from the truth in ordinary ways: a colour cast of their own (1 % a channel), a
brightness that wanders (.5 %, over 5 to 50 s), grain of one level, and H.264 at full colour resolution and crf 10, which leaves
41 to 42 dB. A metric must tell a drift from those.
""",
    """
Every scene has one part to play, so that nothing is judged on what it was chosen by. {doses} scenes are shown in every dose, and
without a drift: *dose-response* is Spearman's correlation of dose and reading over the doses of one film, mean over films.
{visible} scenes are shown with each just visible dose: *power* is the share of them that raise an alarm. {limits} scenes without a
drift set the limits: a film raises an alarm where it reads worse than every one of these (or unlike them, where neither way is
better). {alarms} more scenes without a drift count *false alarms*.
""",
    """
A metric is read as in a report: its late value (mean over the last 20 % of clips), its drop (first clip minus late), or its
value of the whole film. A drift is *rewarded* where the dose-response is −.5 or less and, at the greatest dose, at least 90 % of
films read better than without a drift, by at least half of the standard deviation between films without one.
""",
    """
What this does not show: drifts that come together, as in real films they do; other sizes of picture, or photographs. The metric
named is the best of many, so that its figures are a little flattered. Three rules were settled after first runs had been looked
at: the limit of alarm is the worst film (before, all but 2 %), so that false alarms are rarer than they may be, which costs power;
a loop is a part of every four seconds (before, the film's end); and a just visible dose is so for each film (before, on average).
""",
)


@dataclass(frozen=True)
class Validation:
    """A study, the just visible dose of each drift (mean over films, NaN of none), its verdicts (the best of each drift first), the
    metrics that could not be measured and why, in how many scenes a drift cannot be seen, the command that finds the same again,
    and a line on films and suites."""

    study: Study
    visible: Mapping[str, float]
    verdicts: Sequence[Verdict]
    missing: Mapping[str, str]
    left_out: Mapping[str, int]
    command: str
    about: str

    def page(self) -> str:
        """All of it as Markdown."""
        counts = {part: self.study.films * times for part, times in PARTS.items()}
        sections = [
            "# Metrics: what they see, what they miss, what they reward",
            flowing(_OPENING),
            f"```bash\n{self.command}\n```",
            self.about,
            "## In short",
            "\n".join(self._summary()),
            "## Which metric sees which drift",
            markdown_table(
                ("drift", "just visible", "metric", "dose-response", "power", "false alarms", "others that pass"),
                [self._witness(name, found) for name, found in self._by_drift.items()],
            ),
            flowing(_BEST),
            "## What every metric says of every drift",
            flowing(_GRID),
            self._grid(),
            "## What falls short",
            "\n".join(self._shortcomings()),
            "## How it is measured",
            *(flowing(text.format(**counts)) for text in _METHOD),
            markdown_table(
                ("drift", "what it does", "just visible", "greatest"), [self._drift(name) for name in self.study.drifts]
            ),
        ]
        return "\n\n".join(sections)

    @property
    def _by_drift(self) -> dict[str, list[Verdict]]:
        """Of those that could be seen at all."""
        found = {name: [one for one in self.verdicts if one.drift == name] for name in self.study.drifts}
        return {name: verdicts for name, verdicts in found.items() if verdicts}

    @property
    def _rewards(self) -> dict[str, str]:
        """A metric and its statistic -> the drifts that it rewards."""
        found: dict[str, list[str]] = {}
        for one in self.verdicts:
            if one.rewards and one.reading.statistic != "drop":
                found.setdefault(_called(one.reading), []).append(one.drift)
        return {name: ", ".join(drifts) for name, drifts in found.items()}

    def _summary(self) -> Iterator[str]:
        lost = [name for name, found in self._by_drift.items() if not found[0].holds]
        seen, of = len(self._by_drift) - len(lost), len(self._by_drift)
        yield (
            f"- **{seen} of {of} drifts are seen by a metric that passes all three tests**: it follows the dose (Spearman at "
            f"least {RESPONSE:g}), raises an alarm on at least {POWER:.0%} of films with a "
            f"just visible dose, and on at most {FALSE_ALARMS:.0%} of films without a drift."
            + (f" Not so: {', '.join(lost)}." if lost else "")
        )
        liked = "; ".join(f"`{metric}` gets better with {drifts}" for metric, drifts in self._rewards.items())
        yield f"- **Rewarded faults**: {liked}." if liked else "- No metric that was measured rewards any of these."
        reasons: dict[str, list[str]] = {}
        for metric, why in self.missing.items():
            reasons.setdefault(why, []).append(f"`{metric}`")
        for why, metrics in reasons.items():
            yield f"- Not measured: {', '.join(metrics)}: {why}."

    def _witness(self, name: str, found: Sequence[Verdict]) -> tuple[str, ...]:
        best = found[0]
        others = dict.fromkeys(one.reading.metric for one in found if one.holds)
        return (
            f"{name}: {DRIFTS[name].about}",
            self._visible(name),
            f"`{_called(best.reading)}`" + ("" if best.holds else " (fails)"),
            f"{best.response:.2f} ({best.least:.2f})",
            f"{best.power:.0%}",
            f"{best.false_alarms:.0%}",
            ", ".join(f"`{metric}`" for metric in others if metric != best.reading.metric) or "–",
        )

    def _grid(self) -> str:
        passes = {(one.reading.metric, one.drift) for one in self.verdicts if one.holds}
        cells = {
            (one.reading, one.drift): _cell(one, (one.reading.metric, one.drift) in passes) for one in self.verdicts
        }
        readings = {reading for reading, _ in cells if reading.statistic != "drop"}
        rows = [
            (f"`{_called(reading)}`", *(cells[reading, name] for name in self._by_drift))
            for reading in sorted(readings)
        ]
        return markdown_table(("metric", *self._by_drift), rows)

    def _shortcomings(self) -> Iterator[str]:
        should = len(self.study.part("doses")) + len(self.study.part("visible"))
        for name, count in self.left_out.items():
            yield (
                f"- **{name}** is left out of {count} of {should} scenes, in which even its greatest dose cannot be seen: what it "
                "changes is hidden in the last frame, or hardly differs."
                + ("" if name in self._by_drift else " Too few are left to say anything of it; give more --films.")
            )
        for name, found in self._by_drift.items():
            if not (best := found[0]).holds:
                yield (
                    f"- **{name}**: no metric passes. The best, `{_called(best.reading)}`, has a dose-response of "
                    f"{best.response:.2f}, a power of {best.power:.0%} and {best.false_alarms:.0%} false alarms."
                )
        noisy = {one.reading: one.false_alarms for one in self.verdicts if one.false_alarms > FALSE_ALARMS}
        if noisy:
            listed = ", ".join(f"`{_called(reading)}` {share:.0%}" for reading, share in noisy.items())
            yield f"- Too many false alarms, whatever the drift: {listed}."
        seen = {one.reading.metric for one in self.verdicts if one.holds}
        if blind := sorted({one.reading.metric for one in self.verdicts} - seen):
            yield f"- Metrics that pass for no drift: {', '.join(f'`{metric}`' for metric in blind)}."
        for metric, drifts in self._rewards.items():
            yield f"- `{metric}` gets better with {drifts}: never read it alone."

    def _drift(self, name: str) -> tuple[str, ...]:
        drift = DRIFTS[name]
        said = (drift.act.__doc__ or "").partition("\n")[0]
        return name, said.replace("`dose`", "the dose"), self._visible(name), f"{drift.greatest:g} {drift.unit}"

    def _visible(self, name: str) -> str:
        return "–" if math.isnan(self.visible[name]) else f"{self.visible[name]:.2g} {DRIFTS[name].unit}"


def _called(reading: Reading) -> str:
    return f"{reading.metric} {'whole film' if reading.statistic == 'film' else reading.statistic}"


def _cell(one: Verdict, passes: bool) -> str:
    size = abs(one.response) if one.reading.direction == "none" else one.response
    value = f"{size:.2f}".replace("-", "−")
    return f"**{value}**" if one.rewards else value + " ✓" * passes
