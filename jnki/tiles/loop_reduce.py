"""`nl.loop_reduce`: what is assigned to a tile is reduced into it, iteration by iteration."""

from dataclasses import dataclass
from typing import Any

from jnki.access.buffer import Space
from jnki.access.index import Index
from jnki.access.mask import Mask, as_mask
from jnki.dtypes import ElementType, element_type, float32
from jnki.errors import RuleError
from jnki.isa.operators import operator as operator_of
from jnki.isa.vector.tensor_tensor import TensorTensor
from jnki.record.recorder import current
from jnki.source import user_location
from jnki.tiles.assign import assign, copied_to_sbuf
from jnki.tiles.compute import binary, made
from jnki.tiles.fitting import fitted
from jnki.tiles.tensor import Tensor, as_tensor


@dataclass(frozen=True, eq=False)
class LoopReduction:
    """What `nl.loop_reduce` gives: no tile yet, for the tile that it is assigned to is its second operand."""

    x: Tensor
    op: str
    dtype: ElementType | None
    mask: Mask | None

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise _unassigned()

    def __repr__(self) -> str:
        return f"nl.loop_reduce({self.x!r}, {self.op}), which is not assigned to a tile"

    def into(self, dst: Tensor) -> None:
        """Records `dst = dst <op> x`, in float32 and rounded once."""
        recorder = current("nl.loop_reduce")
        # In float32 the sum is anyway, and it is rounded once, to what the tile holds.
        if self.dtype not in (None, float32, dst.access.dtype):
            assign(dst, binary(self.op, dst, self.x, dtype=self.dtype, mask=self.mask))
            return
        to, source = dst.access, self.x.access
        if source.buffer.space is to.buffer.space is Space.PSUM:
            source = copied_to_sbuf(self.x).access
        step = TensorTensor(
            dst=to, data1=to, data2=fitted(to, source), op=self.op, mask=self.mask, location=user_location()
        )
        recorder.emit(made(recorder, step))


def loop_reduce(x: Any, op: Any, loop_indices: Any, *, dtype: Any = None, mask: Any = None) -> LoopReduction:
    """The reduction of `x` over the iterations of loops, to be assigned to the tile that holds what came before.

    Raises:
        RuleError: the operator is not one that reduces, or `loop_indices` are no loop indices.
    """
    current("nl.loop_reduce")
    source = as_tensor(x, "loop_reduce", "x")
    operator = operator_of(op, "loop_reduce")
    if operator.reduction is None or operator.name == "subtract":
        raise RuleError(
            "loop_reduce.op",
            "loop_reduce: the result would depend on the order of iterations",
            given=operator.name,
            allowed="an associative and commutative operator, such as add, multiply, maximum, minimum",
        )
    indices = tuple(loop_indices) if isinstance(loop_indices, (tuple, list)) else (loop_indices,)
    if not indices or not all(isinstance(i, int) or (isinstance(i, Index) and i.ndim == 0) for i in indices):
        raise RuleError(
            "loop_reduce.loop_indices",
            "loop_reduce: 'loop_indices' must be loop indices",
            given=str(loop_indices),
            allowed="an index of nl.affine_range, or a tuple or list of them",
        )
    return LoopReduction(source, operator.name, None if dtype is None else element_type(dtype), as_mask(mask))


def _unassigned() -> RuleError:
    return RuleError(
        "loop_reduce.destination",
        "the result of nl.loop_reduce is used before it is assigned to a tile",
        given="a name bound to it",
        allowed="t[...] = nl.loop_reduce(x, op, loop_indices), where t holds the result of the iterations before",
    )
