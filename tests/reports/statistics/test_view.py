"""What is asked of a view more than once is computed once, and gone with the view."""

import weakref
from collections.abc import Callable
from dataclasses import replace

import pytest

from reports.statistics.frame import WINDOW
from reports.statistics.length import length_table
from reports.statistics.variant_forecasts import variant_forecasts
from reports.statistics.view import TrackView
from reports.tables.track_tables import further_grids, main_grids
from tests.reports.report_frames import study_view


def lead_curves(view: TrackView) -> object:
    assert view.lead is not None
    return view.curves(view.lead.metric, WINDOW)


@pytest.mark.parametrize("asked", [main_grids, further_grids, length_table, variant_forecasts, lead_curves])
def test_it_is_kept_with_the_view_and_no_longer(asked: Callable[[TrackView], object]) -> None:
    view, other = replace(study_view()), replace(study_view())
    assert asked(view) is asked(view)
    assert asked(view) is not asked(other)
    gone = weakref.ref(view)
    del view
    assert gone() is None
