"""`core_barrier`: it changes nothing, and its rules. What it means between two cores is in tests/nki/test_cores.py."""

import numpy as np
import pytest

from jnki import TRN1, TRN2, TRN3, DeviceMemory, engine, hbm, psum, sbuf
from jnki.access.ref import Ref, resolve
from jnki.errors import RuleError
from jnki.isa import CoreBarrier

MEMORY = DeviceMemory.of(
    **{space: {"x": np.arange(12, dtype=np.float32).reshape(3, 4)} for space in ("hbm", "sbuf", "psum")}
)


def barrier(ref: Ref, which: engine = engine.gpsimd) -> CoreBarrier:
    return CoreBarrier(data=resolve(ref, MEMORY.buffer), engine=which)


def test_it_changes_nothing() -> None:
    one = barrier(hbm("x"))
    for target in (TRN2, TRN3):
        one.check(target)
    assert one.execute(MEMORY) is MEMORY
    assert one.written() == ()


def test_data_is_not_in_psum() -> None:
    with pytest.raises(RuleError) as caught:
        barrier(psum("x")).check(TRN2)
    assert caught.value.rule == "err_unsupported_memory"
    assert "core_barrier: 'data' is in the wrong memory" in str(caught.value)
    assert caught.value.allowed == "a tensor in nl.shared_hbm, or in nl.sbuf"
    barrier(sbuf("x")).check(TRN2)


def test_it_is_new_in_v3() -> None:
    with pytest.raises(RuleError) as caught:
        barrier(hbm("x")).check(TRN1)
    assert caught.value.rule == "core_barrier.version"
    assert (caught.value.given, caught.value.allowed) == ("trn1, NeuronCore-v2", "NeuronCore-v3 or newer")
