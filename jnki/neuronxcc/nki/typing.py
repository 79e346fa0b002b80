"""`neuronxcc.nki.typing`: annotations of tensors (`x: tensor[128, 512]`) and of parameters that a kernel may write."""

from jnki.record.tensor_annotation import mutable, mutable_tensor, tensor

__all__ = ["mutable", "mutable_tensor", "tensor"]
