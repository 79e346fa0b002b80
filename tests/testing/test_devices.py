"""Several devices share the cases of a check, and change none of them."""

import os
import subprocess
import sys

CODE = """
import jax
from jnki import testing
from tests.testing.kernels import doubled, gather, gathered, off_where_large

def failing(**more):
    try:
        testing.check(off_where_large, testing.floats((2, 3)), against=doubled, cases=301, shrink=False, **more)
    except testing.CheckFailure as failure:
        return failure.cases, failure.token
print(jax.device_count(), *failing(), sep="|")
if jax.device_count() > 1:
    mesh = jax.make_mesh((2,), ("x",), devices=jax.devices()[:2])
    assert failing() == failing(mesh=mesh), failing(mesh=mesh)
    rows = testing.rows((5, 1), size=4, outside=0.1)
    print(testing.check(gather, testing.floats((4, 3)), rows, against=gathered, cases=90))
"""


def run(devices):
    flags = {"XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}"}
    done = subprocess.run(
        [sys.executable, "-c", CODE], env={**os.environ, **flags}, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_devices_change_no_case():
    alone, shared = run(1), run(3)
    assert shared[0].split("|")[0] == "3" and alone[0].split("|")[1:] == shared[0].split("|")[1:]
    assert alone[0].count(",") >= 1 and shared[1].startswith("Checked(cases=90, faulted=")
