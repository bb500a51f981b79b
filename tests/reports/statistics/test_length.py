"""Quality against length: which clips a shorter film has, and what it had scored."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from reports.statistics.length import length_table
from tests.reports.report_frames import rows, view, whole

TRACK = "consistent-300s"
LONG: dict[str, Any] = {"tracks": [TRACK], "clip_seconds": 5.0, "fps": 16.0}


def table(parts: list[pd.DataFrame], **changes: Any) -> pd.DataFrame:
    """Of films of 60 clips of 5 s, but for what is changed."""
    return length_table(view(pd.concat(parts, ignore_index=True), **LONG | changes))


def test_a_shorter_film_scores_as_the_beginning_of_the_long_one() -> None:
    values = np.arange(60.0)
    films = [
        rows("full", "background_psnr", values + film % 2, track=TRACK, sample=name)
        for film, name in enumerate("abcdef")
    ]
    found = table(films)
    assert found["seconds"].tolist() == [50, 100, 150, 200, 250, 300]
    assert found["frames"].tolist() == [800, 1600, 2400, 3200, 4000, 4800]
    assert found["mean"].tolist() == [values[: 10 * n].mean() + 0.5 for n in range(1, 7)]
    assert found["se"].tolist() == pytest.approx([np.sqrt(0.05)] * 6)


def test_a_metrics_own_score_of_the_beginning_goes_before_the_mean_of_its_clips() -> None:
    curve = list(np.linspace(1, 0, 60))
    film = whole("full", "subject_consistency", 0.5, curve, track=TRACK)
    so_far = film["view"] == "prefix"
    film.loc[so_far, "value"] = film.loc[so_far, "value"] - 0.25
    found = table([film])
    assert found["mean"].iloc[0] == pytest.approx(np.mean(curve[:10]) - 0.25)


def test_films_of_a_track_last_equally_long_in_however_many_clips() -> None:
    films = [rows(name, "background_psnr", np.ones(n), track=TRACK) for name, n in (("full", 60), ("base", 120))]
    found = table(films).set_index("variant")
    assert (
        found.loc["base", "seconds"].tolist() == found.loc["full", "seconds"].tolist() == [50, 100, 150, 200, 250, 300]
    )


def test_undefined_clips_are_left_out_of_the_mean() -> None:
    values = np.ones(60)
    values[3] = np.nan
    assert table([rows("full", "background_psnr", values, track=TRACK)])["mean"].tolist() == [1.0] * 6


def test_clips_that_do_not_add_up_to_50_s_are_cut_at_the_nearest_end() -> None:
    found = table([rows("full", "background_psnr", np.ones(64), track=TRACK)], clip_seconds=4.75)
    assert found["seconds"].tolist() == [52.25, 99.75, 152.0, 199.5, 251.75, 299.25]
