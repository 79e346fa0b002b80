"""Names that the current dialect does not have: documented ones that jnki does not model yet, and those of others."""

ISA = frozenset(
    [
        "activate2",
        "dma_compute",
        "dma_transpose",
        "dropout",
        "exponential",
        "nc_matmul_mx",
        "nc_n_gather",
        "nonzero_with_count",
        "quantize_mx",
        "rand2",
        "rand_get_state",
        "rand_set_state",
        "rng",
        "set_rng_seed",
        "tensor_scalar_cumulative",
        "tensor_scalar_reduce",
        "topk",
    ]
)
LANGUAGE = frozenset(
    [
        "abs_max",
        "abs_min",
        "dropout",
        "float4_e2m1fn_x4",
        "float8_e4m3fn",
        "float8_e4m3fn_x4",
        "float8_e5m2_x4",
        "float8_e8m0fnu",
        "gelu_apprx_sigmoid_dx",
        "rand",
        "random_seed",
    ]
)
TOP: frozenset[str] = frozenset()

GONE_FROM_ISA = {
    "tensor_copy_dynamic_src": "nisa.tensor_copy takes src.ap(..., scalar_offset=index)",
    "tensor_copy_dynamic_dst": "nisa.tensor_copy takes dst.ap(..., scalar_offset=index)",
    "scalar_tensor_tensor_select": "nisa.select_reduce chooses between tiles",
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
