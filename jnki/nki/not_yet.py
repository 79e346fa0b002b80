"""Names that the current dialect does not have: documented ones that jnki does not model yet, and those of others."""

ISA: frozenset[str] = frozenset()
LANGUAGE: frozenset[str] = frozenset()
TOP: frozenset[str] = frozenset()

GONE_FROM_ISA = {
    "tensor_copy_dynamic_src": "nisa.tensor_copy takes src.ap(..., scalar_offset=index)",
    "tensor_copy_dynamic_dst": "nisa.tensor_copy takes dst.ap(..., scalar_offset=index)",
    "builtin_custom_op": "there are no custom operators",
}
GONE_FROM_LANGUAGE = {
    "arange": "slices, nl.ds and t.ap(pattern) index a tensor, and nisa.iota makes a tile of numbers",
    "mgrid": "slices, nl.ds and t.ap(pattern) index a tensor, and nisa.iota makes a tile of numbers",
    "par_dim": "dimension 0 of a tensor on chip is the partition dimension, and lists of tiles stand for blocks",
    "atomic_rmw": "nisa.dma_compute accumulates",
    "loop_reduce": "nisa.tensor_tensor accumulates into a tile",
    "all_reduce": "nki.collectives.all_reduce",
    "spmd_dim": "kernel[lnc] launches on one or two cores",
    "nc": "kernel[lnc] launches on one or two cores",
    "static_cast": "nisa.tensor_copy casts to the type of dst",
    "device_assert": "nl.device_print prints a tensor",
}
