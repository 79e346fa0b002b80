"""Kernels on several devices. XLA decides about CPU devices when a process starts, so it takes one of its own."""

import os
import subprocess
import sys
from pathlib import Path


def test_shard_map_over_four_devices():
    root = Path(__file__).parents[2]
    environment = os.environ | {
        "XLA_FLAGS": "--xla_force_host_platform_device_count=4",
        "JAX_PLATFORMS": "cpu",
        "PYTHONPATH": str(root),
    }
    command = [sys.executable, "-W", "error", "-m", "tests.kernel.sharded"]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-4000:]
    assert done.stdout.endswith("sharded: ok\n")
