"""A name and a password for MLflow's pages: its own app `basic-auth`, which asks for them."""

import secrets
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from harness.core.errors import UseError

USER = "harness"
CONFIG = """[mlflow]
default_permission = NO_PERMISSIONS
database_uri = sqlite:///{folder}/users.db
admin_username = {user}
admin_password = {password}
authorization_function = mlflow.server.auth:authenticate_request_basic_auth
"""


@dataclass(frozen=True)
class Login:
    """What a server is started with so that it asks, and what a page is asked with; of an open server nothing."""

    password: str = field(default="", repr=False)
    options: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def headers(self) -> dict[str, str]:
        """Of a request to the pages."""
        told = b64encode(f"{USER}:{self.password}".encode()).decode()
        return {"Authorization": f"Basic {told}"} if self.password else {}


def check_login() -> None:
    """Raises UseError where MLflow cannot ask for a password."""
    if find_spec("flask_wtf") is None:
        raise UseError(
            "--password: MLflow asks for one with Flask-WTF, which is not there: pip install 'svi-harness[ui]'"
        )


@contextmanager
def new_login() -> Iterator[Login]:
    """A password for this one server, in files that are their owner's alone and go with it."""
    password = secrets.token_urlsafe(16)
    with TemporaryDirectory(prefix="harness-") as folder:  # mode 0700
        config = Path(folder) / "auth.ini"
        config.write_text(CONFIG.format(folder=folder, user=USER, password=password), encoding="utf-8")
        variables = {
            "MLFLOW_AUTH_CONFIG_PATH": str(config),
            "MLFLOW_FLASK_SERVER_SECRET_KEY": secrets.token_urlsafe(32),
        }
        yield Login(password, ("--app-name", "basic-auth"), variables)
