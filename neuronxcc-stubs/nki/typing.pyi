from typing import Any, TypeAlias

# A kernel sees a tensor where its caller passes an array: no one type is right for both.
mutable: Any
mutable_tensor: TypeAlias = Any
tensor: TypeAlias = Any
