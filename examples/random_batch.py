"""One kernel on a thousand random cases in one call: the outputs of all, and which of them faulted.

Run with: python -m jnki examples/random_batch.py
"""

import jax
import jax.numpy as jnp
import neuronxcc.nki as nki
import neuronxcc.nki.isa as nisa
import neuronxcc.nki.language as nl
import numpy as np

import jnki

CASES, ROWS, PICKS, COLUMNS = 1000, 16, 8, 4


@nki.jit
def gather(table, rows):
    out = nl.ndarray((rows.shape[0], table.shape[1]), dtype=table.dtype, buffer=nl.shared_hbm)
    index = nl.load(rows)
    i_p = nl.arange(rows.shape[0])[:, None]
    i_f = nl.arange(table.shape[1])[None, :]
    nisa.dma_copy(dst=out, src=table[index[i_p, 0], i_f])
    return out


def main():
    keys = jax.random.split(jax.random.key(0), 3)
    tables = jax.random.normal(keys[0], (CASES, ROWS, COLUMNS))
    inside = jax.random.randint(keys[1], (CASES, PICKS, 1), 0, ROWS)
    outside = jnp.where(inside % 2 == 0, -1, ROWS + inside)
    rows = jnp.where(jax.random.bernoulli(keys[2], 0.01, inside.shape), outside, inside)

    outputs, fault = jax.jit(jax.vmap(gather.with_fault))(tables, rows)

    # The record has one entry per case, and it agrees with what NumPy says of each.
    bad = (np.asarray(rows) < 0) | (np.asarray(rows) >= ROWS)
    np.testing.assert_array_equal(fault.occurred, bad.any(axis=(1, 2)))
    for case in fault.details():
        first = int(np.argmax(bad[case.case, :, 0]))
        assert (case.row, case.index) == (first, int(rows[(*case.case, first, 0)]))

    # A fault in one case leaves the others alone.
    good = np.flatnonzero(~np.asarray(fault.occurred))
    expected = np.take_along_axis(np.asarray(tables)[good], np.asarray(rows)[good], axis=1)
    np.testing.assert_array_equal(np.asarray(outputs)[good], expected)

    # Whoever wants an exception can have it: it names the first faulty case.
    try:
        fault.raise_if_any()
        raise AssertionError("some case should have faulted")
    except jnki.FaultError as error:
        assert error.batch_element == fault.details()[0].case
        print(f"{int(fault.occurred.sum())} of {CASES} cases faulted. The first of them:")
        print(error, *error.__notes__, sep="\n  ")
    print("random_batch: ok")


if __name__ == "__main__":
    main()
