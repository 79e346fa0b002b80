"""Instructions of the Scalar Engine: `activation`, `activation_reduce`."""

from typing import Any

from jnki.isa.enums import reduce_cmd
from jnki.isa.operators import operator
from jnki.isa.scalar.activation_reduce import ActivationReduce
from jnki.isa.scalar.activations import activation_function
from jnki.tiles.elementwise import activation as record
from jnki.tiles.tensor import Tensor


def activation(
    op: Any,
    data: Tensor,
    *,
    bias: Tensor | None = None,
    scale: Any = 1.0,
    reduce_op: Any = None,
    reduce_res: Tensor | None = None,
    reduce_cmd: reduce_cmd = reduce_cmd.idle,
    mask: Any = None,
    dtype: Any = None,
) -> Tensor:
    """A new SBUF tile with `op(data * scale + bias)`, in float32, cast to `dtype`.

    Args:
        op: an activation function, such as `nl.exp` or `np.exp`.
        data: `[P, F...]` in SBUF or PSUM.
        bias: `[P, 1]` of float32, float16 or bfloat16.
        scale: a number, or `[P, 1]` of float32.
        reduce_op: what reduces the results along the free axes into the accumulator registers.
        reduce_res: a tile `[P, 1]` that the registers are read out to.
        reduce_cmd: what happens to the registers.
        mask: what to leave unwritten.
        dtype: element type of the result; that of `data` by default.

    Raises:
        RuleError: docs/isa/scalar/activation.md has the rules.
    """
    return record(
        activation_function(op, "activation").name,
        data,
        bias=bias,
        scale=scale,
        reduce_op=None if reduce_op is None else operator(reduce_op, "activation", "reduce_op").name,
        reduce_cmd=reduce_cmd,
        reduce_res=reduce_res,
        dtype=dtype,
        mask=mask,
    )


def activation_reduce(
    op: Any,
    data: Tensor,
    *,
    reduce_op: Any,
    reduce_res: Tensor,
    bias: Tensor | None = None,
    scale: Any = 1.0,
    mask: Any = None,
    dtype: Any = None,
) -> Tensor:
    """A new SBUF tile with `op(data * scale + bias)`; its reduction along all free axes goes to `reduce_res`.

    Args:
        reduce_op: addition, or on NeuronCore-v3 and newer another operator.
        reduce_res: a tile `[P, 1]`, written in place.
        op, data, bias, scale, mask, dtype: see `activation`.

    Raises:
        RuleError: docs/isa/scalar/activation_reduce.md has the rules.
    """
    return record(
        activation_function(op, "activation_reduce").name,
        data,
        instruction=ActivationReduce,
        bias=bias,
        scale=scale,
        reduce_op=operator(reduce_op, "activation_reduce", "reduce_op").name,
        reduce_cmd=reduce_cmd.reset_reduce,
        reduce_res=reduce_res,
        dtype=dtype,
        mask=mask,
    )
