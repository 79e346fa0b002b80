"""Rules of the instructions that move or make elements, through the dialect."""

import numpy as np
import pytest

from jnki.neuronxcc import nki
from tests.errors.refusals import ROWS, X, accepted, flagged

nl, nisa = nki.language, nki.isa

move, copy, dge, F32 = nisa.dma_copy, nisa.tensor_copy, nisa.dge_mode, nl.float32


def kernel_with(body, target="trn2"):
    @nki.jit(platform_target=target)
    def kernel(x, rows):
        out = nl.ndarray((256, 8), dtype=x.dtype, buffer=nl.shared_hbm)
        move(dst=out, src=x)
        body(out, x, rows)
        return out

    return kernel


F = nl.arange(8)[None, :]


def gathered(x, rows):
    return x[nl.load(rows), F]


# rule, target, what is wrong, message, given, allowed, and the twin that is right (on the target beside it)
CASES = [
    (
        "dma_copy.dst_rmw_op",
        "trn2",
        lambda out, x, rows: move(dst=out, src=x, dst_rmw_op=np.multiply),  # flagged
        "dma_copy: only addition can be a read-modify-write",
        "multiply",
        "None, np.add or nl.add",
        ("trn2", lambda out, x, rows: move(dst=out, src=x, dst_rmw_op=np.add)),
    ),
    (
        "dma_copy.rmw_oob",
        "trn2",
        lambda out, x, rows: move(dst=out, src=x, dst_rmw_op=np.add, oob_mode=nisa.oob_mode.skip),  # flagged
        "dma_copy: a read-modify-write cannot skip",
        "dst_rmw_op with oob_mode.skip",
        "oob_mode.error",
        ("trn2", lambda out, x, rows: move(dst=out, src=x, oob_mode=nisa.oob_mode.skip)),
    ),
    (
        "dma_copy.element_count",
        "trn2",
        lambda out, x, rows: move(dst=out[0:4], src=x[0:1]),  # flagged
        "dma_copy: dst and src must have the same number of elements; nothing is broadcast",
        "dst [4, 8] (32), src [1, 8] (8)",
        "equal element counts",
        ("trn2", lambda out, x, rows: move(dst=out[0:4], src=x[0:1].broadcast_to((4, 8)))),
    ),
    (
        "dma_copy.mask",
        "trn2",
        lambda out, x, rows: move(dst=out, src=x, mask=nl.arange(7)[None, :] < 3),  # flagged
        "dma_copy: the mask does not fit the shape of the copy",
        "mask [1, 7], dst [256, 8], src [256, 8]",
        "a shape that broadcasts to that of dst or src",
        ("trn2", lambda out, x, rows: move(dst=out, src=x, mask=F < 3)),
    ),
    (
        "dma_copy.hwdge_target_legacy",
        "trn1",
        lambda out, x, rows: move(dst=out, src=x, dge_mode=dge.hwdge),  # flagged
        "dma_copy: hwdge is not available on this target",
        "trn1 (NeuronCore-v2)",
        "NeuronCore-v3 or newer",
        ("trn2", lambda out, x, rows: move(dst=out, src=x, dge_mode=dge.hwdge)),
    ),
    (
        "dma_copy.hwdge_no_indirect",
        "trn2",
        lambda out, x, rows: move(dst=out[0:32], src=gathered(x, rows), dge_mode=dge.hwdge),  # flagged
        "dma_copy: hwdge cannot gather or scatter",
        "an indirect index",
        "dge_mode.swdge or dge_mode.unknown",
        (
            "trn1",
            lambda out, x, rows: move(dst=out[0:32], src=gathered(x, rows), dge_mode=dge.swdge),
        ),
    ),
    (
        "dma_copy.hwdge_dtype",
        "trn2",
        lambda out, x, rows: move(dst=nl.ndarray((4, 8), nl.int8), src=x[0:4], dge_mode=dge.hwdge),  # flagged
        "dma_copy: hwdge does not cast",
        "src float32, dst int8",
        "equal element types",
        (
            "trn2",
            lambda out, x, rows: move(dst=nl.ndarray((4, 8), nl.int8), src=x[0:4], dge_mode=dge.none),
        ),
    ),
    (
        "dma_copy.dge_none_static",
        "trn2",
        lambda out, x, rows: move(dst=out[0:32], src=gathered(x, rows), dge_mode=dge.none),  # flagged
        "dma_copy: without descriptor generation, addresses must be known before execution",
        "dge_mode.none with an indirect index",
        "dge_mode.swdge or dge_mode.unknown",
        ("trn2", lambda out, x, rows: move(dst=out[0:32], src=gathered(x, rows))),
    ),
    (
        "dma_copy.enum_only",
        "trn2",
        lambda out, x, rows: move(dst=out, src=x, oob_mode="skip"),  # flagged
        "dma_copy: 'oob_mode' must be a member of oob_mode",
        "'skip'",
        "oob_mode.error, oob_mode.skip",
        ("trn2", lambda out, x, rows: move(dst=out, src=x, oob_mode=nisa.oob_mode.error)),
    ),
    (
        "dma_copy.enum_only",
        "trn2",
        lambda out, x, rows: move(dst=out, src=x, dge_mode=nisa.oob_mode.error),  # flagged
        "dma_copy: 'dge_mode' must be a member of dge_mode",
        "<oob_mode.error: 0>",
        "dge_mode.none, dge_mode.swdge, dge_mode.hwdge, dge_mode.unknown",
        ("trn2", lambda out, x, rows: move(dst=out, src=x, dge_mode=dge.unknown)),
    ),
    (
        "iota.affine_expr",
        "trn2",
        lambda out, x, rows: nisa.iota(F * F, nl.int32),  # flagged
        "iota needs an affine expression of indices",
        "NonAffine (index [1, 8] 0 + 1*d1) * (index [1, 8] 0 + 1*d1)",
        "sums of nl.arange, nl.mgrid and loop indices times integers",
        ("trn2", lambda out, x, rows: nisa.iota(3 * F + 1, nl.int32)),
    ),
    (
        "memset.value",
        "trn2",
        lambda out, x, rows: nisa.memset((4, 8), nl.load(x[0:4]), nl.int32),  # flagged
        "memset: the value must be a constant number",
        "Tensor tensor 'tile' [4, 8] float32 in sbuf",
        "a Python or NumPy scalar",
        ("trn2", lambda out, x, rows: nisa.memset((4, 8), np.int8(3), nl.int32)),
    ),
    (
        "memset.engine",
        "trn2",
        lambda out, x, rows: nisa.memset((4, 8), 0, nl.int32, engine=nisa.tensor_engine),  # flagged
        "memset: the engine cannot run this instruction",
        "tensor",
        "vector, gpsimd, unknown",
        ("trn2", lambda out, x, rows: nisa.memset((4, 8), 0, nl.int32, engine=nisa.gpsimd_engine)),
    ),
    (
        "tensor_copy.engine",
        "trn2",
        lambda out, x, rows: copy(nl.load(x[0:4]), engine=nisa.tensor_engine),  # flagged
        "tensor_copy: the engine cannot run this instruction",
        "tensor",
        "vector, scalar, gpsimd, unknown",
        ("trn2", lambda out, x, rows: copy(nl.load(x[0:4]), engine=nisa.scalar_engine)),
    ),
    (
        "tensor_copy.engine",
        "trn2",
        lambda out, x, rows: copy(nl.zeros((4, 8), F32, buffer=nl.psum), engine=nisa.gpsimd_engine),  # flagged
        "tensor_copy: the GpSimd Engine cannot access PSUM",
        "gpsimd",
        "vector, scalar, unknown",
        (
            "trn2",
            lambda out, x, rows: copy(nl.zeros((4, 8), F32, buffer=nl.psum), engine=nisa.vector_engine),
        ),
    ),
]


@pytest.mark.parametrize("rule, target, wrong, message, given, allowed, twin", CASES, ids=[case[0] for case in CASES])
def test_rule(rule, target, wrong, message, given, allowed, twin):
    flagged(kernel_with(wrong, target), X, ROWS, rule=rule, message=message, given=given, allowed=allowed)
    right_target, right = twin
    accepted(kernel_with(right, right_target), X, ROWS)
