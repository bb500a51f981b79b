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
VIEW = "mlflow.sharedViewState."  # tag of a view, before its key
COLUMN_WIDTH = 260  # pixels: the name of a metric begins with its track
BARS = 10  # runs in a chart, as the pages have it


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
    """The MLflow experiment's description, in Markdown, and a saved view called `view`: the runs nested in one, in one flat table.

    Its columns are metrics, then parameters. The first metric orders the rows, rising or not: without an order of its own MLflow
    would nest them. On its chart page these metrics come first, in this order, then those of `sections`, then all others.
    """

    description: str
    view: str
    metrics: Sequence[str]
    params: Sequence[str]
    rising: bool
    sections: Sequence[str] = ()
    name = "experiment"

    def tags(self, parent: str) -> dict[str, str]:
        """The experiment's tags: what kind it is, which some versions of the pages ask, its description, and the view of the runs
        in the run with the id `parent`."""
        columns = [*(f"metrics.`{key}`" for key in self.metrics), *(f"params.`{key}`" for key in self.params)]
        state = {
            "searchFilter": f"tags.`mlflow.parentRunId` = '{parent}'",
            "selectedColumns": columns,
            "columnOrder": ["attributes.`Run Name`", *columns],
            "columnWidths": dict.fromkeys(columns, COLUMN_WIDTH),
            "orderByKey": columns[0] if self.metrics else "tags.`mlflow.runName`",
            "orderByAsc": self.rising,
            **self._charts(),
        }
        packed = base64.b64encode(zlib.compress(json.dumps(state).encode(), 9)).decode()
        view = {"name": self.view, "createdAt": 0, "updatedAt": 0, "state": f"deflate;{packed}"}
        return {
            "mlflow.experimentKind": "custom_model_development",
            "mlflow.note.content": self.description,
            f"{VIEW}{view_key(self.view)}": json.dumps(view),
        }

    def _charts(self) -> dict[str, object]:
        """A bar a metric; the pages add what is missing, and would else sort sections and bars by their letters."""
        named = [metric.rpartition("/")[0] for metric in self.metrics]
        sections = [
            {"uuid": name, "name": name, "display": True, "isReordered": True, "deleted": False, "isGenerated": True}
            for name in dict.fromkeys([*named, *self.sections])
        ]
        bars = [
            {
                "uuid": metric,
                "type": "BAR",
                "runsCountToCompare": BARS,
                "metricSectionId": section,
                "deleted": False,
                "isGenerated": True,
                "metricKey": metric,
                "displayName": metric.rpartition("/")[2],
            }
            for metric, section in zip(self.metrics, named, strict=True)
        ]
        return {"compareRunSections": sections, "compareRunCharts": bars, "isAccordionReordered": True}

    def pending(self, mark: Mark | None) -> bool:
        return mark != digest(asdict(self))

    def send(self, client: "MlflowClient", run_id: str, _: Mark | None) -> Iterator[Mark]:
        experiment = client.get_run(run_id).info.experiment_id
        for key, value in self.tags(run_id).items():
            client.set_experiment_tag(experiment, key, value)
        yield digest(asdict(self))


def view_key(view: str) -> str:
    """What a view is called in the address of MLflow's page, and in the experiment's tags."""
    return digest(view)
