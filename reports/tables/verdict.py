"""The answer in words alone: yes or no where the question asks for it, and what ends better or worse."""

from typing import NamedTuple

from reports.statistics.bootstrap import FEWEST
from reports.statistics.view import ReportView, TrackView
from reports.tables.answer import NAMED, ONCE, differences, in_words, kinds

TOO_FEW = "Too few films to say."


class Verdict(NamedTuple):
    """`head`: Yes, No, or how far these films can tell; empty where more than yes or no was asked. `says`: a sentence a track."""

    head: str
    says: tuple[str, ...]


def verdict(report: ReportView) -> Verdict:
    """Of all tracks together; where they differ, the head says on which it holds."""
    found = {view.track: (_head(view), _says(view)) for view in report.tracks}
    told = {track: pair for track, pair in found.items() if pair[1]}
    heads = list(dict.fromkeys(head for head, _ in told.values()))
    head = heads[0] if len(heads) == 1 else " ".join(f"On {track}: {head}" for track, (head, _) in told.items() if head)
    sentences = list(dict.fromkeys(says for _, says in told.values()))
    if len(sentences) > 1:
        return Verdict(head, tuple(f"On {track}, {says}" for track, (_, says) in told.items()))
    return Verdict(head, tuple(sentences))


def _head(view: TrackView) -> str:
    rows = differences(view)
    found = kinds(rows)
    if len(rows) and len(found.few) == len(rows):
        return TOO_FEW
    if view.info.yes_if is None:
        return ""
    variant, wanted = view.info.yes_if
    if variant in view.info.twins(view.track):
        return f"Not answered: {variant} is {view.info.baseline} itself here."
    kind = next((kind for kind, rows in found._asdict().items() if variant in set(rows["variant"])), None)
    told = {
        None: "Not answered: its variant was not run.",
        "few": TOO_FEW,
        "unsure": "Perhaps.",
        "alike": "Undecided.",
        "same": "No.",
        wanted: "Yes.",
    }.get(kind, "Yes." if wanted == "different" else "No.")
    once = rows.loc[rows["variant"] == variant, "delta_one_training"].any()
    return told.replace(".", ", by one training each.") if once and kind in ("worse", "better") else told


def _says(view: TrackView) -> str:
    """What differs from the baseline and what does not, without numbers; empty where nothing is compared."""
    rows, name = differences(view), view.info.baseline
    found = kinds(rows)
    if len(rows) and len(found.few) == len(rows):
        n = int(rows["delta_n"].max())
        return f"{n} sample{'s' * (n > 1)} cannot tell the variants apart; {FEWEST} are the fewest that can."
    told = {
        "worse": ("ends", "end", f"worse than {name}"),
        "better": ("ends", "end", f"better than {name}"),
        "same": ("ends", "end", f"exactly as {name} does"),
        "unsure": ("may differ", "may differ", f"from {name}"),
        "alike": ("is", "are", "undecided"),
        "few": ("has", "have", "too few films to say"),
    }
    clauses = [
        f"{in_words(list(rows['variant'][:NAMED]), len(rows))} {told[kind][len(rows) > 1]} {told[kind][2]}"
        for kind, rows in found._asdict().items()
        if len(rows)
    ]
    once = f" ({ONCE})" if rows["delta_one_training"].any() else ""
    return f"{'; '.join(clauses)}{once}." if clauses else ""
