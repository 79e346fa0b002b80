"""One compilation cache for a run, so that what two tests or two processes compile alike is compiled once.

Each worker of pytest-xdist has a folder of its own in it, which its subprocesses find through the environment: JAX
writes entries in place, so another worker could read half of one. Whoever sets JAX_COMPILATION_CACHE_DIR keeps theirs.
"""

import os
import pathlib
import shutil
import tempfile

import pytest

FOLDER = "JAX_COMPILATION_CACHE_DIR"
ROOT = "JNKI_TESTS_COMPILATION_CACHE"  # the folder of the whole run; only its controller makes and removes it
WORKER = "PYTEST_XDIST_WORKER"

# At import, because JAX reads its environment when it is imported, and the test modules import it.
owned = None
if WORKER not in os.environ and FOLDER not in os.environ:
    owned = os.environ[ROOT] = tempfile.mkdtemp(prefix="jnki-tests-")
if ROOT in os.environ:
    os.environ[FOLDER] = str(pathlib.Path(os.environ[ROOT], os.environ.get(WORKER, "main")))
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"


def pytest_unconfigure(config: pytest.Config) -> None:
    if owned is not None:
        shutil.rmtree(owned, ignore_errors=True)
