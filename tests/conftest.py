"""One compilation cache for a run of the tests: workers and processes that tests start share it, then it goes."""

import os
import shutil
import tempfile

_CACHE = {
    "JAX_COMPILATION_CACHE_DIR": "",
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
}
_MADE = []

# Before anything imports jax, which reads the variables then. A worker finds those of the process that started it.
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    _MADE.append(tempfile.mkdtemp(prefix="jnki_tests_"))
    os.environ.update({**_CACHE, "JAX_COMPILATION_CACHE_DIR": _MADE[0]})


def pytest_unconfigure():
    for folder in _MADE:
        shutil.rmtree(folder, ignore_errors=True)
