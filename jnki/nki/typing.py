"""Annotations of kernel parameters: `nt.tensor[128, 512]`. They change nothing."""

from typing import Any


class _Annotation:
    """What stands for a tensor in an annotation, of any shape or of one."""

    def __init__(self, name: str, shape: Any = None):
        self._name = name
        self._shape = shape

    def __getitem__(self, shape: Any) -> "_Annotation":
        return _Annotation(self._name, shape)

    def __or__(self, other: Any) -> "_Annotation":
        return self

    __ror__ = __or__

    def __repr__(self) -> str:
        return f"nt.{self._name}" + ("" if self._shape is None else f"[{self._shape}]")


tensor = _Annotation("tensor")
mutable_tensor = _Annotation("mutable_tensor")
