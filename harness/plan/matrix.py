"""A plan that fits a screen: a row a variant, a column a kind of stage, and why there is something left to do."""

from collections.abc import Mapping, Sequence

from harness.core.text import duration, table
from harness.plan.kinds import ERRORS, FORECAST, GENERATE, REPORT, SCORE, TRAIN
from harness.plan.pipeline import Pipeline
from harness.plan.plan import Plan, PlannedStage

WIDTH = 100  # columns of a screen
COLUMNS = {
    "train": TRAIN.name,
    "forecast": FORECAST.name,
    "films": GENERATE.name,
    "scores": SCORE.name,
    "errors": ERRORS.name,
}
Row = Mapping[str, Sequence[PlannedStage]]  # by column


def matrix(plan: Plan, pipeline: Pipeline) -> str:
    """What variants share, then a row for each variant with all its seeds and tracks together."""
    variants = _rows(plan, pipeline)
    own = {stage.node.signature for row in variants.values() for stages in row.values() for stage in stages}
    shared = [stage for stage in plan.rows if stage.node.signature not in own]
    used = [column for column in COLUMNS if any(row[column] for row in variants.values())]
    blocks = (
        [("shared", "time", "why"), *((stage.labels[0], _cell([stage]), _why_shared(stage)) for stage in shared)],
        [
            ("variant", *used, "why"),
            *((name, *(_cell(row[column]) for column in used), _why(row)) for name, row in variants.items()),
        ],
    )
    return "\n\n".join("\n".join(map(_cut, table(rows))) for rows in blocks)


def _rows(plan: Plan, pipeline: Pipeline) -> dict[str, Row]:
    """Variant -> column -> its stages of all seeds and tracks."""
    planned = {stage.node.signature: stage for stage in plan.rows}
    found: dict[str, dict[str, list[PlannedStage]]] = {}
    for child in pipeline.children:
        row = found.setdefault(child.variant.name, {column: [] for column in COLUMNS})
        for stage in (planned[signature] for signature in child.stages):
            column = next(column for column, kind in COLUMNS.items() if kind == stage.node.kind)
            if stage not in row[column]:  # a film that does not depend on the seed
                row[column].append(stage)
    return dict(found)


def _cell(stages: Sequence[PlannedStage]) -> str:
    """How long they may still take, and how many of several are done."""
    left = [stage for stage in stages if stage.state != "cached"]
    if not left:
        return "done" if stages else "-"
    unknown = any(stage.estimate is None for stage in left)
    time = "?" if unknown else duration(sum(stage.estimate or 0.0 for stage in left))
    return time if len(left) == len(stages) else f"{time}, {len(stages) - len(left)} of {len(stages)} done"


def _why(row: Row) -> str:
    """Of the first stage that is not done: those after it follow from it."""
    for column, stages in row.items():
        for stage in stages:
            if stage.state != "cached":
                return f"{column} {stage.why}" if stage.state == "partial" else stage.why
    return ""


def _why_shared(stage: PlannedStage) -> str:
    return (
        "" if stage.node.kind == REPORT.name and stage.state == "missing" else stage.why
    )  # it follows from the others


def _cut(line: str) -> str:
    """What fits a screen, of several reasons whole ones; `--long` has all of it."""
    if len(line) <= WIDTH:
        return line
    whole, several, _ = line[: WIDTH - 3].rpartition("; ")
    return f"{whole}; ..." if several else f"{line[: WIDTH - 3].rstrip()}..."
