"""What is installed and what there is to run on, for reports of problems."""

import importlib.metadata
import sys

import jax
import numpy as np

from jnki.default_target import ENVIRONMENT_VARIABLE, default_target
from jnki.target import TARGETS


def text(version: str) -> str:
    """Versions, devices and targets, a line each."""
    devices = ", ".join(f"{device.platform}:{device.id} {device.device_kind}" for device in jax.devices())
    lines = {
        "jnki": version,
        "python": sys.version.split()[0],
        "jax": jax.__version__,
        "numpy": np.__version__,
        "chex": importlib.metadata.version("chex"),
        "devices": devices,
        "targets": ", ".join(known.name for known in TARGETS),
        "default target": f"{default_target()} for neuronxcc.nki ({ENVIRONMENT_VARIABLE} names another one)",
    }
    return "\n".join(f"{name:<15} {value}" for name, value in lines.items())
