"""Trained weights as models of MLflow's own: they show under Models, with their card, linked to their run."""

import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from harness.tracking.ledger import Mark
from harness.tracking.uploads import PARAM_LENGTH, TAG_LENGTH, cut, text

if TYPE_CHECKING:
    from mlflow import MlflowClient

CARD = "README.md"


@dataclass(frozen=True)
class TrainedModel:
    """What a training made: the files of `folder` (None: they stay where they are), a card, and an MLmodel file.

    `title` is its name under Models, `flavor` the library that loads the folder, `identity` the training's signature. The card
    is Markdown and may change, as scores arrive: `told` identifies what it tells. It also is the model's description.
    `alone` is held while the model is looked for and made: of two commands at once, one makes it and the other finds it.
    """

    name: str
    title: str
    flavor: str
    folder: Path | None
    params: Mapping[str, object]
    card: Callable[[], str]
    identity: str
    told: str
    alone: AbstractContextManager[object] = field(default_factory=nullcontext, compare=False)

    def pending(self, mark: Mark | None) -> bool:
        return mark != self._mark(self.told)

    def send(self, client: "MlflowClient", run_id: str, mark: Mark | None) -> Iterator[Mark]:
        with self.alone:
            model_id = self._find_or_make(client, run_id)
        if not str(mark).startswith(self._mark("")):
            self._upload(client, run_id, model_id)
            yield self._mark("")
        card = self.card()
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / CARD).write_text(card)
            client.log_model_artifacts(model_id, folder)
        shown = re.sub(r"\A---\n.*?\n---\n+", "", card, flags=re.DOTALL)  # the hub's front matter is not for reading
        client.set_logged_model_tags(model_id, {"mlflow.note.content": cut(shown, TAG_LENGTH)})
        yield self._mark(self.told)

    def _mark(self, told: str) -> str:
        """What of it the run holds: the weights are sent once, the card whenever it tells something else."""
        return f"{self.identity}:{'weights' if self.folder else 'card'}:{told}"

    def _find_or_make(self, client: "MlflowClient", run_id: str) -> str:
        """The id of the run's model with this title, linked to the run: an upload that was cut short leaves no second one."""
        from mlflow.entities import LoggedModelOutput

        run, title = client.get_run(run_id), re.sub(r"[/:.%\"']", "-", self.title)
        same = f"source_run_id = '{run_id}' AND name = '{title}'"
        found = client.search_logged_models([run.info.experiment_id], same, max_results=1)
        if found:
            model_id = str(found[0].model_id)
        else:
            params = {key: cut(text(value), PARAM_LENGTH) for key, value in self.params.items()}
            model_id = client.create_logged_model(
                run.info.experiment_id, title, run_id, params=params, model_type=self.flavor
            ).model_id
        linked = run.outputs.model_outputs if run.outputs else []
        if model_id not in {output.model_id for output in linked}:
            client.log_outputs(run_id, [LoggedModelOutput(model_id, step=0)])
        return model_id

    def _upload(self, client: "MlflowClient", run_id: str, model_id: str) -> None:
        from mlflow.entities import LoggedModelStatus
        from mlflow.models import Model

        about = Model(run_id=run_id, model_id=model_id)
        about.add_flavor(self.flavor, **{key: text(value) for key, value in self.params.items()})
        with tempfile.TemporaryDirectory() as folder:
            about.save(str(Path(folder) / "MLmodel"))
            client.log_model_artifacts(model_id, folder)
        if self.folder is not None:
            if not self.folder.is_dir():  # of which MLflow would upload nothing, without a word
                raise FileNotFoundError(self.folder)
            client.log_model_artifacts(model_id, str(self.folder))
        client.finalize_logged_model(model_id, LoggedModelStatus.READY)
