"""jnki: AWS NKI kernels as pure, differentiable JAX functions.

The functional interface is here: `DeviceMemory`, references `hbm`, `sbuf`, `psum`, and one function per instruction.
Kernels come through a dialect: `jnki.neuronxcc.nki`, or the unmodified script under `python -m jnki`.

Names are loaded when they are first used, so that `import jnki` alone does not import JAX.
"""

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from jnki.access.index import arange as arange
    from jnki.access.ref import hbm as hbm
    from jnki.access.ref import psum as psum
    from jnki.access.ref import sbuf as sbuf
    from jnki.errors import RuleError as RuleError
    from jnki.isa import dge_mode as dge_mode
    from jnki.isa import dma_copy as dma_copy
    from jnki.isa import engine as engine
    from jnki.isa import iota as iota
    from jnki.isa import memset as memset
    from jnki.isa import oob_mode as oob_mode
    from jnki.isa import tensor_copy as tensor_copy
    from jnki.lower.edge import UnreportedFaultWarning as UnreportedFaultWarning
    from jnki.memory import DeviceMemory as DeviceMemory
    from jnki.memory import Fault as Fault
    from jnki.target import INF2 as INF2
    from jnki.target import TRN1 as TRN1
    from jnki.target import TRN2 as TRN2
    from jnki.target import TRN3 as TRN3
    from jnki.target import Target as Target

_HOME = {
    "DeviceMemory": "jnki.memory",
    "Fault": "jnki.memory",
    "INF2": "jnki.target",
    "RuleError": "jnki.errors",
    "TRN1": "jnki.target",
    "TRN2": "jnki.target",
    "TRN3": "jnki.target",
    "Target": "jnki.target",
    "UnreportedFaultWarning": "jnki.lower.edge",
    "arange": "jnki.access.index",
    "dge_mode": "jnki.isa",
    "dma_copy": "jnki.isa",
    "engine": "jnki.isa",
    "hbm": "jnki.access.ref",
    "iota": "jnki.isa",
    "memset": "jnki.isa",
    "oob_mode": "jnki.isa",
    "psum": "jnki.access.ref",
    "sbuf": "jnki.access.ref",
    "tensor_copy": "jnki.isa",
}

__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'jnki' has no attribute '{name}'")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
