"""Each documented constraint of the current dialect: a kernel that breaks it, the text, and a twin that keeps it.

The key of a row is the constraint's name in the catalogue of documented errors; the rule is jnki's name for it.
"""

import numpy as np
import pytest

import jnki.nki as nki
import jnki.nki.isa as nisa
import jnki.nki.language as nl

X = np.arange(32, dtype=np.float32).reshape(4, 8)


def on_chip(shape, dtype=nl.float32, value=0, buffer=nl.sbuf):
    tile = nl.ndarray(shape, dtype=dtype, buffer=buffer)
    if value is not None:
        nisa.memset(tile, value)
    return tile


def index(*shape):
    return on_chip(shape, nl.int32)


def shared(shape=(4, 8), dtype=nl.float32):
    return nl.ndarray(shape, dtype=dtype, buffer=nl.shared_hbm)


def copied(src, shape=(4, 8), dtype=nl.float32, **options):
    tile = on_chip(shape, dtype, None)
    nisa.dma_copy(tile, src, **options)
    return tile


PATTERN = [[8, 4], [1, 8]]

# name: the rule, the start of the text, what breaks it, what keeps it.
ROWS = {
    "dma_copy.element_count": (
        "dma_copy.element_count",
        "dma_copy requires src and dst to have the same number of elements, got src=32, dst=28",
        lambda x: copied(x, (4, 7)),
        lambda x: copied(x, (8, 4)),
    ),
    "dma_copy.no_psum": (
        "err_unsupported_memory",
        "dma_copy: dst must be in ['hbm', 'sbuf'], got psum",
        lambda x: nisa.dma_copy(on_chip((4, 8), buffer=nl.psum), x),
        lambda x: nisa.dma_copy(on_chip((4, 8)), x),
    ),
    "dma_copy.hwdge_dtype": (
        "dma_copy.hwdge_dtype",
        "dma_copy: hwdge does not cast",
        lambda x: copied(x, dtype=nl.bfloat16, dge_mode=nisa.dge_mode.hwdge),
        lambda x: copied(x, dtype=nl.bfloat16),
    ),
    "dma_copy.engine_arg": (
        "dma_copy.engine",
        "dma_copy: an engine triggers descriptors that hardware generates",
        lambda x: copied(x, engine=nisa.engine.sync),
        lambda x: copied(x, engine=nisa.engine.sync, dge_mode=nisa.dge_mode.hwdge),
    ),
    "dma_copy.priority": (
        "dma_copy.priority",
        "dma_copy: there is no such priority",
        lambda x: copied(x, priority=4),
        lambda x: copied(x, priority=3),
    ),
    "dma_copy.vector_hbm": (
        "dma_copy.vector_hbm",
        "vector_offset needs a tensor in HBM",
        lambda x: copied(on_chip((4, 8)).ap(PATTERN, vector_offset=index(4, 1))),
        lambda x: copied(x.ap(PATTERN, vector_offset=index(4, 1))),
    ),
    "dma_copy.offsets_exclusive": (
        "dma_copy.offsets_exclusive",
        "scalar_offset and vector_offset exclude each other",
        lambda x: copied(x.ap(PATTERN, vector_offset=index(4, 1), scalar_offset=index(1, 1))),
        lambda x: copied(x.ap(PATTERN, scalar_offset=index(1, 1))),
    ),
    "dma_copy.scalar_index": (
        "dma_copy.scalar_index",
        "scalar_offset must be one element",
        lambda x: copied(x.ap(PATTERN, scalar_offset=index(4, 1))),
        lambda x: copied(x.ap(PATTERN, scalar_offset=index(4, 1)[0:1])),
    ),
    "dma_copy.dge_none_static": (
        "dma_copy.dge_none_static",
        "dma_copy: without descriptor generation, addresses must be known before execution",
        lambda x: copied(x.ap(PATTERN, scalar_offset=index(1, 1)), dge_mode=nisa.dge_mode.none),
        lambda x: copied(x.ap(PATTERN), dge_mode=nisa.dge_mode.none),
    ),
    "dma_copy.hwdge_no_indirect": (
        "dma_copy.hwdge_no_vector",
        "dma_copy: hwdge cannot gather or scatter",
        lambda x: copied(x.vector_select(0, index(4, 1)), dge_mode=nisa.dge_mode.hwdge),
        lambda x: copied(x.vector_select(0, index(4, 1)), dge_mode=nisa.dge_mode.swdge),
    ),
    "dma_copy.mx_no_cast": (
        "dma_copy.opaque",
        "dma_copy: scales and packed elements are not cast",
        lambda x: copied(x, dtype=nl.float8_e4m3fn_x4),
        lambda x: copied(x.view(nl.float8_e4m3fn_x4), dtype=nl.float8_e4m3fn_x4),
    ),
    "dma_copy.enum_only": (
        "dma_copy.enum_only",
        "dma_copy: 'dge_mode' must be a member of nisa.dge_mode",
        lambda x: copied(x, dge_mode="hwdge"),
        lambda x: copied(x, dge_mode=nisa.dge_mode.hwdge),
    ),
    "ap.indirect_dim0": (
        "ap.indirect_dim0",
        "vector_offset works on axis 0 only",
        lambda x: copied(x.ap(PATTERN, vector_offset=index(4, 1), indirect_dim=1)),
        lambda x: copied(x.ap([[8, 4], [1, 4]], scalar_offset=index(1, 1), indirect_dim=1), (4, 4)),
    ),
    "ap.partition_contiguous": (
        "ap.partition_contiguous",
        "ap() pattern has invalid partition stride. Partition step 16 must equal tensor free dimension size 8",
        lambda x: nisa.tensor_copy(on_chip((4, 8)), on_chip((8, 8)).ap([[16, 4], [1, 8]])),
        lambda x: nisa.tensor_copy(on_chip((4, 8)), on_chip((8, 8)).ap(PATTERN)),
    ),
    "ap.one_dynamic": (
        "view.indirect_twice",
        "select: tensor 'x' has an index known at run time already",
        lambda x: x.select(0, index(1, 1)).select(0, index(1, 1)),
        lambda x: x.select(0, index(1, 1)).select(0, 1),
    ),
    "ap.no_partition_select": (
        "ap.no_partition_select",
        "a dynamic index on chip cannot move along the partition dimension",
        lambda x: on_chip((4, 8)).select(0, index(1, 1)),
        lambda x: on_chip((4, 8)).select(1, index(1, 1)),
    ),
    "slice.bounds": (
        "slice.bounds",
        "a slice of tensor 'x' on dimension 0 is empty",
        lambda x: x.slice(0, 3, 3),
        lambda x: x.slice(0, 3, 4),
    ),
    "reshape.partition_kept": (
        "reshape.partition_kept",
        "Partition dim size must be preserved, got 4 -> 8",
        lambda x: on_chip((4, 8)).reshape((8, 4)),
        lambda x: on_chip((4, 8)).reshape((4, 2, 4)),
    ),
    "view.divisible": (
        "view.divisible",
        "tensor 'tile' cannot be viewed as float32",
        lambda x: on_chip((4, 3), nl.bfloat16).view(nl.float32),
        lambda x: on_chip((4, 4), nl.bfloat16).view(nl.float32),
    ),
    "dma_compute.reduce_op": (
        "dma_compute.reduce_op",
        "dma_compute: only addition combines sources",
        lambda x: nisa.dma_compute(on_chip((4, 8)), [x, x], nl.multiply),
        lambda x: nisa.dma_compute(on_chip((4, 8)), [x, x], nl.add),
    ),
    "dma_compute.scales": (
        "dma_compute.scales",
        "dma_compute: sources are not scaled",
        lambda x: nisa.dma_compute(on_chip((4, 8)), [x, x], nl.add, scales=[1.0, 2.0]),
        lambda x: nisa.dma_compute(on_chip((4, 8)), [x, x], nl.add, scales=[1.0, 1.0]),
    ),
    "dma_compute.max_sources": (
        "dma_compute.sources",
        "dma_compute: there are too many or too few sources",
        lambda x: nisa.dma_compute(on_chip((4, 8)), [x] * 17, nl.add),
        lambda x: nisa.dma_compute(on_chip((4, 8)), [x] * 16, nl.add),
    ),
    "dma_compute.oob_skip": (
        "dma_compute.oob_static",
        "dma_compute: no row can be skipped where none is named at run time",
        lambda x: nisa.dma_compute(on_chip((4, 8)), [x, x], nl.add, oob_mode=nisa.oob_mode.skip),
        lambda x: nisa.dma_compute(on_chip((4, 8)), [x, x], nl.add, oob_mode=nisa.oob_mode.error),
    ),
    "iota.sbuf": (
        "err_unsupported_memory",
        "nisa.iota: 'dst' is in the wrong memory",
        lambda x: nisa.iota(shared(dtype=nl.int32), [[1, 8]]),
        lambda x: nisa.iota(on_chip((4, 8), nl.int32), [[1, 8]]),
    ),
    "iota.sbuf, four dims": (
        "iota.pattern",
        "iota: 'pattern' is no pattern",
        lambda x: nisa.iota(on_chip((4, 32), nl.int32), [[1, 2]] * 5),
        lambda x: nisa.iota(on_chip((4, 16), nl.int32), [[1, 2]] * 4),
    ),
    "iota.sbuf, element count": (
        "iota.shape",
        "iota: the expression does not have the shape of dst",
        lambda x: nisa.iota(on_chip((4, 8), nl.int32), [[1, 7]]),
        lambda x: nisa.iota(on_chip((4, 8), nl.int32), [[4, 2], [1, 4]]),
    ),
    "memset.value_dtype": (
        "memset.value_type",
        "memset: the constant does not have the type of dst",
        lambda x: nisa.memset(on_chip((4, 8), nl.int32, None), 1.5),
        lambda x: nisa.memset(on_chip((4, 8), nl.float32, None), 1.5),
    ),
    "memset.value_dtype, packed": (
        "memset.opaque",
        "memset: a constant has no such element",
        lambda x: nisa.memset(on_chip((4, 8), nl.float8_e4m3fn_x4, None), 1),
        lambda x: nisa.memset(on_chip((4, 8), nl.float8_e4m3fn_x4, None), 0),
    ),
    "nc_n_gather.index": (
        "nc_n_gather.indices",
        "nc_n_gather: 'indices' has the wrong element type",
        lambda x: nisa.nc_n_gather(on_chip((4, 8)), on_chip((4, 8)), index(4, 8)),
        lambda x: nisa.nc_n_gather(on_chip((4, 8)), on_chip((4, 8)), on_chip((4, 8), nl.uint32)),
    ),
    "tensor.oob_partition": (
        "err_num_partition_exceed_arch_limit",
        "memset: 'dst' spans too many partitions",
        lambda x: on_chip((129, 8)),
        lambda x: on_chip((128, 8)),
    ),
}


def run(body):
    @nki.jit
    def kernel(x):
        body(x)
        out = shared()
        nisa.dma_copy(out, x)
        return out

    return np.asarray(kernel(X))


@pytest.mark.parametrize("name", ROWS)
def test_what_breaks_a_constraint_is_told(name):
    rule, text, broken, _ = ROWS[name]
    with pytest.raises(nisa.NkiValidationError) as caught:
        run(broken)
    assert caught.value.rule == rule
    assert str(caught.value).startswith(f"{rule}: {text}")
    assert "test_error_catalogue.py" in str(caught.value)


@pytest.mark.parametrize("name", ROWS)
def test_what_keeps_it_runs(name):
    np.testing.assert_array_equal(run(ROWS[name][3]), X)


def test_a_result_is_in_shared_hbm():
    def kernel(x, buffer):
        out = nl.ndarray(x.shape, dtype=x.dtype, buffer=buffer)
        nisa.dma_copy(out, x)
        return out

    with pytest.raises(nisa.NkiValidationError, match=r"toplevel\.shared_hbm: tensor 'out' belongs to one instance"):
        nki.jit(kernel)(X, nl.private_hbm)
    np.testing.assert_array_equal(nki.jit(kernel)(X, nl.shared_hbm), X)


@pytest.mark.parametrize(("argument", "instead"), [("mask", "there are no masks"), ("dst_rmw_op", "nisa.dma_compute")])
def test_an_argument_that_is_gone_says_what_stands_for_it(argument, instead):
    with pytest.raises(TypeError, match=rf"unexpected keyword argument '{argument}'.*{instead}"):
        run(lambda x: copied(x, **{argument: None}))
