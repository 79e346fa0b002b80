"""Which fault of one instruction is the first: the order in which elements move (C11), against a loop in Python."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jnki import hbm, sbuf
from jnki.access.access import Access
from jnki.access.buffer import Buffer, Space
from jnki.access.ref import resolve
from jnki.dtypes import element_type, float32
from jnki.memory import NO_LOOPS, Fault
from jnki.memory.row_faults import Rows, first_fault

CASES = 200


def indirect(count: int, size: int) -> Access:
    """An operand of `count` rows of `size` elements."""
    buffers = {
        "t": Buffer("t", Space.HBM, (9, size), float32),
        "i": Buffer("i", Space.SBUF, (count, 1), element_type("int32")),
    }
    return resolve(hbm("t")[sbuf("i"), :], lambda space, name, dtype: buffers[name])


def in_order(valid: dict[str, np.ndarray], sizes: dict[str, int], enabled: np.ndarray) -> tuple[str, int] | None:
    for element, on in enumerate(enabled.reshape(-1)):
        for operand, size in sizes.items():
            if on and not valid[operand][element // size]:
                return operand, element // size
    return None


@pytest.mark.parametrize("mask", ["none", "rows", "elements", "columns"])
@pytest.mark.parametrize(("src", "dst"), [((4, 3), (4, 3)), ((2, 6), (4, 3)), ((6, 2), (2, 6)), ((1, 12), (12, 1))])
def test_c11_the_first_element_in_a_bad_row_is_the_first_fault(
    src: tuple[int, int], dst: tuple[int, int], mask: str
) -> None:
    """C11: where one element is in a bad row of both, the fault is that of src."""
    accesses = {"src": indirect(*src), "dst": indirect(*dst)}
    rng = np.random.default_rng(sum(src) + len(mask))
    valid = {n: rng.random((CASES, a.shape[0])) < 0.7 for n, a in accesses.items()}
    index = {n: rng.integers(-50, 50, (CASES, a.shape[0])).astype(np.int32) for n, a in accesses.items()}
    drawn = {"none": (1, 1), "rows": (dst[0], 1), "elements": dst, "columns": (1, dst[1])}[mask]
    masks = rng.random((CASES, *drawn)) < (1.1 if mask == "none" else 0.5)

    def run(index: dict[str, jax.Array], valid: dict[str, jax.Array], enabled: jax.Array) -> Fault:
        operands = [Rows("move", n, a, index[n], valid[n], None) for n, a in accesses.items()]
        return first_fault(operands, None if mask == "none" else enabled, dst, NO_LOOPS)

    faults = jax.jit(jax.vmap(run))(index, valid, jnp.asarray(masks))
    found = {d.case[0]: (d.site.operand, d.row, d.index) for d in faults.details()}
    expected = {}
    for case in range(CASES):
        enabled = np.broadcast_to(masks[case], dst)
        first = in_order({n: v[case] for n, v in valid.items()}, {"src": src[1], "dst": dst[1]}, enabled)
        if first is not None:
            expected[case] = (*first, int(index[first[0]][case, first[1]]))
    assert found == expected and len(found) > 0
