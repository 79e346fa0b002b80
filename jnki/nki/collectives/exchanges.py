"""Collectives within replica groups: `all_reduce`, `all_gather`, `reduce_scatter`, `all_to_all` and their kin."""

from collections.abc import Sequence
from typing import Any

from jnki.isa.collectives.all_gather import AllGather
from jnki.isa.collectives.all_gather_v import AllGatherV
from jnki.isa.collectives.all_reduce import AllReduce
from jnki.isa.collectives.all_to_all import AllToAll
from jnki.isa.collectives.all_to_all_v import AllToAllV
from jnki.isa.collectives.chunks import operands_of
from jnki.isa.collectives.operator import operator_name
from jnki.isa.collectives.reduce_scatter import ReduceScatter
from jnki.nki.collectives.groups import ReplicaGroup, groups_in
from jnki.nki.collectives.lists import pairs, record_all, start
from jnki.nki.isa.instruction import operand
from jnki.source import user_location

Tensors = Sequence[Any]


def all_reduce(
    srcs: Tensors,
    dsts: Tensors,
    replica_group: ReplicaGroup,
    op: Any,
    priority: int | None = None,
    name: str | None = None,
) -> None:
    """Combines the tensors of all ranks of a group; each of them gets the result.

    Args:
        srcs, dsts: lists of tensors, all in HBM, or one each in SBUF; those at one place have one shape and type.
        replica_group: which ranks exchange.
        op: `nl.add`, `nl.minimum` or `nl.maximum`.
        priority: of the DMA, 0 to 3, on NeuronCore-v4 and newer; it changes no value.
    """
    recorder, groups = start("all_reduce", priority), groups_in(replica_group, "all_reduce")
    fields: Any = {"op": operator_name(op, "all_reduce"), "groups": groups, "axes": recorder.axes}
    rows = pairs("all_reduce", srcs=srcs, dsts=dsts)
    record_all([AllReduce(dst=r["dsts"], src=r["srcs"], location=user_location(), **fields) for r in rows], name)


def all_gather(
    srcs: Tensors,
    dsts: Tensors,
    replica_group: ReplicaGroup,
    collective_dim: int,
    priority: int | None = None,
    name: str | None = None,
) -> None:
    """Puts the tensors of all ranks of a group behind each other, on each of them.

    Args:
        srcs, dsts: lists of tensors, all in HBM, or one `[P, F]` each in SBUF.
        replica_group: which ranks exchange; chunks are in the order of its lists.
        collective_dim: along which chunks lie: 0, in SBUF also 1.
        priority: of the DMA, 0 to 3, on NeuronCore-v4 and newer; it changes no value.
    """
    recorder, groups = start("all_gather", priority), groups_in(replica_group, "all_gather")
    fields: Any = {"dim": collective_dim, "groups": groups, "axes": recorder.axes}
    rows = pairs("all_gather", srcs=srcs, dsts=dsts)
    record_all([AllGather(dst=r["dsts"], src=r["srcs"], location=user_location(), **fields) for r in rows], name)


def reduce_scatter(
    srcs: Tensors,
    dsts: Tensors,
    replica_group: ReplicaGroup,
    collective_dim: int,
    op: Any,
    priority: int | None = None,
    name: str | None = None,
) -> None:
    """Combines the tensors of all ranks of a group; each of them gets a chunk of the result.

    Args:
        srcs, dsts: lists of tensors, all in HBM, or one `[P, F]` each in SBUF.
        replica_group: which ranks exchange; chunks are in the order of its lists.
        collective_dim: along which chunks lie: 0.
        op: `nl.add`, `nl.minimum` or `nl.maximum`.
        priority: of the DMA, 0 to 3, on NeuronCore-v4 and newer; it changes no value.
    """
    recorder, groups = start("reduce_scatter", priority), groups_in(replica_group, "reduce_scatter")
    combine = operator_name(op, "reduce_scatter")
    fields: Any = {"op": combine, "dim": collective_dim, "groups": groups, "axes": recorder.axes}
    rows = pairs("reduce_scatter", srcs=srcs, dsts=dsts)
    record_all([ReduceScatter(dst=r["dsts"], src=r["srcs"], location=user_location(), **fields) for r in rows], name)


def all_to_all(
    srcs: Tensors,
    dsts: Tensors,
    replica_group: ReplicaGroup,
    collective_dim: int,
    priority: int | None = None,
    name: str | None = None,
) -> None:
    """Sends chunk `j` of each rank of a group to rank `j` of it.

    Args:
        srcs, dsts: lists of tensors in HBM; those at one place have one shape and type.
        replica_group: which ranks exchange; chunks are in the order of its lists.
        collective_dim: along which chunks lie: 0.
        priority: of the DMA, 0 to 3, on NeuronCore-v4 and newer; it changes no value.
    """
    recorder, groups = start("all_to_all", priority), groups_in(replica_group, "all_to_all")
    fields: Any = {"dim": collective_dim, "groups": groups, "axes": recorder.axes}
    rows = pairs("all_to_all", srcs=srcs, dsts=dsts)
    record_all([AllToAll(dst=r["dsts"], src=r["srcs"], location=user_location(), **fields) for r in rows], name)


def all_gather_v(
    srcs: Tensors,
    dsts: Tensors,
    replica_group: ReplicaGroup,
    metadata_tensor: Any,
    recv_counts_known: bool = False,
    has_rdispls: bool = False,
    priority: int | None = None,
    name: str | None = None,
) -> None:
    """Sends one chunk of each rank of a group, of a length that is known at run time, to all of them.

    Args:
        srcs, dsts: one tensor each, in HBM, taken as flat; the chunk of rank `r` arrives at slot `r` of `dsts`.
        replica_group: which ranks exchange.
        metadata_tensor: uint32, `[3, ranks]` in HBM or `[1, 3, ranks]` in SBUF: in column 0 count and start of the
            chunk to send; the counts received.
        recv_counts_known: True leaves the counts received as they are.
        has_rdispls: must be False.
        priority: of the DMA, 0 to 3, on NeuronCore-v4 and newer; it changes no value.
    """
    flags = recv_counts_known, has_rdispls
    _chunks(AllGatherV, srcs, dsts, replica_group, metadata_tensor, flags, priority, name)


def all_to_all_v(
    srcs: Tensors,
    dsts: Tensors,
    replica_group: ReplicaGroup,
    metadata_tensor: Any,
    recv_counts_known: bool = False,
    has_rdispls: bool = False,
    priority: int | None = None,
    name: str | None = None,
) -> None:
    """Sends a chunk of each rank of a group to each of them, of lengths that are known at run time.

    Args:
        srcs, dsts: one tensor each, in HBM, taken as flat.
        replica_group: which ranks exchange.
        metadata_tensor: uint32, `[rows, ranks]` in HBM or `[1, rows, ranks]` in SBUF: counts to send, starts in `srcs`,
            counts received, starts in `dsts`.
        recv_counts_known: True leaves the counts received as they are.
        has_rdispls: whether row 3 says where chunks start in `dsts`; else the chunk of rank `r` is at slot `r`.
        priority: of the DMA, 0 to 3, on NeuronCore-v4 and newer; it changes no value.
    """
    flags = recv_counts_known, has_rdispls
    _chunks(AllToAllV, srcs, dsts, replica_group, metadata_tensor, flags, priority, name)


def _chunks(
    kind: type[AllGatherV] | type[AllToAllV],
    srcs: Tensors,
    dsts: Tensors,
    replica_group: ReplicaGroup,
    metadata_tensor: Any,
    flags: tuple[bool, bool],
    priority: int | None,
    name: str | None,
) -> None:
    function = kind.name
    recorder, groups = start(function, priority), groups_in(replica_group, function)
    (row,) = pairs(function, most=1, srcs=srcs, dsts=dsts)
    fields = operands_of(operand(metadata_tensor, function, "metadata_tensor"), *flags)
    axes, at = recorder.axes, user_location()
    record_all([kind(dst=row["dsts"], src=row["srcs"], groups=groups, axes=axes, location=at, **fields)], name)
