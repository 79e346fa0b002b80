"""Ten thousand random cases of one kernel in one call, faults among them; and what is said of a kernel that is wrong.

Run with: python -m jnki examples/check_gather.py
"""

import neuronxcc.nki as nki
import neuronxcc.nki.isa as nisa
import neuronxcc.nki.language as nl
import numpy as np

from jnki import testing


@nki.jit
def gather(table, rows):
    out = nl.ndarray((rows.shape[0], table.shape[1]), dtype=table.dtype, buffer=nl.shared_hbm)
    index = nl.load(rows)
    i_p = nl.arange(rows.shape[0])[:, None]
    i_f = nl.arange(table.shape[1])[None, :]
    nisa.dma_copy(dst=out, src=table[index[i_p, 0], i_f])
    return out


@nki.jit
def gather_short(table, rows):
    """The same, but the last column is taken from the column before it."""
    out = nl.ndarray((rows.shape[0], table.shape[1]), dtype=table.dtype, buffer=nl.shared_hbm)
    columns = table.shape[1]
    index = nl.load(rows)
    i_p = nl.arange(rows.shape[0])[:, None]
    nisa.dma_copy(dst=out, src=table[index[i_p, 0], nl.arange(columns)[None, :]])
    nisa.dma_copy(dst=out[:, nl.ds(columns - 1, 1)], src=table[index[i_p, 0], columns - 2 + nl.arange(1)[None, :]])
    return out


def main():
    domains = testing.floats((8, 16)), testing.rows((8, 1), size=8, outside=0.02)

    def reference(table, rows):
        return table[rows[:, 0]]

    # A case whose rows are out of bounds is right if and only if it says so, with index and bound.
    found = testing.check(gather, *domains, against=reference, cases=10_000)
    print(f"gather: {found.cases:,} cases are right, {found.faulted:,} of them faulted as they must")
    assert 1000 < found.faulted < 2000

    try:
        testing.check(gather_short, *domains, against=reference, cases=10_000)
    except testing.CheckFailure as failure:
        print(failure)
        # What is left of the case is one element that matters, in the last two columns of the table.
        table, _ = failure.shrunk
        assert np.count_nonzero(table) == 1 and table[:, -2:].any()
        again = testing.replay(gather_short, failure.token)
        assert not np.array_equal(again.outputs, reference(*again.arguments))
    else:
        raise AssertionError("the wrong kernel passed")
    print("check_gather: ok")


if __name__ == "__main__":
    main()
