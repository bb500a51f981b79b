"""Every test process: one thread, no deadlines, pictures without a screen, a quiet MLflow, a folder for what is made once."""

import os
import shutil
import tempfile

import pytest
from hypothesis import settings

from harness.tracking.server import ENVIRONMENT
from tests.once import SESSION

# Before a library is loaded that looks at them; processes that tests start inherit them.
for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS"):
    os.environ[name] = "1"
os.environ["MPLBACKEND"] = "Agg"
os.environ.update(ENVIRONMENT)

settings.register_profile("untimed", deadline=None)  # a busy machine takes longer
settings.load_profile("untimed")


def pytest_configure(config: pytest.Config) -> None:
    """The folder of this session, which xdist's workers inherit by the environment."""
    if not hasattr(config, "workerinput"):
        os.environ[SESSION] = tempfile.mkdtemp(prefix="made-once-")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Workers end before their controller: nobody uses the folder any more."""
    if not hasattr(config, "workerinput"):
        shutil.rmtree(os.environ.pop(SESSION), ignore_errors=True)
