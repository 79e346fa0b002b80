"""`neuronxcc.nki.typing`: annotations of tensors (`x: tensor[128, 512]`) and of parameters that a kernel may write."""

from typing import Any

from jnki.errors import not_modelled
from jnki.record.tensor_annotation import mutable, mutable_tensor, tensor
from jnki.tiles.tensor import Tensor

__all__ = ["mutable", "mutable_tensor", "scalar", "tensor"]


def scalar(value: Any) -> Any:
    """A number or a condition as it is; a tensor would be one that is known only at run time.

    Raises:
        NotImplementedError: it is a tensor.
    """
    if isinstance(value, Tensor):
        raise not_modelled(f"nt.scalar of {value!r}: loops and conditions on values that are known only at run time")
    return value
