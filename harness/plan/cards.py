"""GPUs by name: their memory, and the matrix rate that their makers publish, beside what was measured here."""

from dataclasses import dataclass
from pathlib import Path

from harness.core.card_report import CardReport, known_cards, slug
from harness.core.errors import UseError


@dataclass(frozen=True)
class Card:
    """`memory` bytes; `rate` FLOP/s of dense bfloat16 matrix products, None: not known here; `report`: what `harness doctor --gpu`
    measured of it."""

    name: str
    memory: int
    rate: float | None
    report: CardReport | None = None


# GB and 10^12 FLOP/s in bfloat16 without sparsity, by the data sheets of NVIDIA and AMD.
PUBLISHED: dict[str, tuple[int, int]] = {
    "A100-40GB": (40, 312),
    "A100-80GB": (80, 312),
    "A6000": (48, 155),
    "B200": (180, 2250),
    "H100": (80, 989),
    "H100-PCIe": (80, 756),
    "H20": (96, 148),
    "H200": (141, 989),
    "L40S": (48, 362),
    "MI300X": (192, 1307),
    "RTX-4090": (24, 165),
    "RTX-5090": (32, 209),
}


def card_named(name: str, store: Path) -> Card:
    """One that was measured in the store (its folder) and has these words in its name, else a published one: an H100 is no H100
    PCIe. Raises UseError for none."""
    wanted = slug(name)
    reports, is_published = known_cards(store), wanted in map(slug, PUBLISHED)
    for report in reports:
        driver = slug(report.card)
        published = _published(driver)
        if {*wanted.split("-")} <= {*driver.split("-")} and (not is_published or wanted == slug(published or "")):
            rate = PUBLISHED[published][1] * 1e12 if published else None
            return Card(report.card, report.memory_bytes, rate, report)
    for known, (gigabytes, rate) in PUBLISHED.items():
        if wanted == slug(known):
            return Card(known, gigabytes * 10**9, rate * 1e12)
    known_names = ", ".join([*(report.card for report in reports), *PUBLISHED])
    raise UseError(
        f"--card {name}: no such card is known; expected one of {known_names}, or run `harness doctor --gpu` on it first"
    )


def _published(driver: str) -> str | None:
    """The card with the most words among those that a driver calls it by: nvidia-h100-pcie."""
    words = set(driver.split("-"))
    return max((name for name in PUBLISHED if set(slug(name).split("-")) <= words), key=len, default=None)
