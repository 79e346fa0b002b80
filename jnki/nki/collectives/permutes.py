"""Collectives from rank to rank: `collective_permute`, rings, and what asks for a rank."""

from collections.abc import Sequence
from typing import Any

from jnki.access.access import Access
from jnki.errors import RuleError, not_modelled
from jnki.isa.collectives.collective_permute import CollectivePermute
from jnki.isa.collectives.collective_permute_implicit import CollectivePermuteImplicit
from jnki.isa.collectives.collective_permute_implicit_reduce import CollectivePermuteImplicitReduce
from jnki.isa.collectives.groups import is_rank
from jnki.isa.collectives.operator import operator_name
from jnki.nki.collectives.groups import ReplicaGroup, groups_in
from jnki.nki.collectives.lists import check_apart, pairs, record_all, start
from jnki.source import user_location

Channels = Sequence[Sequence[Any]]

_MOST_CHANNELS = 4


def collective_permute(
    srcs: Sequence[Any],
    dsts: Sequence[Any],
    source_target_pairs: Sequence[tuple[int, int]],
    priority: int | None = None,
    name: str | None = None,
) -> None:
    """Sends the tensor of the source of each pair to its target. A rank that is no target keeps what it has.

    Args:
        srcs, dsts: one tensor each, in HBM, of one shape and type.
        source_target_pairs: `(source, target)`; a rank is a source once at most, and a target once at most.
        priority: of the DMA, 0 to 3, on NeuronCore-v4 and newer; it changes no value.
    """
    recorder = start("collective_permute", priority)
    (row,) = pairs("collective_permute", most=1, srcs=srcs, dsts=dsts)
    ranks = _pairs(source_target_pairs)
    at = user_location()
    made = CollectivePermute(dst=row["dsts"], src=row["srcs"], pairs=ranks, axes=recorder.axes, location=at)
    record_all([made], name)


def _pairs(given: Any) -> tuple[tuple[int, int], ...]:
    listed = [tuple(pair) if isinstance(pair, (list, tuple)) else () for pair in given] if _is_list(given) else []
    if not listed or not all(len(pair) == 2 and all(map(is_rank, pair)) for pair in listed):
        raise RuleError(
            "collective_permute.source_target_pairs",
            "collective_permute: 'source_target_pairs' is a list of pairs of ranks",
            given=f"{given!r}"[:120],
            allowed="such as [(0, 1), (1, 0)]",
        )
    return tuple((int(source), int(target)) for source, target in listed)


def collective_permute_implicit(
    srcs_by_channel: Channels,
    dsts_by_channel: Channels,
    replica_group: ReplicaGroup,
    channel_ids: Sequence[int] = (0,),
    priority: int | None = None,
    name: str | None = None,
) -> None:
    """Sends the tensors of each rank of a group to the next one in its list, and from the last one to the first.

    Args:
        srcs_by_channel, dsts_by_channel: for each channel a list of one tensor, in HBM or SBUF.
        replica_group: the rings.
        channel_ids: 0, 1, ...: one for each channel, at most four; no value depends on them.
        priority: of the DMA, 0 to 3, on NeuronCore-v4 and newer; it changes no value.
    """
    function = "collective_permute_implicit"
    recorder, groups = start(function, priority), groups_in(replica_group, function)
    rows = _by_channel(function, channel_ids, srcs=srcs_by_channel, dsts=dsts_by_channel)
    fields: Any = {"groups": groups, "axes": recorder.axes, "location": user_location()}
    made = (
        CollectivePermuteImplicit(dst=row["dsts"], src=row["srcs"], channel=channel, **fields)
        for channel, row in enumerate(rows)
    )
    record_all(list(made), name)


def collective_permute_implicit_reduce(
    srcs0_by_channel: Channels,
    srcs1_by_channel: Channels,
    dsts_by_channel: Channels,
    replica_group: ReplicaGroup,
    op: Any,
    channel_ids: Sequence[int] = (0,),
    priority: int | None = None,
    name: str | None = None,
) -> None:
    """Combines two tensors on each rank, and sends the result to the next one in its list.

    Args:
        srcs0_by_channel, srcs1_by_channel, dsts_by_channel: for each channel a list of one tensor, in HBM or SBUF.
        replica_group: the rings.
        op: `nl.add`, `nl.minimum` or `nl.maximum`.
        channel_ids: 0, 1, ...: one for each channel, at most four; no value depends on them.
        priority: of the DMA, 0 to 3, on NeuronCore-v4 and newer; it changes no value.
    """
    function = "collective_permute_implicit_reduce"
    recorder, groups = start(function, priority), groups_in(replica_group, function)
    rows = _by_channel(function, channel_ids, srcs0=srcs0_by_channel, srcs1=srcs1_by_channel, dsts=dsts_by_channel)
    fields: Any = {"op": operator_name(op, function), "groups": groups, "axes": recorder.axes}
    made = (
        CollectivePermuteImplicitReduce(
            dst=row["dsts"], src0=row["srcs0"], src1=row["srcs1"], channel=channel, location=user_location(), **fields
        )
        for channel, row in enumerate(rows)
    )
    record_all(list(made), name)


def _by_channel(function: str, channel_ids: Any, **lists: Any) -> list[dict[str, Access]]:
    """The tensors of each channel."""
    ids = list(channel_ids) if _is_list(channel_ids) else None
    if ids is None or not 1 <= len(ids) <= _MOST_CHANNELS or ids != list(range(len(ids))):
        raise RuleError(
            f"{function}.channel_ids",
            f"{function}: channels are counted from 0",
            given=f"{channel_ids!r}"[:80],
            allowed=f"[0], [0, 1] and so on, at most {_MOST_CHANNELS}",
        )
    for name, channels in lists.items():
        inner = channels if _is_list(channels) else []
        if len(inner) != len(ids) or not all(_is_list(tensors) and len(tensors) == 1 for tensors in inner):
            raise RuleError(
                f"{function}.channels",
                f"{function}: '{name}_by_channel' is a list with a list of one tensor for each channel",
                given=f"{len(ids)} channels, {name}_by_channel {[len(t) if _is_list(t) else t for t in inner]}"[:120],
                allowed="exactly one tensor for each channel",
            )
    rows = [pairs(function, **{name: channels[at] for name, channels in lists.items()})[0] for at in range(len(ids))]
    check_apart(function, rows)
    return rows


def _is_list(value: Any) -> bool:
    return isinstance(value, (list, tuple))


def collective_permute_implicit_current_processing_rank_id(
    iteration_id: int, replica_group: ReplicaGroup, channel_id: int = 0, name: str | None = None
) -> Any:
    """The rank whose data a ring has brought after some steps, as a register. Not modelled.

    Raises:
        NotImplementedError: always.
    """
    raise not_modelled("nki.collectives.collective_permute_implicit_current_processing_rank_id")


def rank_id(name: str | None = None) -> Any:
    """The rank of this device, as a register. Not modelled.

    Raises:
        NotImplementedError: always.
    """
    raise not_modelled("nki.collectives.rank_id")
