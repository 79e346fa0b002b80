"""Rules about conditions, masks and loops."""

import numpy as np
import pytest

from jnki.errors import OutsideKernelError, RuleError
from jnki.neuronxcc import nki
from tests.errors.refusals import X, accepted, flagged

nl, nisa = nki.language, nki.isa


def kernel_with(body):
    @nki.jit
    def kernel(x):
        out = nl.ndarray((256, 8), dtype=x.dtype, buffer=nl.shared_hbm)
        nisa.dma_copy(dst=out, src=x)
        body(out, x)
        return out

    return kernel


AMBIGUOUS = {
    "rule": "err_ambiguous_tensor_truth_value",
    "message": "the truth value of tensor 'tile' with several elements is ambiguous",
    "given": "[128, 8] in if, while, and, or, not",
    "allowed": "element-wise operators; 'is not None' to ask whether a tensor was given",
}


@pytest.mark.parametrize(
    "use",
    [
        lambda tile: not tile,  # flagged
        lambda tile: tile and None,  # flagged
        lambda tile: tile or None,  # flagged
        lambda tile: 1 if tile else 2,  # flagged
        lambda tile: bool(tile),  # flagged
        lambda tile: any([tile]),  # flagged
    ],
)
def test_err_ambiguous_tensor_truth_value(use):
    def wrong(out, x):
        tile = nl.load(x[0:128])
        use(tile)

    def right(out, x):
        tile = nl.load(x[0:128])
        assert tile is not None

    flagged(kernel_with(wrong), X, **AMBIGUOUS)
    accepted(kernel_with(right), X)


def test_err_ambiguous_tensor_truth_value_of_a_parameter():
    @nki.jit
    def wrong(x, bias=None):
        if bias:  # flagged
            return x
        return x

    @nki.jit
    def right(x, bias=None):
        return x if bias is None else bias

    flagged(
        wrong,
        X,
        X,
        **(
            AMBIGUOUS
            | {"message": AMBIGUOUS["message"].replace("tile", "bias"), "given": "[256, 8] in if, while, and, or, not"}
        ),
    )
    accepted(wrong, X)
    accepted(right, X, X)


@pytest.mark.parametrize(
    "use",
    [
        lambda one: 1 if one else 2,  # flagged
        lambda one: int(one),  # flagged
        lambda one: float(one),  # flagged
        lambda one: range(one),  # flagged
        lambda one: nl.affine_range(one),  # flagged
        lambda one: [1, 2][one],  # flagged
    ],
)
def test_err_dynamic_control_flow_not_supported(use):
    def wrong(out, x):
        one = nl.load(x[0:1, 0:1])
        use(one)

    flagged(
        kernel_with(wrong),
        X,
        rule="err_dynamic_control_flow_not_supported",
        message="the value of tensor 'one' is not known while the kernel is recorded",
        given="a tensor where Python needs a number or a condition",
        allowed="conditions on shapes, loop indices and static arguments; masks; indirect indices",
    )
    accepted(kernel_with(lambda out, x: use(1)), X)


def test_a_while_loop_on_a_tensor_is_dynamic_control_flow():
    def wrong(out, x):
        count = nl.load(x[0:1, 0:1])
        while count < 10:  # flagged
            count[...] = count + 1

    with pytest.raises(RuleError) as caught:
        kernel_with(wrong)(X)
    assert caught.value.rule == "err_dynamic_control_flow_not_supported"
    assert caught.value.location.text.endswith("# flagged")


@pytest.mark.parametrize(
    "condition",
    [
        lambda j: j > 2,
        lambda j: not j > 2,
        lambda j: (j > 2) and (j < 5),
        lambda j: (j > 2) or (j < 5),
        lambda j: j == 3,
        lambda j: j != 3,
    ],
)
def test_err_control_flow_condition_depending_on_arange(condition):
    def wrong(out, x):
        for i in nl.affine_range(2):
            column = 4 * i + nl.arange(4)[None, :]
            if condition(column):
                nl.store(out[0, column], 0)

    with pytest.raises(RuleError) as caught:
        kernel_with(wrong)(X)
    error = caught.value
    assert error.rule == "err_control_flow_condition_depending_on_arange"
    assert "control flow (if, while, and, or, not) cannot depend on nl.arange or nl.mgrid" in str(error)
    assert error.allowed == "mask=(...) on the instruction, joined with & rather than 'and'"
    assert error.location.file == __file__

    def right(out, x):
        for i in nl.affine_range(2):
            p, column = nl.arange(1)[:, None], 4 * i + nl.arange(4)[None, :]
            nl.store(out[p, column], 0, mask=(column > 2) & (column < 5))

    expected = X.copy()
    expected[0, 3:5] = 0
    np.testing.assert_array_equal(accepted(kernel_with(right), X), expected)


def test_a_condition_on_arange_that_always_holds_is_none():
    def right(out, x):
        p, f = nl.mgrid[0:128, 0:8]
        if f < 8 and p >= 0:
            nl.store(out[p, f], 0)

    assert (accepted(kernel_with(right), X)[:128] == 0).all()


def test_a_number_where_an_arange_stands():
    def wrong(out, x):
        return range(nl.arange(4))  # flagged

    flagged(
        kernel_with(wrong),
        X,
        rule="err_control_flow_condition_depending_on_arange",
        message="Python needs one number where the kernel passes nl.arange or nl.mgrid values",
        given="index [4] 0 + 1*d0",
        allowed="a loop index or an integer",
    )


P, F = nl.arange(128)[:, None], nl.arange(8)[None, :]


@pytest.mark.parametrize(
    "mask, given",
    [
        (lambda tile, i: (F % 4) < 2, "NonAffine"),
        (lambda tile, i: F * F < 9, "NonAffine"),
        (lambda tile, i: tile, "Tensor"),
        (lambda tile, i: tile > 2, "Tensor"),
        (lambda tile, i: 1, "int 1"),
        (lambda tile, i: "all", "str all"),
        (lambda tile, i: np.ones((128, 8), bool), "ndarray"),
        (lambda tile, i: F, "Index"),
    ],
)
def test_err_unsupported_expression_in_mask(mask, given):
    def wrong(out, x):
        tile = nl.load(x[0:128])
        for i in nl.affine_range(2):
            nl.store(out[128 * i + P, F], tile, mask=mask(tile, i))  # flagged

    with pytest.raises(RuleError) as caught:
        kernel_with(wrong)(X)
    error = caught.value
    assert error.rule == "err_unsupported_expression_in_mask"
    assert str(error).splitlines()[0] == f"{error.rule}: a mask must be known before the kernel runs"
    assert error.given.startswith(given)
    assert error.allowed == (
        "comparisons of affine expressions of nl.arange, nl.mgrid, loop indices and nl.program_id, joined by &"
    )
    assert error.location.text.endswith("# flagged")


@pytest.mark.parametrize(
    "mask, given, message, allowed",
    [
        (lambda: (F < 2) | (F > 5), "|", "masks are joined with & only", "(a) & (b)"),
        (lambda: ~(F < 2), "~mask", "a mask cannot be negated", "the opposite comparison, such as i >= n for ~(i < n)"),
        (lambda: (F < 2) ^ (F > 5), "|", "masks are joined with & only", "(a) & (b)"),
    ],
)
def test_err_unsupported_expression_in_mask_for_other_than_and(mask, given, message, allowed):
    def wrong(out, x):
        nl.store(out[P, F], 0, mask=mask())

    with pytest.raises(RuleError) as caught:
        kernel_with(wrong)(X)
    error = caught.value
    assert str(error).splitlines()[0] == f"err_unsupported_expression_in_mask: {message}"
    assert (error.given, error.allowed) == (given, allowed)
    assert error.location.file == __file__


@pytest.mark.parametrize(
    "mask",
    [lambda i: F < 2, lambda i: (2 * P + 3 * i + 1 < 20) & (F != 3), lambda i: i < 1, lambda i: True, lambda i: None],
)
def test_masks_that_are_affine_are_accepted(mask):
    def right(out, x):
        for i in nl.affine_range(2):
            nl.store(out[128 * i + P, F], 0, mask=mask(i))

    accepted(kernel_with(right), X)


CALLS = {
    "nl.ndarray": lambda: nl.ndarray((4, 4), nl.float32),
    "nl.zeros": lambda: nl.zeros((4, 4), nl.float32),
    "nl.load": lambda: nl.load(None),
    "nl.store": lambda: nl.store(None, 1),
    "nl.copy": lambda: nl.copy(None),
    "nl.broadcast_to": lambda: nl.broadcast_to(None, shape=(1, 1)),
    "nl.affine_range": lambda: nl.affine_range(4),
    "nl.sequential_range": lambda: nl.sequential_range(4),
    "nl.static_range": lambda: nl.static_range(4),
    "nl.program_id": lambda: nl.program_id(0),
    "nl.num_programs": lambda: nl.num_programs(),
    "nl.program_ndim": lambda: nl.program_ndim(),
    "nl.device_print": lambda: nl.device_print("x", None),
    "nisa.dma_copy": lambda: nisa.dma_copy(dst=None, src=None),
    "nisa.iota": lambda: nisa.iota(0, nl.int32),
    "nisa.memset": lambda: nisa.memset((4, 4), 0, nl.int32),
    "nisa.tensor_copy": lambda: nisa.tensor_copy(None),
}


@pytest.mark.parametrize("name", CALLS)
def test_err_nki_api_outside_of_nki_kernel(name):
    with pytest.raises(OutsideKernelError) as caught:
        CALLS[name]()
    error = caught.value
    assert error.rule == "err_nki_api_outside_of_nki_kernel"
    assert str(error).splitlines()[:2] == [
        f"err_nki_api_outside_of_nki_kernel: {name} is called outside of a kernel",
        "  allowed: a call inside a function decorated with nki.jit, while it is recorded",
    ]
    assert error.location.file == __file__


def test_what_is_known_outside_of_kernels():
    assert nl.arange(4).shape == (4,)
    assert nl.mgrid[0:2, 0:3].p.shape == (2, 3)
    assert nl.tile_size.pmax == 128
    assert nisa.get_nc_version() in list(nisa.nc_version)
