"""How metrics and measures are called, for people: in tables, sentences and figures alike."""

from reports.statistics.measures import OFFICIAL, Measure

_METRIC_LABELS = {
    "placed_psnr": "placed PSNR",
    "background_psnr": "background PSNR",
    "psnr": "PSNR",
    "ssim": "SSIM",
    "fvd": "FVD",
    "sync_c": "Sync-C",
    "sync_d": "Sync-D",
}
_SHORT = {
    "background PSNR": "bg PSNR",
    "subject similarity": "subject",
    "object kept": "object",
    "imaging quality": "imaging",
    "aesthetic quality": "aesthetic",
    "motion smoothness": "smoothness",
}
_STATISTIC_LABELS = {"first": "clip 1", "value": "", "vde": "VDE"}
_DIMENSIONLESS = ("", "0..1", "cosine", "index", "ratio", "raw", "relative", "share")
ARROWS = {"higher": "↑", "lower": "↓", "none": ""}


def unit_suffix(unit: str) -> str:
    """What follows a number in running text: ` dB`, nothing after a ratio or a share."""
    return "" if unit in _DIMENSIONLESS else f" {unit}"


def metric_label(metric: str) -> str:
    """The metric's name for people: `background_psnr` -> background PSNR."""
    name = metric.removesuffix(OFFICIAL)
    label = _METRIC_LABELS.get(name, name.replace("_", " "))
    return label if name == metric else f"{label} (official)"


def measure_label(measure: Measure) -> str:
    """In running text: late background PSNR, gain."""
    label = metric_label(measure.metric)
    return {
        "first": f"{label} of clip 1",
        "late": f"late {label}",
        "drop": f"drop of {label}",
        "contrast": f"start-to-end contrast of {label}",
        "vde": f"VDE of {label}",
        "slope": f"slope of {label}",
    }.get(measure.statistic, label)


def column_label(measure: Measure) -> str:
    """At the head of a column: bg PSNR late, gain."""
    label = metric_label(measure.metric)
    return f"{_SHORT.get(label, label)} {_STATISTIC_LABELS.get(measure.statistic, measure.statistic)}".strip()
