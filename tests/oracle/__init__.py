"""The independent oracle: what the data-movement instructions mean, one element at a time, in plain NumPy.

It shares no code with the package under test and imports neither it nor JAX. Memory is a dict from buffer
name to NumPy array; an instruction returns a new dict, so that a test can compare *all* of memory afterwards.
Clause numbers such as C9 refer to `docs/isa/dma/dma_copy.md`.

Reading order: `pattern` (where), `moves` (which element goes where, and which rows are bad), `casts` (one
element's value), `dma_copy` and `fills` (instructions), `grads` (the reverse pass), `cases` (random inputs).
Computation: `vector_engine` (operators), `activations` (functions), `scalar_engine` (instructions with registers).
"""
