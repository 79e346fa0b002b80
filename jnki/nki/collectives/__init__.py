"""`nki.collectives`: what devices along an axis of a mesh exchange. `kernel.over("x")` names the axis."""

from jnki.dialects.calls import publish
from jnki.nki.collectives.exchanges import (
    all_gather,
    all_gather_v,
    all_reduce,
    all_to_all,
    all_to_all_v,
    reduce_scatter,
)
from jnki.nki.collectives.groups import ReplicaGroup
from jnki.nki.collectives.permutes import (
    collective_permute,
    collective_permute_implicit,
    collective_permute_implicit_current_processing_rank_id,
    collective_permute_implicit_reduce,
    rank_id,
)
from jnki.nki.hints import HINTS

__all__ = [
    "ReplicaGroup",
    "all_gather",
    "all_gather_v",
    "all_reduce",
    "all_to_all",
    "all_to_all_v",
    "collective_permute",
    "collective_permute_implicit",
    "collective_permute_implicit_current_processing_rank_id",
    "collective_permute_implicit_reduce",
    "rank_id",
    "reduce_scatter",
]

_FUNCTIONS = [name for name in __all__ if name != "ReplicaGroup"]

publish(globals(), "nki.collectives", _FUNCTIONS, HINTS)
