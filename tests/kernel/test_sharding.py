"""Kernels on several devices. XLA decides about CPU devices when a process starts, so it takes one of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize(
    "command, last",
    [
        (["tests.kernel.sharded"], "sharded: ok\n"),
        (["tests.kernel.explicit_mesh", "plain"], "explicit: ok\n"),
        (["tests.kernel.explicit_mesh", "context"], "explicit: ok\n"),
    ],
)
def test_kernels_over_four_devices(command, last):
    root = Path(__file__).parents[2]
    environment = os.environ | {
        "XLA_FLAGS": "--xla_force_host_platform_device_count=4",
        "JAX_PLATFORMS": "cpu",
        "PYTHONPATH": str(root),
    }
    whole = [sys.executable, "-W", "error", "-m", *command]
    done = subprocess.run(whole, cwd=root, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-4000:]
    assert done.stdout.endswith(last)
