"""`neuronxcc.nki.language.iterators`: the loops of `nki.language`, where the vendor defines them."""

from typing import Any, NoReturn

from jnki.errors import not_modelled
from jnki.neuronxcc.nki.language import affine_range, sequential_range, static_range

__all__ = ["affine_range", "sequential_range", "static_range", "sync_program"]


def sync_program(*args: Any, **kwargs: Any) -> NoReturn:
    """A barrier between instances of a launch grid, which run one after the other here.

    Raises:
        NotImplementedError: always.
    """
    raise not_modelled(
        "neuronxcc.nki.language.iterators.sync_program: instances of a grid run one after the other, and"
    )
