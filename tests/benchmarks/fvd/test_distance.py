"""The distance of two sets of clips, what is recorded with it, and what a reader is told."""

import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.fvd.distance import FeatureSet, fvd
from benchmarks.fvd.extractor import Extractor
from benchmarks.fvd.frechet import frechet_distance, sample_bias
from tests.benchmarks.fvd.fvd_weights import SmallNetwork

ROOT = Path(__file__).parents[3]


def drawn(count: int, seed: int) -> FeatureSet:
    features = np.random.default_rng(seed).standard_normal((count, 400))
    return Extractor(SmallNetwork(), "i3d.pt", "ab" * 32, "crop").feature_set(features, 2, (480, 832))


def test_the_record_says_what_the_value_was_computed_with() -> None:
    generated, reference = drawn(20, 1), drawn(30, 2)
    result = fvd(generated, reference, "unbiased")
    assert asdict(result) == {
        "value": frechet_distance(generated.features, reference.features, "unbiased"),
        "n_generated": 20,
        "n_reference": 30,
        "extractor": "i3d.pt",
        "sha256": "ab" * 32,
        "rule": "unbiased",
        "resize": "crop",
        "frames": 16,
        "stride": 2,
        "resolution": (480, 832),
        "reference_resolution": (480, 832),
    }
    assert fvd(generated, reference).value == frechet_distance(generated.features, reference.features, "biased")


def test_few_videos_come_with_a_warning_and_what_their_number_alone_gives() -> None:
    note = fvd(drawn(64, 1), drawn(300, 2)).note()
    assert "64 generated and 300 reference clips, fewer than 256" in note
    assert f"about {sample_bias(64, 300):.0f} apart instead of 0" in note
    assert sample_bias(64, 300) == pytest.approx(fvd(drawn(64, 3), drawn(300, 4)).value, rel=0.03)
    assert "fewer" in fvd(drawn(256, 1), drawn(255, 2)).note()
    assert fvd(drawn(256, 1), drawn(256, 2)).note() == ""


def test_videos_of_different_sizes_come_with_a_warning() -> None:
    reference = replace(drawn(256, 2), resolution=(720, 1280))
    note = fvd(drawn(256, 1), reference).note()
    assert note.startswith("FVD between videos of different sizes (generated and reference 480x832 and 720x1280)")


@pytest.mark.parametrize(
    "change", [{"extractor": "another.pt"}, {"sha256": "cd" * 32}, {"resize": "stretch"}, {"frames": 32}, {"stride": 1}]
)
def test_sets_that_were_made_differently_are_refused(change: dict[str, object]) -> None:
    generated = drawn(4, 1)
    name, value = next(iter(change.items()))
    with pytest.raises(ValueError, match=f"received {name} {getattr(generated, name)!r} and {value!r}, expected sets"):
        fvd(generated, replace(drawn(4, 2), **change))  # type: ignore[arg-type]


def test_features_of_another_width_are_refused() -> None:
    with pytest.raises(ValueError, match=r"received \(4, 399\), expected \[clips, 400\]"):
        replace(drawn(4, 1), features=np.zeros((4, 399)))


def test_records_and_files_load_no_torch() -> None:
    code = "import sys, benchmarks.fvd.files, benchmarks.fvd.distance, benchmarks.fvd.windows; assert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
