from benchmarks.validation.readings import Reading
from benchmarks.validation.study import Study
from benchmarks.validation.verdicts import Verdict
from harness.results.validation import Validation

SEEN, LIKED = Reading("colour_drift", "drop", "lower"), Reading("background_psnr", "late", "higher")
LATE = Reading("colour_drift", "late", "lower")


def page(drifts: tuple[str, ...] = ("hue", "object fade")) -> str:
    verdicts = [
        Verdict("hue", SEEN, 1.0, 0.98, 0.95, 0.02, 0.0, -1.0),
        Verdict("hue", LATE, 0.9, 0.8, 0.6, 0.02, 0.0, -1.0),
        Verdict("hue", LIKED, 0.9, 0.5, 0.4, 0.1, 0.0, -1.0),
        Verdict("object fade", SEEN, 0.5, 0.1, 0.3, 0.02, 0.1, -1.0),
        Verdict("object fade", LATE, 0.4, 0.1, 0.3, 0.02, 0.1, -1.0),
        Verdict("object fade", LIKED, -0.9, -1.0, 0.0, 0.1, 1.0, 2.0),
    ]
    why = {"gain": "needs a probe", "eps": "needs a probe"}
    return Validation(
        Study(2, drifts),
        {"hue": 2.5, "object fade": 0.04, "blur": float("nan")},
        verdicts,
        why,
        {name: count for name, count in (("object fade", 3), ("blur", 10)) if name in drifts},
        "harness validate --films 2",
        "22 scenes.",
    ).page()


def test_the_summary_comes_first_and_names_what_fails() -> None:
    head = page().partition("## Which metric sees which drift")[0]
    assert "**1 of 2 drifts are seen" in head
    assert "Not so: object fade." in head
    assert "`background_psnr late` gets better with object fade" in head
    assert "Not measured: `gain`, `eps`: needs a probe." in head
    assert "```bash\nharness validate --films 2\n```" in head


def test_every_drift_has_its_best_metric_and_every_metric_its_row() -> None:
    rows = [line for line in page().splitlines() if line.startswith("| ")]
    assert any("| `colour_drift drop` | 1.00 (0.98) | 95% | 2% | – |" in row for row in rows)
    assert any("| `colour_drift drop` (fails) | 0.50 (0.10) | 30% | 2% | – |" in row for row in rows)
    assert "| `colour_drift late` | 0.90 ✓ | 0.40 |" in rows
    assert "| `background_psnr late` | 0.90 | **−0.90** |" in rows


def test_what_falls_short_is_listed() -> None:
    short = page().partition("## What falls short")[2].partition("## How")[0]
    assert "**object fade**: no metric passes" in short
    assert "Too many false alarms, whatever the drift: `background_psnr late` 10%" in short
    assert "Metrics that pass for no drift: `background_psnr`" in short
    assert "never read it alone" in short


def test_scenes_in_which_a_drift_cannot_be_seen_are_said_and_a_drift_that_none_shows_is_in_no_table() -> None:
    text = page(("hue", "blur", "object fade"))
    short = text.partition("## What falls short")[2].partition("## How")[0]
    assert "**object fade** is left out of 3 of 10 scenes" in short
    assert "**blur** is left out of 10 of 10 scenes" in short
    assert "Too few are left to say anything of it; give more --films." in short.partition("**blur**")[2]
    assert "**1 of 2 drifts are seen" in text
    assert "| metric | hue | object fade |" in text
    [row] = [line for line in text.splitlines() if line.startswith("| blur |")]
    assert "| – |" in row
