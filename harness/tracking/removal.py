"""Runs of MLflow's that are deleted with the run whose name they have."""

from pathlib import Path

from harness.tracking.inputs import VIEW, view_key
from harness.tracking.own import own_database
from harness.tracking.server import KEY_TAG, new_client


def remove_run(store_root: Path, experiment: str, run: str) -> int:
    """Delete the runs and models of a run, and its view, from the store's own database; returns how many runs there were.

    MLflow keeps what is deleted, and its files, until `mlflow gc`.
    """
    database = own_database(store_root)
    if not database.is_file():
        return 0
    client = new_client(f"sqlite:///{database}")
    found = client.get_experiment_by_name(experiment)
    if found is None:
        return 0
    key = f"{experiment}/{run}/"
    alike = client.search_runs([found.experiment_id], f"tags.`{KEY_TAG}` LIKE '{key}%'", max_results=50_000)
    runs = [one for one in alike if one.data.tags[KEY_TAG].startswith(key)]  # LIKE takes "_" for any letter
    for one in runs:
        for model in client.search_logged_models([found.experiment_id], f"source_run_id = '{one.info.run_id}'"):
            client.delete_logged_model(model.model_id)
        client.delete_run(one.info.run_id)
    if (view := f"{VIEW}{view_key(run)}") in found.tags:
        client.delete_experiment_tag(found.experiment_id, view)
    return len(runs)
