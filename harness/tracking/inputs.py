"""What a run read and what its experiment is about, as MLflow shows them."""

import base64
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

from harness.tracking.ledger import Mark
from harness.tracking.uploads import digest

if TYPE_CHECKING:
    from mlflow import MlflowClient

DIGEST_LENGTH = 36  # MLflow's limit
VIEW, COLUMN_WIDTH = "Scores", 260  # pixels: the name of a metric begins with its track


@dataclass(frozen=True)
class Dataset:
    """Data that a run was trained or evaluated on; `identity` is a hash of its contents, `profile` numbers worth showing."""

    title: str
    context: Literal["training", "evaluation"]
    identity: str
    source: str
    profile: Mapping[str, object]

    @property
    def name(self) -> str:
        return f"{self.context} data {self.title}"

    def pending(self, mark: Mark | None) -> bool:
        return mark != digest(asdict(self))

    def send(self, client: "MlflowClient", run_id: str, _: Mark | None) -> Iterator[Mark]:
        from mlflow.entities import Dataset, DatasetInput, InputTag

        source = json.dumps({"uri": self.source})
        data = Dataset(self.title, self.identity[:DIGEST_LENGTH], "local", source, profile=json.dumps(self.profile))
        client.log_inputs(run_id, [DatasetInput(data, [InputTag("mlflow.data.context", self.context)])])
        yield digest(asdict(self))


@dataclass(frozen=True)
class ExperimentPage:
    """The experiment's description, in Markdown, and a saved view of its runs: those that match `rows`, in one flat table.

    Columns are named as in MLflow's search: metrics.`late/x`, params.`y`, tags.`z`. The first orders the rows, rising or not:
    without an order of its own MLflow would nest them.
    """

    description: str
    rows: str
    columns: Sequence[str]
    rising: bool
    name = "experiment"

    def tags(self) -> dict[str, str]:
        """The experiment's tags: what kind it is, which some versions of the pages ask, its description, and the view."""
        state = {
            "searchFilter": self.rows,
            "selectedColumns": list(self.columns),
            "columnOrder": ["attributes.`Run Name`", *self.columns],
            "columnWidths": dict.fromkeys(self.columns, COLUMN_WIDTH),
            "orderByKey": self.columns[0] if self.columns else "tags.`mlflow.runName`",
            "orderByAsc": self.rising,
        }
        packed = base64.b64encode(zlib.compress(json.dumps(state).encode(), 9)).decode()
        view = {"name": VIEW, "createdAt": 0, "updatedAt": 0, "state": f"deflate;{packed}"}
        return {
            "mlflow.experimentKind": "custom_model_development",
            "mlflow.note.content": self.description,
            "mlflow.sharedViewState.harness": json.dumps(view),
        }

    def pending(self, mark: Mark | None) -> bool:
        return mark != digest(self.tags())

    def send(self, client: "MlflowClient", run_id: str, _: Mark | None) -> Iterator[Mark]:
        experiment = client.get_run(run_id).info.experiment_id
        for key, value in self.tags().items():
            client.set_experiment_tag(experiment, key, value)
        yield digest(self.tags())
