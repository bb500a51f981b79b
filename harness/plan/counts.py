"""How much work a stage is, in units that a card is measured by: of plans, and of what a measured card means for an experiment."""

from harness.core.card_report import Work
from harness.declare.settings import Settings


def train_work(settings: Settings, clips: int) -> dict[Work, int]:
    """Of one training on so many clips, over all its ranks."""
    return {"step": settings.train.steps_over(clips) * settings.train.batch}


def film_work(settings: Settings, clips: int) -> dict[Work, int]:
    """Of so many clips of films. A clip is encoded once: its motion frames and what they are padded with are one video, and apart,
    as behind an anchor, they are shorter."""
    made = settings.generate
    passes = 1 + made.guided + (settings.condition.signal is not None and made.signal_guidance != 1)
    return {"call": clips * made.steps * passes, "encode": clips, "decode": clips}
