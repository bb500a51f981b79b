"""What may be told of a URI, and of what others write about it."""

import pytest

from harness.core.credentials import LEFT_OUT, conceal, hidden, live, repeated, shown


@pytest.mark.parametrize(
    ("uri", "told"),
    [
        ("http://host:5000", "http://host:5000"),
        ("sqlite:////home/me@work/mlflow.db", "sqlite:////home/me@work/mlflow.db"),
        ("/data/me@work/mlruns", "/data/me@work/mlruns"),
        ("databricks", "databricks"),
        ("", ""),
        ("http://me:secret@host:5000/", "http://host:5000/"),
        ("http://secret@host", "http://host"),
        ("http://me:secret/with?signs#and@host", "http://host"),
        ("http://[me:secret@host", "http://host"),
        ("me:secret@host", "host"),
        ("tracking.uri:http://me:secret@host", "tracking.uri:http://host"),
        ("postgresql://me:secret@host:5432/db", "postgresql://host:5432/db"),
        ("postgresql://host/db?password=se@cret&sslmode=require", "postgresql://host/db?sslmode=require"),
        ("mysql://me:secret@host/db?a=1&passwd=secret&b=2", "mysql://host/db?a=1&b=2"),
    ],
)
def test_no_credentials_are_shown(uri: str, told: str) -> None:
    assert shown(uri) == told
    assert shown(told) == told
    assert hidden(f"cannot reach {uri}!", uri) == f"cannot reach {told}!"


@pytest.mark.parametrize("uri", ["http://me:s%23cret@host", "http://s#cret@host", "mysql://host/db?password=s%23cret"])
def test_a_secret_is_hidden_however_it_is_written(uri: str) -> None:
    assert hidden("no s#cret, no s%23cret", uri) == "no ***, no ***"


def test_what_is_concealed_is_remembered_by_this_process_alone() -> None:
    assert conceal("http://me:secret@concealed:1") == "http://concealed:1"
    assert live("http://concealed:1") == "http://me:secret@concealed:1"
    assert repeated("harness run x", "http://concealed:1") == f"harness run x\n# {LEFT_OUT}"
    assert conceal("http://concealed:1") == live("http://concealed:1") == "http://concealed:1"
    assert repeated("harness run x", "http://concealed:1") == repeated("harness run x", None) == "harness run x"
