"""The forecasts of a track's variants, and what was measured where they foretell it."""

from collections.abc import Mapping
from contextlib import suppress

import pandas as pd

from reports.statistics.bootstrap import Floats
from reports.statistics.forecast import Forecast, forecast, late_by_film
from reports.statistics.foretold import ROLLED_CLIPS, ROLLED_FILMS, Foretold, foretold
from reports.statistics.frame import FILM, WINDOW
from reports.statistics.trainings import Trainings, weights
from reports.statistics.view import TrackView, once_a_view

WHOLE_FRAME = "placed_psnr"  # the metric that is foretold


@once_a_view
def variant_forecasts(view: TrackView) -> Mapping[str, Forecast]:
    """By variant, of those with gain and eps, the films of all seeds together."""
    return {
        name: forecast(gain.to_numpy(), eps.to_numpy(), view.clips[name]) for name, (gain, eps) in _probes(view).items()
    }


def forecast_trainings(view: TrackView) -> Trainings | None:
    """How far trainings differ in the forecast, the logarithm of the late error, over the trained rows; None with one seed."""
    probes = {name: probe for name, probe in _probes(view).items() if name not in view.info.untrained}
    tables = [late_by_film(gain.to_numpy(), eps.to_numpy(), view.clips[name]) for name, (gain, eps) in probes.items()]
    return Trainings.pooled(tables, weights=weights(view.info.trainings, probes))


@once_a_view
def foretold_late(view: TrackView) -> Mapping[str, Foretold]:
    """By variant, of those with a gain and a curve: how the whole frame was to end by the first clips of the first films. Empty
    where no true film is known, or too short a film for there to be anything to foretell."""
    found: dict[str, Foretold] = {}
    misses = view.info.misses.get(view.track, {})
    curves = view.scored[(view.scored["metric"] == WHOLE_FRAME) & (view.scored["view"] == WINDOW)]
    for name, (gain, _) in _probes(view).items():
        own = curves[curves["variant"] == name]
        if view.clips[name] > ROLLED_CLIPS and len(own):
            known, first = misses.get(name, {}).get(WHOLE_FRAME, ()), _by_seed(own, gain.index)[:, :ROLLED_FILMS]
            with suppress(ValueError):  # no seed has both a curve and a gain
                found[name] = foretold(first, gain.to_numpy(), view.clips[name], known)
    return found


def _by_seed(curves: pd.DataFrame, seeds: pd.Index) -> Floats:
    """One variant's curves [seeds, films, clips]; NaN of a seed or film that has none."""
    table = curves.pivot_table(
        index="seed", columns=["sample", "clip"], values="value", observed=True, dropna=False
    ).reindex(seeds)
    found: Floats = table.to_numpy().reshape(len(seeds), -1, curves["clip"].nunique())
    return found


def _probes(view: TrackView) -> dict[str, tuple[pd.DataFrame, pd.DataFrame]]:
    """Variant -> gain and eps, a row a seed and a column a film each; of the seeds that have any."""
    probed = view.scored[(view.scored["view"] == FILM) & view.scored["metric"].isin(["gain", "eps"])]
    if probed.empty:
        return {}
    tables = probed.pivot_table(index=["variant", "seed"], columns=["metric", "sample"], values="value", observed=True)
    found = {}
    for name in view.info.compared:
        if name not in view.clips or name not in tables.index.get_level_values("variant"):
            continue
        films = tables.loc[name]
        if {"gain", "eps"} <= set(films.columns.get_level_values("metric")):
            gain, eps = pd.DataFrame(films["gain"]).align(pd.DataFrame(films["eps"]))
            if (gain.notna() & eps.notna()).to_numpy().any():
                found[name] = (gain, eps)
    return found


def measured_late(view: TrackView) -> pd.DataFrame:
    """The lead measure at the end of the film: index variant, columns mean, low, high; without rows where there is none."""
    if view.lead is None:
        return pd.DataFrame(columns=["mean", "low", "high"])
    rows = view.rows_of(view.lead)
    return rows[rows["status"] == "ok"].set_index("variant")[["mean", "low", "high"]]
