"""The forecast from one clip, a row a variant, beside what the long films then did."""

import numpy as np

from reports.statistics.forecast import Interval
from reports.statistics.foretold import ROLLED_CLIPS, ROLLED_FILMS
from reports.statistics.info import ReportInfo
from reports.statistics.variant_forecasts import WHOLE_FRAME, foretold_late, measured_late, variant_forecasts
from reports.statistics.view import TrackView
from reports.tables.grid import Cell, Grid
from reports.tables.labels import measure_label
from reports.tables.numbers import stated


def forecast_grid(view: TrackView) -> Grid | None:
    """A row a variant, the least error at the end of the film first; None without a forecast."""
    found, late, told = variant_forecasts(view), measured_late(view), foretold_late(view)
    if not found:
        return None
    heads = ["variant", "gain", "eps", "settles at", "time constant, clips", "forecast error at the end"]
    foretells = view.lead is not None and view.lead.metric == WHOLE_FRAME and bool(told)
    heads += ["foretold by the first clips"] if foretells else []
    heads += [f"measured {measure_label(view.lead)}"] if view.lead else []
    rows = []
    for name, one in sorted(found.items(), key=lambda pair: pair[1].late.value):
        estimates = [one.gain, one.eps, one.plateau, one.time_constant, one.late]
        estimates += (
            [Interval(*told[name])] if foretells and name in told else [Interval(np.nan, np.nan, np.nan)] * foretells
        )
        estimates += [Interval(*late.loc[name])] if name in late.index else []
        rows.append([Cell(name), *(Cell(stated(estimate)) for estimate in estimates)])
        rows[-1] += [Cell("")] * (len(heads) - len(rows[-1]))
    brackets = (
        "95 % intervals in brackets; errors" if any(np.isfinite(one.gain.low) for one in found.values()) else "Errors"
    )
    notes = [f"{brackets} are in units of the latents, and a gain of 1 or more never settles."]
    if foretells:
        notes.append(
            f"Foretold: from the first {ROLLED_CLIPS} clips of {ROLLED_FILMS} films, with a 90 % interval where it is known how "
            "far such forecasts missed."
        )
    return Grid(f"{view.track}: forecast from one clip", heads, rows, [*notes, *cost_notes(view.info)])


def cost_notes(info: ReportInfo) -> list[str]:
    """What the forecasts took, against the films and scores that they foretell."""
    if not info.forecast_share:
        return []
    spent = info.costs["forecast"]
    return [f"The forecasts took {spent}, {info.forecast_share:.1%} of what all films and their scores took."]
