"""What type checkers know of a user's script: checked by mypy, never run.

Each `type: ignore` is an error that has to be there: mypy says so where it is not.
"""

from typing import Any, assert_type

import neuronxcc.nki as nki
import neuronxcc.nki.isa as nisa
import neuronxcc.nki.language as nl
import neuronxcc.nki.typing as nt
import numpy as np

import jnki


@nki.jit
def doubled(x: Any, times: int = 2) -> np.ndarray:
    out: Any = nl.ndarray(x.shape, dtype=x.dtype, buffer=nl.shared_hbm)
    tile = nl.load(x)
    tile[...] = tile * times
    nl.store(out, -tile + nl.exp(tile, dtype=nl.float32))
    return out


@nki.jit(mode="simulation", platform_target="trn1")
def copied(x: nt.tensor) -> np.ndarray:
    nisa.dma_copy(dst=x, src=x)
    nisa.dma_copy(dst=x, sorce=x)  # type: ignore[call-arg]
    return x


X = np.ones((2, 2))

assert_type(doubled(X), np.ndarray)
assert_type(doubled(X, times=3), np.ndarray)
assert_type(doubled[2].on_fault("nan").with_fault(X, 3), tuple[np.ndarray, jnki.Fault])
assert_type(doubled.on_target("trn1")(X), np.ndarray)
assert_type(copied(X), np.ndarray)

doubled(X, times="three")  # type: ignore[arg-type]
doubled(X, 3, 4)  # type: ignore[call-arg]
doubled.on_fault("nonsense")  # type: ignore[arg-type]
doubled.with_faults(X)  # type: ignore[attr-defined]
nl.no_such_function(X)  # type: ignore[attr-defined]
with jnki.use_fault_policy("loud"):  # type: ignore[arg-type]
    pass


def of_a_fault(error: jnki.FaultError) -> None:
    assert_type(error.row_index, int)
    assert_type(error.batch_element, tuple[int, ...] | None)
