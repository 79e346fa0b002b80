"""Kernels on several devices. XLA decides about CPU devices when a process starts, so it takes one of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path


def test_kernels_over_four_devices():
    """All parts in one process: what starts JAX and compiles the expected values does it once."""
    root = Path(__file__).parents[2]
    environment = os.environ | {
        "XLA_FLAGS": "--xla_force_host_platform_device_count=4",
        "JAX_PLATFORMS": "cpu",
        "PYTHONPATH": str(root),
    }
    whole = [sys.executable, "-W", "error", "-m", "tests.kernel.on_four_devices"]
    done = subprocess.run(whole, cwd=root, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-4000:]
    verdicts = json.loads(done.stdout)
    assert list(verdicts) == ["sharded", "step by step", "explicit", "explicit in a context"]
    for name, verdict in verdicts.items():
        assert verdict == "ok", f"{name}\n{verdict[-4000:]}"
