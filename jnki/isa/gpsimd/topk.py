"""`nki.isa.topk`: the largest elements of 16 partitions taken together, and their places, on GpSimd."""

from dataclasses import dataclass, replace
from typing import ClassVar

import jax
import jax.numpy as jnp
from jax import lax

from jnki.access.access import Access
from jnki.access.ref import Ref, resolve
from jnki.dtypes import bfloat16, cast, float32
from jnki.isa.gpsimd.cores import PARTITIONS_PER_CORE
from jnki.isa.instruction import Instruction
from jnki.isa.operands import load, store_where
from jnki.isa.ranking import sort_keys
from jnki.isa.rules import check_int32, check_no_mask, check_on_chip, check_partitions, check_type
from jnki.memory import NO_LOOPS, DeviceMemory, Loops
from jnki.source import user_location
from jnki.target import TRN2, Target, takes_target

_FEWEST, _TOO_MANY = 8, 1 << 16
_TOO_MANY_RESULTS = 1 << 15


@dataclass(frozen=True, kw_only=True)
class Topk(Instruction):
    """The K largest of each group's first n elements, smallest first, to `val_dst`, and their numbers to `idx_dst`.

    A group is 16 partitions. Its elements, and its results, wind through them: number i is in partition `i % 16` of the
    group and column `i // 16`. The columns of `val_dst` and `idx_dst` behind those of K results stay as they were.
    Of equal elements the earlier ones are larger; both zeros are equal, and NaN is the largest.

        column:      0   1   2
        partition 0: 0  16  32
        partition 1: 1  17  33
        ...         ..  ..  ..
        partition 15: 15 31 47

    Attributes:
        val_dst: `[P, K]` of bfloat16 in SBUF, P a multiple of 16.
        idx_dst: `[P, K]` of uint32 in SBUF.
        src: `[P, X]` of bfloat16 in SBUF, 16 * X at least n.
        n: how many elements a group has, 8 to 65535, and not fewer than K.
    """

    name: ClassVar[str] = "topk"
    writes: ClassVar[tuple[str, ...]] = ("val_dst", "idx_dst")

    val_dst: Access
    idx_dst: Access
    src: Access
    n: int

    @property
    def reads_destination(self) -> bool:
        """Columns without results keep what they had."""
        return True

    @property
    def is_accumulation(self) -> bool:
        return False

    def check(self, target: Target) -> None:
        operands = {"src": (self.src, "bfloat16"), "val_dst": (self.val_dst, "bfloat16")}
        for operand, (access, kind) in (operands | {"idx_dst": (self.idx_dst, "uint32")}).items():
            check_on_chip(self, operand, access, psum=False)
            check_partitions(self, operand, access, target)
            check_type(self, operand, access, (kind,))
            if len(access.shape) != 2 or access.shape[0] % PARTITIONS_PER_CORE or not access.shape[0]:
                raise self.error(
                    "topk.shape",
                    f"'{operand}' is not made of groups of {PARTITIONS_PER_CORE} partitions",
                    given=str(list(access.shape)),
                    allowed=f"[P, columns], P a multiple of {PARTITIONS_PER_CORE}",
                )
        partitions = [access.shape[0] for access in (self.src, self.val_dst, self.idx_dst)]
        if len({*partitions}) > 1:
            raise self.error(
                "err_num_partition_mismatch",
                "src, val_dst and idx_dst span different numbers of partitions",
                given=", ".join(map(str, partitions)),
                allowed="the same size of axis 0",
            )
        self._check_counts()
        check_no_mask(self)
        super().check(target)

    def _check_counts(self) -> None:
        check_int32(self, "n", self.n)
        held = PARTITIONS_PER_CORE * self.src.shape[1]
        if not _FEWEST <= self.n < _TOO_MANY or self.n > held:
            raise self.error(
                "topk.n",
                "'n' is no number of elements of a group",
                given=f"n {self.n}, src {list(self.src.shape)}",
                allowed=f"{_FEWEST} to {min(_TOO_MANY - 1, held)}",
            )
        results = self.val_dst.shape[1]
        if self.idx_dst.shape[1] != results:
            raise self.error(
                "topk.results",
                "val_dst and idx_dst have different numbers of results",
                given=f"val_dst {list(self.val_dst.shape)}, idx_dst {list(self.idx_dst.shape)}",
                allowed="one shape",
            )
        if not 1 <= results <= min(self.n, _TOO_MANY_RESULTS - 1):
            raise self.error(
                "topk.k",
                "the columns of 'val_dst' are no number of results",
                given=f"{results} columns, n {self.n}",
                allowed=f"1 to {min(self.n, _TOO_MANY_RESULTS - 1)}",
            )

    def execute(self, memory: DeviceMemory, at: Loops = NO_LOOPS) -> DeviceMemory:
        results = self.val_dst.shape[1]
        elements = _unwound(load(memory, self.src, at))[:, : self.n]
        keys = sort_keys(lax.stop_gradient(cast(elements, bfloat16, float32)))
        _, places = lax.top_k(keys, results)
        places = places[:, ::-1]
        values = jnp.take_along_axis(elements, places, axis=1)
        is_result = _wound(jnp.ones(places.shape, bool))
        for access, found in ((self.val_dst, values), (self.idx_dst, places.astype(jnp.uint32))):
            partitions, columns = access.dims
            to = replace(access, dims=(partitions, replace(columns, count=is_result.shape[1])))
            memory = store_where(memory, to, _wound(found), at, is_result)
        return memory


def _unwound(tile: jax.Array) -> jax.Array:
    """`[G, 16 * X]` in the order of their numbers, from a tile `[16 * G, X]`."""
    groups = tile.reshape(-1, PARTITIONS_PER_CORE, tile.shape[1])
    return groups.transpose(0, 2, 1).reshape(groups.shape[0], -1)


def _wound(rows: jax.Array) -> jax.Array:
    """`[16 * G, columns]` from rows `[G, K]`, with zeros, or false, behind the last one."""
    columns = -(-rows.shape[1] // PARTITIONS_PER_CORE)
    rows = jnp.pad(rows, ((0, 0), (0, columns * PARTITIONS_PER_CORE - rows.shape[1])))
    return rows.reshape(-1, columns, PARTITIONS_PER_CORE).transpose(0, 2, 1).reshape(-1, columns)


@takes_target
def topk(memory: DeviceMemory, *, val_dst: Ref, idx_dst: Ref, src: Ref, n: int, target: Target = TRN2) -> DeviceMemory:
    """Memory with the largest elements of each 16 partitions, and their numbers: the functional form of `nki.isa.topk`.

    Args:
        val_dst: an SBUF reference `[P, K]` of bfloat16; K results of each group, in its first columns.
        idx_dst: an SBUF reference `[P, K]` of uint32.
        src: an SBUF reference `[P, X]` of bfloat16.
        n: how many elements of each group count.

    Raises:
        RuleError: the instruction breaks a rule.
    """
    instruction = Topk(
        val_dst=resolve(val_dst, memory.buffer),
        idx_dst=resolve(idx_dst, memory.buffer),
        src=resolve(src, memory.buffer),
        n=n,
        location=user_location(),
    )
    instruction.check(target)
    return instruction.execute(memory)
